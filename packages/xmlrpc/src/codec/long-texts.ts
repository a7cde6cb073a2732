/** Longer text, in characters, is kept from the parser, which copies it character by character: 32 bytes for each until it ends. */
const LONG = 256;

/** Begins what stands for a long text. XML forbids the character, so a document that got this far has none. */
const MARK = "\u0001";

/** A tag that is nothing but a name. */
const BARE_TAG = /<\/?[^\s<>"'=]+>/y;

/** A document's markup with its long texts taken out. */
export class LongTexts {
  /** The markup with a mark and a number for each long text. */
  readonly short: string;
  readonly #texts: string[] = [];

  constructor(markup: string) {
    let out = "";
    let from = 0;
    // Between two `<` that are far apart lies a multiple of LONG: most of the document need not be looked at.
    for (let at = LONG; at < markup.length; at += LONG) {
      const next = markup.indexOf("<", at);
      if (next === -1) break;
      const last = markup.lastIndexOf("<", at - 1);
      if (next - last > LONG && last >= from) {
        BARE_TAG.lastIndex = last;
        const start = BARE_TAG.test(markup) ? BARE_TAG.lastIndex : next;
        if (next - start > LONG) {
          out += `${markup.slice(from, start)}${MARK}${this.#texts.length}`;
          // A copy: a part of the document would keep all of it in memory, for as long as anybody keeps the part.
          const text = ` ${markup.slice(start, next)}`.slice(1);
          this.#texts.push(text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text);
          from = next;
        }
      }
      // The next multiple behind it.
      at = next - (next % LONG);
    }
    const short = from === 0 ? markup : out + markup.slice(from);
    // The parser does the same; done here, lengths can be compared.
    this.short = short.includes("\r") ? short.replaceAll(/\r\n?/g, "\n") : short;
  }

  /** The text that a piece of the short markup stands for. */
  of(piece: string): string {
    if (piece.charCodeAt(0) !== 1) return piece;
    return this.#texts[Number(piece.slice(1))] ?? "";
  }
}

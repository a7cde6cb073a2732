/** Whatever steers a terminal, hides text or turns its direction. The joiners of emoji and of Indic scripts are none of them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const JOINERS: ReadonlySet<string> = new Set(["\u200c", "\u200d"]);
const NAMED: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/**
 * Text from a row or from a server, on one line and harmless: anybody who can write a row chooses it, escape sequences included. What cannot
 * be seen is written out, as `\n` or `\u001b`. Cut after `most` characters (default: never).
 */
export function plain(text: string, most: number = Number.POSITIVE_INFINITY): string {
  const kept = text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text;
  return kept.replace(UNSEEN, (unseen) => (JOINERS.has(unseen) ? unseen : (NAMED.get(unseen) ?? writtenOut(unseen))));
}

/** A JSON text on one line, and harmless. It stays the same JSON: a control character can stand as such between values alone, as a space. */
export function plainJson(text: string): string {
  return text.replace(UNSEEN, (unseen) => {
    if (JOINERS.has(unseen)) return unseen;
    if (unseen < " ") return " ";
    return [...Array(unseen.length).keys()].map((index) => `\\u${hex(unseen.charCodeAt(index))}`).join("");
  });
}

function writtenOut(unseen: string): string {
  const point = unseen.codePointAt(0) ?? 0;
  return point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${hex(point)}`;
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, "0");
}

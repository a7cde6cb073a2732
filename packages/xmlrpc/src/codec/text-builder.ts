/** Pieces that are joined at a time. */
const PIECES = 512;

/** Joins very many very short pieces: a text made by `+` alone holds 32 bytes for each of them until somebody reads it. */
export class TextBuilder {
  #text = "";
  #pieces: string[] = [];

  add(piece: string): void {
    if (this.#pieces.push(piece) < PIECES) return;
    this.#text += this.#pieces.join("");
    this.#pieces = [];
  }

  finish(): string {
    return this.#text + this.#pieces.join("");
  }
}

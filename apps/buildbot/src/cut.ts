/** The first of a text, without half a character at its end: no message takes that, and what speaks of it would never be heard. */
export function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

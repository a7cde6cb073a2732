/** Collects lines of TypeScript with their indentation. */
export class SourceText {
  readonly #lines: string[] = [];
  #depth = 0;

  /** Adds one line. */
  line(text = ""): this {
    this.#lines.push(text === "" ? "" : `${"  ".repeat(this.#depth)}${text}`);
    return this;
  }

  /** Adds an opening line, what stands inside, and a closing line. */
  block(opening: string, inside: () => void, closing = "}"): this {
    this.line(opening);
    this.#depth++;
    inside();
    this.#depth--;
    return this.line(closing);
  }

  /** Adds a comment from a `.proto` as a doc block; nothing in it can end the comment. */
  doc(text: string | undefined): this {
    const lines = docLines(text);
    if (lines.length === 0) return this;
    if (lines.length === 1) return this.line(`/** ${lines[0] ?? ""} */`);
    this.line("/**");
    for (const line of lines) this.line(line === "" ? " *" : ` * ${line}`);
    return this.line(" */");
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

/** The lines of a comment, made harmless: no end of comment, no control or bidirectional formatting characters. */
export function docLines(text: string | undefined): string[] {
  if (text === undefined) return [];
  const lines = text
    .replaceAll(/\r\n?|[\u2028\u2029]/g, "\n")
    // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
    .replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " ")
    .replaceAll("*/", "*\\/")
    .split("\n")
    .map((line) => line.trimEnd());
  while (lines[0] === "") lines.shift();
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

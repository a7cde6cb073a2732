import { styleText } from "node:util";
import { type Column, tabbedText, tableText } from "./text/table.ts";

export type Style = "dim" | "bold" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";
export type Styled = (text: string, style: Style) => string;

const USUAL_COLUMNS = 80;

/** Standard output. Everything that is given to it is plain text already (text/plain.ts). */
export class Output {
  readonly isTerminal: boolean;
  readonly #stream: NodeJS.WriteStream;
  readonly #isColoured: boolean;
  readonly #gone = new AbortController();

  constructor(stream: NodeJS.WriteStream, color: boolean | undefined) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY;
    this.#isColoured = color ?? wantsColour(stream);
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#gone.abort();
      // Whoever read has seen enough (`| head`).
      if (error.code === "EPIPE") return;
      process.stderr.write(`rpc-queue: standard output: ${error.message}\n`);
      process.exitCode = 1;
    });
  }

  /** Aborted when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get columns(): number {
    return this.#stream.columns > 0 ? this.#stream.columns : USUAL_COLUMNS;
  }

  get rows(): number {
    return this.#stream.rows > 0 ? this.#stream.rows : Number.POSITIVE_INFINITY;
  }

  readonly styled: Styled = (text, style) =>
    this.#isColoured ? styleText(style, text, { validateStream: false }) : text;

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** Lines; nothing for an empty text. */
  text(lines: string): void {
    if (lines !== "") this.line(lines);
  }

  write(text: string): void {
    if (!this.#gone.signal.aborted) this.#stream.write(text);
  }

  /** For people a table; for programs a line for each row, with tabs between its values and no titles. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    this.text(this.isTerminal ? tableText(columns, rows, this.columns, this.styled) : tabbedText(columns, rows));
  }
}

/** https://no-color.org and what Node itself goes by. */
function wantsColour(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR: no = "", FORCE_COLOR: force } = process.env;
  if (force !== undefined) return force !== "0" && force !== "false";
  return stream.isTTY && no === "" && process.env["TERM"] !== "dumb";
}

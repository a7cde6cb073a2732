import { styleText } from "node:util";
import { warn } from "./problems.ts";

export type Style = "dim" | "bold" | "red" | "green" | "yellow" | "cyan" | "magenta";

/** Standard output. */
export class Output {
  readonly isColoured: boolean;
  readonly #stream: NodeJS.WriteStream;
  readonly #gone = new AbortController();

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.isColoured = wantsColour(stream);
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#gone.abort();
      // Whoever read has seen enough (`| head`).
      if (error.code === "EPIPE") return;
      warn(`standard output: ${error.message}`);
      process.exitCode = 1;
    });
  }

  /** Aborted when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  styled(text: string, style: Style): string {
    return this.isColoured ? styleText(style, text, { validateStream: false }) : text;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  write(text: string): void {
    if (!this.#gone.signal.aborted) this.#stream.write(text);
  }

  /** Settles when what was written has room again: a pipe that nobody empties keeps nothing in memory. */
  async drained(): Promise<void> {
    if (!this.#stream.writableNeedDrain || this.#gone.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.once("drain", resolve);
    this.#gone.signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
  }
}

/** https://no-color.org and what Node itself goes by. */
function wantsColour(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR: no = "", FORCE_COLOR: force } = process.env;
  if (force !== undefined) return force !== "0" && force !== "false";
  return stream.isTTY && no === "" && process.env["TERM"] !== "dumb";
}

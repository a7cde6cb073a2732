import { type FileHandle, open } from "node:fs/promises";
import { LogIndex, type LogStream, readFully, type Run } from "./log-index.ts";

const BLOCK_BYTES = 64 * 1024;
/** What is shown of one line. */
const MOST_LINE_BYTES = 32 * 1024;
const LINE_END = 10;

export interface LogLine {
  readonly text: string;
  readonly stream: LogStream;
}

/** A log as it is at one instant. */
export interface LogExtent {
  readonly bytes: number;
  readonly runs: number;
}

/**
 * Lines from one on, as many at once as a block of the file has; each belongs to one stream, so that where another one goes on in the middle
 * of a line, a new line begins. What is read beyond them is little, wherever they are. Leaving the loop closes the files.
 */
export async function* readLog(
  path: string,
  { bytes, runs }: LogExtent,
  firstLine: number,
): AsyncGenerator<LogLine[], void, undefined> {
  if (bytes === 0) return;
  const text = await open(path);
  try {
    const file = await open(`${path}.idx`);
    try {
      yield* new Reader(text, new LogIndex(file, runs), bytes).lines(firstLine);
    } finally {
      await file.close();
    }
  } finally {
    await text.close();
  }
}

class Reader {
  readonly #text: FileHandle;
  readonly #index: LogIndex;
  readonly #size: number;
  /** The line that is being read. */
  #line = 0;
  #stream: LogStream = "out";
  /** Its bytes so far, the first of them. */
  #parts: Buffer[] = [];
  #kept = 0;
  #lineBytes = 0;
  #found: LogLine[] = [];

  constructor(text: FileHandle, index: LogIndex, size: number) {
    this.#text = text;
    this.#index = index;
    this.#size = size;
  }

  async *lines(firstLine: number): AsyncGenerator<LogLine[], void, undefined> {
    let at = await this.#index.before(firstLine);
    const first = await this.#index.run(at);
    if (first === undefined) return;
    this.#line = first.line;
    this.#stream = first.stream;
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    let next = await this.#index.run(at + 1);
    for (let position = first.offset; position < this.#size;) {
      const bytes = block.subarray(0, Math.min(BLOCK_BYTES, this.#size - position));
      await readFully(this.#text, bytes, position);
      const end = position + bytes.length;
      let done = 0;
      while (next !== undefined && next.offset < end) {
        this.#take(bytes.subarray(done, next.offset - position), firstLine);
        done = next.offset - position;
        this.#turn(next, firstLine);
        at += 1;
        next = await this.#index.run(at + 1);
      }
      this.#take(bytes.subarray(done), firstLine);
      position = end;
      if (this.#found.length > 0) {
        yield this.#found;
        this.#found = [];
      }
      if (this.#lineBytes <= MOST_LINE_BYTES) continue;
      // No more of this line is shown: on to where it ends.
      let far = await this.#index.before(this.#line + 1);
      let run = await this.#index.run(far);
      if (run !== undefined && run.line > this.#line) {
        far -= 1;
        run = await this.#index.run(far);
      }
      if (run === undefined || run.offset <= position) continue;
      this.#lineBytes += run.offset - position;
      position = run.offset;
      at = far;
      next = await this.#index.run(at + 1);
    }
    if (this.#lineBytes > 0) this.#end(firstLine);
    if (this.#found.length > 0) yield this.#found;
  }

  #turn(run: Run, firstLine: number): void {
    if (run.stream !== this.#stream && this.#lineBytes > 0) this.#end(firstLine);
    this.#stream = run.stream;
  }

  #take(bytes: Buffer, firstLine: number): void {
    let from = 0;
    for (;;) {
      const to = bytes.indexOf(LINE_END, from);
      if (to < 0) break;
      this.#keep(bytes.subarray(from, to), firstLine);
      this.#end(firstLine);
      from = to + 1;
    }
    this.#keep(bytes.subarray(from), firstLine, true);
  }

  /** `isOpen`: the block is read anew before the line is told. */
  #keep(bytes: Buffer, firstLine: number, isOpen = false): void {
    this.#lineBytes += bytes.length;
    const room = MOST_LINE_BYTES - this.#kept;
    if (this.#line < firstLine || room <= 0 || bytes.length === 0) return;
    const part = bytes.subarray(0, room);
    this.#parts.push(isOpen ? Buffer.from(part) : part);
    this.#kept += part.length;
  }

  #end(firstLine: number): void {
    if (this.#line >= firstLine) this.#found.push({ text: this.#textOf(), stream: this.#stream });
    this.#line += 1;
    this.#parts = [];
    this.#kept = 0;
    this.#lineBytes = 0;
  }

  #textOf(): string {
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    const text = bytes.toString("utf8");
    if (this.#lineBytes > MOST_LINE_BYTES) return `${text} … (${this.#lineBytes} bytes)`;
    return text.endsWith("\r") ? text.slice(0, -1) : text;
  }
}

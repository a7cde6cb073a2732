import type { LogLines } from "../../../src/contracts/values.ts";

export type LogLine = LogLines["lines"][number];

export interface LineWindowsOptions {
  readonly load: (firstLine: number, limit: number) => Promise<LogLines>;
  /** Something can be drawn that could not be before. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
  /** Lines of one question. */
  readonly windowLines?: number;
  /** Kept at once; the one not looked at for longest goes first. */
  readonly maxWindows?: number;
}

/** The part of a log that is looked at, and a little around it: what a page holds does not grow with the log. */
export class LineWindows {
  readonly #options: Required<LineWindowsOptions>;
  /** By number; in the order in which they were last looked at. */
  readonly #windows = new Map<number, (LogLine | undefined)[]>();
  readonly #asked = new Set<number>();
  #total = 0;
  #version = 0;

  constructor(options: LineWindowsOptions) {
    this.#options = { windowLines: 500, maxWindows: 60, ...options };
  }

  get total(): number {
    return this.#total;
  }

  /** Counts the changes. */
  get version(): number {
    return this.#version;
  }

  line(index: number): LogLine | undefined {
    const size = this.#options.windowLines;
    return this.#windows.get(Math.floor(index / size))?.[index % size];
  }

  /** These lines are on screen, both included: what is missing of them is asked for. */
  look(first: number, last: number): void {
    const size = this.#options.windowLines;
    const begin = Math.max(first, 0);
    const end = Math.min(last, this.#total - 1);
    for (let number = Math.floor(begin / size); number * size <= end; number++) {
      const window = this.#windows.get(number);
      if (window !== undefined) this.#touch(number, window);
      // The rest of a window may be missing where a log grows faster than it is shown: nobody has looked at it.
      if (has(window, Math.max(begin - number * size, 0), Math.min(end - number * size, size - 1))) continue;
      this.#ask(number);
    }
  }

  /** What has come: answers to questions, and the growing end. */
  add(part: LogLines): void {
    const size = this.#options.windowLines;
    this.#total = Math.max(this.#total, part.totalLines, part.firstLine + part.lines.length);
    for (const [offset, line] of part.lines.entries()) {
      const index = part.firstLine + offset;
      const number = Math.floor(index / size);
      const window = this.#windows.get(number) ?? [];
      window[index % size] = line;
      if (offset === 0 || index % size === 0) this.#touch(number, window);
    }
    this.#changed();
  }

  #ask(number: number): void {
    if (this.#asked.has(number)) return;
    this.#asked.add(number);
    const size = this.#options.windowLines;
    void this.#options.load(number * size, size).then(
      (part) => {
        this.#asked.delete(number);
        this.add(part);
      },
      (error: unknown) => {
        this.#asked.delete(number);
        this.#options.failed(error);
      },
    );
  }

  #touch(number: number, window: (LogLine | undefined)[]): void {
    this.#windows.delete(number);
    this.#windows.set(number, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > this.#options.maxWindows && oldest !== undefined) this.#windows.delete(oldest);
  }

  #changed(): void {
    this.#version += 1;
    this.#options.changed();
  }
}

/** Both ends included. */
function has(window: readonly (LogLine | undefined)[] | undefined, first: number, last: number): boolean {
  if (window === undefined) return false;
  for (let index = first; index <= last; index++) if (window[index] === undefined) return false;
  return true;
}

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
  /** Kept at once of text, but for what may be in view. */
  readonly maxChars?: number;
}

interface Window {
  readonly lines: (LogLine | undefined)[];
  chars: number;
}

/** What is in view, and what comes at the end meanwhile: if these went, they would be asked for again at once. */
const LEAST_WINDOWS = 4;

/** The part of a log that is looked at, and a little around it: what a page holds does not grow with the log. */
export class LineWindows {
  readonly #options: Required<LineWindowsOptions>;
  /** By number; in the order in which they were last looked at. */
  readonly #windows = new Map<number, Window>();
  readonly #asked = new Set<number>();
  #chars = 0;
  #total = 0;
  #version = 0;

  constructor(options: LineWindowsOptions) {
    this.#options = { windowLines: 500, maxWindows: 60, maxChars: 32 * 1024 * 1024, ...options };
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
    return this.#windows.get(Math.floor(index / size))?.lines[index % size];
  }

  /** These lines are on screen, both included: what is missing of them is asked for. */
  look(first: number, last: number): void {
    const size = this.#options.windowLines;
    const begin = Math.max(first, 0);
    const end = Math.min(last, this.#total - 1);
    for (let number = Math.floor(begin / size); number * size <= end; number++) {
      const window = this.#windows.get(number);
      if (window !== undefined) this.#touch(number, window);
      // A part of a window may be missing: a log grows faster than it is shown, or its lines are so long that an answer ended before.
      const missing = firstMissing(window, Math.max(begin - number * size, 0), Math.min(end - number * size, size - 1));
      if (missing !== undefined) this.#ask(number, window, missing);
    }
  }

  /** What could not be had is asked for once more, where it is still looked at. */
  again(): void {
    this.#changed();
  }

  /** What has come: answers to questions, and the growing end. */
  add(part: LogLines): void {
    const size = this.#options.windowLines;
    this.#total = Math.max(this.#total, part.totalLines, part.firstLine + part.lines.length);
    for (const [offset, line] of part.lines.entries()) {
      const index = part.firstLine + offset;
      const number = Math.floor(index / size);
      const window = this.#windows.get(number) ?? { lines: [], chars: 0 };
      const more = line.text.length - (window.lines[index % size]?.text.length ?? 0);
      window.lines[index % size] = line;
      window.chars += more;
      this.#chars += more;
      if (offset === 0 || index % size === 0) this.#touch(number, window);
    }
    this.#letGo();
    this.#changed();
  }

  #ask(number: number, window: Window | undefined, missing: number): void {
    if (this.#asked.has(number)) return;
    this.#asked.add(number);
    const size = this.#options.windowLines;
    // All of a window that is not there at all; else from what is in view on: an answer has fewer lines than were asked for where these are long.
    const first = window === undefined ? 0 : missing;
    let end = first + 1;
    while (end < size && window?.lines[end] === undefined) end += 1;
    void this.#options.load(number * size + first, end - first).then(
      (part) => {
        this.#asked.delete(number);
        // Told as a change, an answer without lines would be asked for again, and again.
        if (part.lines.length > 0 || part.totalLines > this.#total) this.add(part);
      },
      (error: unknown) => {
        this.#asked.delete(number);
        this.#options.failed(error);
      },
    );
  }

  #touch(number: number, window: Window): void {
    this.#windows.delete(number);
    this.#windows.set(number, window);
  }

  #letGo(): void {
    const { maxWindows, maxChars } = this.#options;
    for (const [number, { chars }] of this.#windows) {
      const { size } = this.#windows;
      if (size <= maxWindows && (size <= LEAST_WINDOWS || this.#chars <= maxChars)) return;
      this.#windows.delete(number);
      this.#chars -= chars;
    }
  }

  #changed(): void {
    this.#version += 1;
    this.#options.changed();
  }
}

/** Both ends included. */
function firstMissing(window: Window | undefined, first: number, last: number): number | undefined {
  for (let index = first; index <= last; index++) if (window?.lines[index] === undefined) return index;
  return undefined;
}

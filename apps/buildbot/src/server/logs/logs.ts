import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import type { LogLines } from "../../contracts/values.ts";
import { LogFile, type LogPiece, type LogState } from "./log-file.ts";
import { type LogLine, readLog } from "./log-reader.ts";

/** What one window holds at most of text. */
const MOST_WINDOW_CHARS = 1024 * 1024;
/** What the server remembers of logs; their files are open only while they grow. */
const MOST_KNOWN = 500;
const MOST_OPEN = 100;
// oxlint-disable-next-line no-control-regex -- that is what colours are made of.
const COLOURS = /\u001B\[[\d;?]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)/g;

export interface LogsOptions {
  /** Made when the first log comes. */
  readonly folder: string;
  /** One step's log grows no larger. Default: 1 GiB. */
  readonly maxLogBytes?: number;
}

export interface LogSize {
  readonly bytes: number;
  /** The one that may still grow as well. */
  readonly lines: number;
}

/** `lines`, and how to go on. */
export interface LogWindow extends Omit<LogLines, "ended"> {
  /** The line that was not whole yet, or the one after the last. */
  readonly next: number;
}

interface Known {
  readonly file: LogFile;
  /** The last of those who append. */
  tail: Promise<unknown>;
  /** Another one whenever those who wait are told, never one that was. */
  version: number;
  readonly waiting: Set<() => void>;
  appenders: number;
  isOpen: boolean;
}

/** The logs of all steps, as files: of none is more in memory than what is being looked at. */
export class Logs {
  readonly #folder: string;
  readonly #maxLogBytes: number;
  #versions = 0;
  /** The last used at the end. */
  readonly #known = new Map<string, Known>();

  constructor({ folder, maxLogBytes = 1024 * 1024 * 1024 }: LogsOptions) {
    this.#folder = folder;
    this.#maxLogBytes = maxLogBytes;
  }

  /** The whole text, as it came; the file may be there not yet. */
  path(build: number, step: number): string {
    return join(this.#folder, String(build), `${step}.log`);
  }

  /**
   * Adds pieces, of which the first begins after `offset` bytes: what is there already is skipped, and nothing is added where that would leave a
   * gap. Gives the size that the log has then. FAILED_PRECONDITION, reason `maxLogBytes`: it is full.
   */
  async append(build: number, step: number, offset: number, pieces: readonly LogPiece[]): Promise<LogSize> {
    const known = this.#of(build, step);
    known.appenders += 1;
    const run = known.tail.then(async () => {
      const { bytes } = await known.file.state();
      const comes = pieces.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
      if (offset <= bytes && offset + comes > Math.max(bytes, this.#maxLogBytes)) {
        const message = `the log of build ${build}, step ${step}, is at its limit of ${this.#maxLogBytes} bytes: nothing is added to it any more`;
        throw new RpcError("FAILED_PRECONDITION", message, { reason: "maxLogBytes" });
      }
      known.isOpen = true;
      const state = await known.file.append(offset, pieces);
      if (state.bytes > bytes) this.#wake(known);
      return sizeOf(state);
    });
    known.tail = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      known.appenders -= 1;
      this.#letGo();
    }
  }

  async size(build: number, step: number): Promise<LogSize> {
    return sizeOf(await this.#of(build, step).file.state());
  }

  /** At most `limit` lines from `firstLine` on, fewer where they are long. */
  async lines(build: number, step: number, firstLine: number, limit: number): Promise<LogWindow> {
    const { file } = this.#of(build, step);
    const state = await file.state();
    const lines: LogLine[] = [];
    let chars = 0;
    const read = firstLine < sizeOf(state).lines ? readLog(file.path, state, firstLine) : [];
    for await (const some of read) {
      const fits = some.findIndex((line, at) => {
        chars += line.text.length;
        return lines.length + at === limit || chars > MOST_WINDOW_CHARS;
      });
      lines.push(...(fits < 0 ? some : some.slice(0, fits)));
      if (fits >= 0 || lines.length === limit) break;
    }
    const next = Math.min(firstLine + lines.length, Math.max(firstLine, state.lines));
    return { firstLine, lines, totalLines: sizeOf(state).lines, next };
  }

  /** Lines that hold the text, colours and letter case aside, the first ones of the log. */
  async search(build: number, step: number, text: string, limit: number): Promise<{ line: number; text: string }[]> {
    const { file } = this.#of(build, step);
    const wanted = text.toLowerCase();
    const found: { line: number; text: string }[] = [];
    let at = 0;
    for await (const some of readLog(file.path, await file.state(), 0)) {
      for (const line of some) {
        if (line.text.replace(COLOURS, "").toLowerCase().includes(wanted)) found.push({ line: at, text: line.text });
        if (found.length === limit) return found;
        at += 1;
      }
    }
    return found;
  }

  /** What `grown` compares with. Take it before the log is read. */
  version(build: number, step: number): number {
    return this.#of(build, step).version;
  }

  /** When the log has changed or ended since `version`, or `signal` aborts. */
  async grown(build: number, step: number, version: number, signal: AbortSignal): Promise<void> {
    const known = this.#of(build, step);
    if (known.version !== version || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        known.waiting.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      known.waiting.add(end);
      signal.addEventListener("abort", end);
    });
  }

  /** Nothing more comes: lets go of the file, and wakes those who wait. */
  async end(build: number, step: number): Promise<void> {
    const known = this.#known.get(this.path(build, step));
    if (known === undefined) return;
    this.#wake(known);
    await this.#close(known);
  }

  /** Those that have been looked at or written since the start, of one build. */
  async endAll(build: number): Promise<void> {
    const folder = join(this.#folder, String(build));
    for (const known of this.#known.values()) {
      if (!known.file.path.startsWith(`${folder}/`)) continue;
      this.#wake(known);
      await this.#close(known);
    }
  }

  /** With all its steps. */
  async remove(build: number): Promise<void> {
    await this.endAll(build);
    const folder = join(this.#folder, String(build));
    for (const path of this.#known.keys()) if (path.startsWith(`${folder}/`)) this.#known.delete(path);
    await rm(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    for (const known of this.#known.values()) await this.#close(known);
  }

  #of(build: number, step: number): Known {
    const path = this.path(build, step);
    let known = this.#known.get(path);
    if (known === undefined) {
      known = {
        file: new LogFile(path),
        tail: Promise.resolve(),
        version: (this.#versions += 1),
        waiting: new Set(),
        appenders: 0,
        isOpen: false,
      };
    } else {
      this.#known.delete(path);
    }
    this.#known.set(path, known);
    if (this.#known.size > MOST_KNOWN) this.#letGo();
    return known;
  }

  #wake(known: Known): void {
    known.version = this.#versions += 1;
    for (const resolve of known.waiting) resolve();
  }

  #close(known: Known): Promise<void> {
    known.isOpen = false;
    const closed = known.tail.then(() => known.file.close());
    known.tail = closed.catch(() => undefined);
    return closed;
  }

  #letGo(): void {
    let open = 0;
    for (const known of this.#known.values()) if (known.isOpen) open += 1;
    for (const [path, known] of this.#known) {
      if (open <= MOST_OPEN && this.#known.size <= MOST_KNOWN) return;
      if (known.appenders > 0) continue;
      if (known.isOpen) {
        open -= 1;
        void this.#close(known).catch(() => undefined);
      } else if (this.#known.size > MOST_KNOWN && known.waiting.size === 0) {
        this.#known.delete(path);
      }
    }
  }
}

function sizeOf({ bytes, lines, isAtStart }: LogState): LogSize {
  return { bytes, lines: isAtStart ? lines : lines + 1 };
}

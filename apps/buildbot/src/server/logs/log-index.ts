import type { FileHandle } from "node:fs/promises";

export const STREAMS = ["out", "err", "head"] as const;
export type LogStream = (typeof STREAMS)[number];

/** A stretch of a log that one stream wrote, up to the next one's offset. */
export interface Run {
  /** Bytes of the log before it. */
  readonly offset: number;
  /** The line that its first byte belongs to, from 0. */
  readonly line: number;
  readonly stream: LogStream;
  /** Its first byte begins that line. */
  readonly isStart: boolean;
}

/** Offset as 64 bits of a double, line as 32 bits, stream, whether it begins a line, two bytes of nothing. */
export const RUN_BYTES = 16;
const BATCH = 256;

export function encodeRuns(runs: readonly Run[]): Buffer {
  const bytes = Buffer.alloc(runs.length * RUN_BYTES);
  for (const [at, run] of runs.entries()) {
    const base = at * RUN_BYTES;
    bytes.writeDoubleLE(run.offset, base);
    bytes.writeUInt32LE(run.line, base + 8);
    bytes.writeUInt8(STREAMS.indexOf(run.stream), base + 12);
    bytes.writeUInt8(run.isStart ? 1 : 0, base + 13);
  }
  return bytes;
}

/** The runs of a log, read from its file as they are asked for: of a long log there are many. */
export class LogIndex {
  readonly count: number;
  readonly #file: FileHandle;
  #batchAt = -1;
  #batch = Buffer.alloc(0);

  constructor(file: FileHandle, count: number) {
    this.#file = file;
    this.count = count;
  }

  /** Undefined: there are not so many. */
  async run(at: number): Promise<Run | undefined> {
    if (at < 0 || at >= this.count) return undefined;
    const batchAt = at - (at % BATCH);
    if (batchAt !== this.#batchAt) {
      const bytes = Buffer.alloc(Math.min(BATCH, this.count - batchAt) * RUN_BYTES);
      await readFully(this.#file, bytes, batchAt * RUN_BYTES);
      this.#batchAt = batchAt;
      this.#batch = bytes;
    }
    const base = (at - batchAt) * RUN_BYTES;
    return {
      offset: this.#batch.readDoubleLE(base),
      line: this.#batch.readUInt32LE(base + 8),
      stream: STREAMS[this.#batch.readUInt8(base + 12)] ?? "out",
      isStart: this.#batch.readUInt8(base + 13) === 1,
    };
  }

  /** Number of the run to read from so that `line` is read from its first byte. */
  async before(line: number): Promise<number> {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = await this.run(middle);
      if (run !== undefined && run.line < line) low = middle + 1;
      else high = middle;
    }
    const run = await this.run(low);
    return run?.line === line && run.isStart ? low : Math.max(0, low - 1);
  }
}

/** Rejects when the file is shorter. */
export async function readFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let got = 0; got < bytes.length;) {
    const { bytesRead } = await file.read(bytes, got, bytes.length - got, position + got);
    if (bytesRead === 0) throw new Error("a log's file has become shorter");
    got += bytesRead;
  }
}

export async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { encodeRuns, LogIndex, type LogStream, readFully, type Run, RUN_BYTES, writeFully } from "./log-index.ts";
import type { LogExtent } from "./log-reader.ts";

/** A run is no longer, so that wherever a line is, it is found by reading so much. */
const MOST_RUN_BYTES = 64 * 1024;
const LINE_END = 10;
const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT;

export interface LogPiece {
  readonly stream: LogStream;
  readonly text: string;
}

export interface LogState extends LogExtent {
  /** Lines that have ended. */
  readonly lines: number;
  /** Nothing stands after the last line's end. */
  readonly isAtStart: boolean;
  /** Of the last run. */
  readonly stream: LogStream | undefined;
  readonly runOffset: number;
}

const EMPTY: LogState = { bytes: 0, runs: 0, lines: 0, isAtStart: true, stream: undefined, runOffset: 0 };

/** The file of one step's log, the text as it came, and beside it its index. One at a time calls what is not said to be otherwise. */
export class LogFile {
  readonly path: string;
  #state: LogState | undefined;
  #loading: Promise<LogState> | undefined;
  #text: FileHandle | undefined;
  #index: FileHandle | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** May be called at any time. */
  async state(): Promise<LogState> {
    if (this.#state !== undefined) return this.#state;
    this.#loading ??= load(this.path).finally(() => (this.#loading = undefined));
    return (this.#state = await this.#loading);
  }

  /** Adds what is behind its end of these pieces, the first of which belongs at `offset`. Nothing where that is beyond its end. */
  async append(offset: number, pieces: readonly LogPiece[]): Promise<LogState> {
    const before = await this.state();
    if (offset > before.bytes) return before;
    const { state, runs, bytes } = added(before, before.bytes - offset, pieces);
    if (bytes.length === 0) return before;
    try {
      await this.#open(before);
      // First the index: what it says of text that is not there is forgotten, but text that it does not know would belong to anybody.
      if (this.#index !== undefined) await writeFully(this.#index, encodeRuns(runs), before.runs * RUN_BYTES);
      if (this.#text !== undefined) await writeFully(this.#text, bytes, before.bytes);
    } catch (thrown) {
      // Some of it may be there: what the files say then holds.
      await this.close();
      this.#state = undefined;
      throw thrown;
    }
    return (this.#state = state);
  }

  /** Lets go of the files; they are opened again when they are needed. */
  async close(): Promise<void> {
    const [text, index] = [this.#text, this.#index];
    this.#text = undefined;
    this.#index = undefined;
    await text?.close();
    await index?.close();
  }

  async #open({ bytes, runs }: LogState): Promise<void> {
    if (this.#text !== undefined) return;
    await mkdir(dirname(this.path), { recursive: true });
    this.#text = await open(this.path, READ_WRITE_CREATE, 0o600);
    this.#index = await open(`${this.path}.idx`, READ_WRITE_CREATE, 0o600);
    // What a crash has left half done.
    await this.#text.truncate(bytes);
    await this.#index.truncate(runs * RUN_BYTES);
  }
}

function added(
  before: LogState,
  known: number,
  pieces: readonly LogPiece[],
): { state: LogState; runs: Run[]; bytes: Buffer } {
  let { bytes: position, lines, isAtStart, stream, runOffset } = before;
  let skip = known;
  const runs: Run[] = [];
  const parts: Buffer[] = [];
  for (const piece of pieces) {
    let rest = Buffer.from(piece.text);
    const skipped = Math.min(skip, rest.length);
    skip -= skipped;
    rest = rest.subarray(skipped);
    while (rest.length > 0) {
      if (piece.stream !== stream || position - runOffset >= MOST_RUN_BYTES) {
        if (piece.stream !== stream && !isAtStart) {
          lines += 1;
          isAtStart = true;
        }
        ({ stream } = piece);
        runOffset = position;
        runs.push({ offset: position, line: lines, stream, isStart: isAtStart });
      }
      const part = rest.subarray(0, MOST_RUN_BYTES - (position - runOffset));
      lines += lineEnds(part);
      isAtStart = part.at(-1) === LINE_END;
      position += part.length;
      parts.push(part);
      rest = rest.subarray(part.length);
    }
  }
  const state = { bytes: position, runs: before.runs + runs.length, lines, isAtStart, stream, runOffset };
  return { state, runs, bytes: Buffer.concat(parts) };
}

async function load(path: string): Promise<LogState> {
  const text = await openIfThere(path);
  if (text === undefined) return EMPTY;
  try {
    const index = await openIfThere(`${path}.idx`);
    if (index === undefined) return EMPTY;
    try {
      return await stateOf(text, index);
    } finally {
      await index.close();
    }
  } finally {
    await text.close();
  }
}

async function stateOf(text: FileHandle, file: FileHandle): Promise<LogState> {
  const size = await wholeCharacters(text, (await text.stat()).size);
  const index = new LogIndex(file, Math.floor((await file.stat()).size / RUN_BYTES));
  let runs = index.count;
  let last = await index.run(runs - 1);
  while (last !== undefined && last.offset >= size) {
    runs -= 1;
    last = await index.run(runs - 1);
  }
  if (last === undefined) return EMPTY;
  let lines = last.line;
  let isAtStart = false;
  const block = Buffer.allocUnsafe(MOST_RUN_BYTES);
  for (let position = last.offset; position < size; position += block.length) {
    const bytes = block.subarray(0, Math.min(block.length, size - position));
    await readFully(text, bytes, position);
    lines += lineEnds(bytes);
    isAtStart = bytes.at(-1) === LINE_END;
  }
  return { bytes: size, runs, lines, isAtStart, stream: last.stream, runOffset: last.offset };
}

/** Without the beginning of a character at its end: who sends it again begins with a whole one. */
async function wholeCharacters(text: FileHandle, size: number): Promise<number> {
  const bytes = Buffer.alloc(Math.min(4, size));
  await readFully(text, bytes, size - bytes.length);
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return size;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? size - back : size;
  }
  return size;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}

function lineEnds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) count += 1;
  return count;
}

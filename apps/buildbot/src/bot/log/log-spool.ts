import { type FileHandle, open } from "node:fs/promises";

export type LogStream = "out" | "err" | "head";

export interface LogPiece {
  readonly stream: LogStream;
  readonly text: string;
}

const STREAMS: readonly LogStream[] = ["out", "err", "head"];
/** A record is one byte for the stream, the length of its text as 32 bits, and the text. */
const HEAD_BYTES = 5;
/** So much is read at once to find records. */
const READ_BYTES = 256 * 1024;
const MOST_PIECES = 1000;
/** What may wait in memory for the disk. */
const MOST_UNWRITTEN = 1024 * 1024;

export interface LogSpoolOptions {
  /** What may wait for the server. */
  readonly maxUnsentBytes: number;
  /** Hears once that the disk takes no more. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/**
 * A step's log as a file of the bot: what the server has not got yet, or may ask for again, is not in memory. Offsets count the bytes of the
 * text alone. One reader, one writer.
 */
export class LogSpool {
  readonly #path: string;
  readonly #options: LogSpoolOptions;
  #file: FileHandle | undefined;
  #unwritten: Buffer[] = [];
  #unwrittenBytes = 0;
  #writing: Promise<void> | undefined;
  /** Of the file, whole records. */
  #fileBytes = 0;
  #size = 0;
  #written = 0;
  #acknowledged = 0;
  #failure: Error | undefined;
  #waiting: (() => void)[] = [];
  /** Where the reader is: a record begins there. */
  #reader = { fileAt: 0, offset: 0 };

  constructor(path: string, options: LogSpoolOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** One that an earlier process has left, to be read; without its last record, where that is not whole. Undefined: there is none. */
  static async reopen(path: string): Promise<LogSpool | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    const spool = new LogSpool(path, { maxUnsentBytes: Number.POSITIVE_INFINITY });
    spool.#file = file;
    try {
      ({ fileBytes: spool.#fileBytes, textBytes: spool.#size } = await measured(file));
    } catch (error) {
      await file.close();
      throw error;
    }
    spool.#written = spool.#size;
    return spool;
  }

  /** Bytes that have been appended, whether or not they are on the disk. */
  get size(): number {
    return this.#size;
  }

  /** Why nothing is kept any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** A promise: too much waits for the disk or for the server; come back then. It never rejects. */
  append(stream: LogStream, text: string): Promise<void> | undefined {
    if (text === "" || this.#failure !== undefined) return undefined;
    const bytes = Buffer.from(text);
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.writeUInt8(STREAMS.indexOf(stream), 0);
    head.writeUInt32LE(bytes.length, 1);
    this.#unwritten.push(head, bytes);
    this.#unwrittenBytes += bytes.length;
    this.#size += bytes.length;
    this.#writing ??= this.#write();
    return this.#isFull ? new Promise((resolve) => this.#waiting.push(resolve)) : undefined;
  }

  /** When all that was appended until now is on the disk, or never will be. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** The server has so much: what waits for that goes on. */
  acknowledge(offset: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#letGo();
  }

  /** Nobody wants any of it any more: nothing is kept, and nobody waits. */
  discard(): void {
    this.#failure ??= new Error("nobody takes the log");
    this.#letGo();
  }

  /** What stands from `offset` on, about `maxBytes` of it; nothing, at the end of what is on the disk. */
  async read(offset: number, maxBytes: number): Promise<LogPiece[]> {
    await this.flush();
    if (offset < this.#reader.offset) this.#reader = { fileAt: 0, offset: 0 };
    const pieces: { stream: LogStream; parts: Buffer[] }[] = [];
    let took = 0;
    let block: Buffer = Buffer.alloc(0);
    let blockAt = this.#reader.fileAt;
    const bytesAt = async (at: number, length: number): Promise<Buffer> => {
      if (at < blockAt || at + length > blockAt + block.length) {
        block = await this.#readFile(at, Math.max(length, READ_BYTES));
        blockAt = at;
      }
      return block.subarray(at - blockAt, at - blockAt + length);
    };
    while (took < maxBytes && this.#reader.fileAt < this.#fileBytes) {
      const head = await bytesAt(this.#reader.fileAt, HEAD_BYTES);
      const stream = STREAMS[head.readUInt8(0)] ?? "out";
      const length = head.readUInt32LE(1);
      const skip = Math.max(0, offset - this.#reader.offset);
      if (skip < length) {
        const last = pieces.at(-1);
        if (last?.stream !== stream && pieces.length === MOST_PIECES) break;
        // A copy: the block is read anew.
        const text = Buffer.from((await bytesAt(this.#reader.fileAt + HEAD_BYTES, length)).subarray(skip));
        if (last?.stream === stream) last.parts.push(text);
        else pieces.push({ stream, parts: [text] });
        took += text.length;
      }
      this.#reader = { fileAt: this.#reader.fileAt + HEAD_BYTES + length, offset: this.#reader.offset + length };
    }
    return pieces.map(({ stream, parts }) => ({ stream, text: Buffer.concat(parts).toString("utf8") }));
  }

  /** Nothing is appended or read after it. The file stays. */
  async close(): Promise<void> {
    await this.flush();
    this.#failure ??= new Error("the log is closed");
    this.#letGo();
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  get #isFull(): boolean {
    return (
      this.#failure === undefined &&
      (this.#unwrittenBytes > MOST_UNWRITTEN || this.#size - this.#acknowledged > this.#options.maxUnsentBytes)
    );
  }

  async #write(): Promise<void> {
    try {
      this.#file ??= await open(this.#path, "w+", 0o600);
      while (this.#unwritten.length > 0) {
        const batch = Buffer.concat(this.#unwritten);
        const textBytes = this.#unwrittenBytes;
        this.#unwritten = [];
        await writeAll(this.#file, batch, this.#fileBytes);
        this.#fileBytes += batch.length;
        this.#written += textBytes;
        this.#unwrittenBytes -= textBytes;
        this.#letGo();
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#unwritten = [];
      this.#unwrittenBytes = 0;
      this.#size = this.#written;
      this.#options.onFailure?.(this.#failure);
    } finally {
      this.#writing = undefined;
      this.#letGo();
    }
  }

  async #readFile(at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(length, this.#fileBytes - at));
    let got = 0;
    while (got < buffer.length) {
      const { bytesRead } = (await this.#file?.read(buffer, got, buffer.length - got, at + got)) ?? { bytesRead: 0 };
      if (bytesRead === 0) throw new Error(`${this.#path} has become shorter`);
      got += bytesRead;
    }
    return buffer;
  }

  #letGo(): void {
    if (this.#isFull) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

async function measured(file: FileHandle): Promise<{ readonly fileBytes: number; readonly textBytes: number }> {
  const { size } = await file.stat();
  const block = Buffer.allocUnsafe(READ_BYTES);
  let blockAt = 0;
  let blockBytes = 0;
  let fileBytes = 0;
  let textBytes = 0;
  while (fileBytes + HEAD_BYTES <= size) {
    if (fileBytes + HEAD_BYTES > blockAt + blockBytes) {
      blockAt = fileBytes;
      ({ bytesRead: blockBytes } = await file.read(block, 0, READ_BYTES, blockAt));
      if (blockBytes < HEAD_BYTES) break;
    }
    const length = block.readUInt32LE(fileBytes - blockAt + 1);
    if (fileBytes + HEAD_BYTES + length > size) break;
    fileBytes += HEAD_BYTES + length;
    textBytes += length;
  }
  return { fileBytes, textBytes };
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

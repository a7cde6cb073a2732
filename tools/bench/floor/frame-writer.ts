import type { Socket } from "node:net";

const CHUNK_BYTES = 64 * 1024;
/** From here on copying costs more than a write of its own. */
const COPY_LIMIT_BYTES = 8 * 1024;

/**
 * Gathers all frames of one tick into one write.
 * A frame is a 4-byte big-endian length, a 4-byte call id and the payload; the length counts id and payload.
 */
export class FrameWriter {
  readonly #socket: Socket;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  #flushScheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Appends `source[from..to)` as one frame. */
  append(callId: number, source: Uint8Array, from = 0, to: number = source.length): void {
    const payloadBytes = to - from;
    const isCopied = payloadBytes <= COPY_LIMIT_BYTES;
    this.#reserve(8 + (isCopied ? payloadBytes : 0));
    const chunk = this.#chunk;
    let end = this.#end;
    end = writeUint32(chunk, payloadBytes + 4, end);
    end = writeUint32(chunk, callId, end);
    if (isCopied) {
      chunk.set(from === 0 && to === source.length ? source : source.subarray(from, to), end);
      this.#end = end + payloadBytes;
    } else {
      this.#end = end;
      if (this.#socket.writableCorked === 0) this.#socket.cork();
      this.#writeGathered();
      this.#socket.write(source.subarray(from, to));
    }
    this.#scheduleFlush();
  }

  flush(): void {
    this.#flushScheduled = false;
    this.#writeGathered();
    if (this.#socket.writableCorked > 0) this.#socket.uncork();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(flushWriter, this);
  }

  #reserve(byteCount: number): void {
    if (this.#end + byteCount <= CHUNK_BYTES) return;
    this.#writeGathered();
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#start = 0;
    this.#end = 0;
  }

  /** The written part belongs to the socket now; the next frames go behind it. */
  #writeGathered(): void {
    if (this.#start === this.#end) return;
    this.#socket.write(this.#chunk.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

function flushWriter(writer: FrameWriter): void {
  writer.flush();
}

function writeUint32(target: Uint8Array, value: number, at: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

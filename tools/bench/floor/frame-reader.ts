const LENGTH_BYTES = 4;

/** Gets one frame in place: the payload is `bytes[start..end)`, valid during the call only. */
export type FrameReceiver = (callId: number, bytes: Buffer, start: number, end: number) => void;

/** Cuts a byte stream into frames; a frame that spans chunks is copied once into a buffer of its own size. */
export class FrameReader {
  readonly #receive: FrameReceiver;
  #spanning: Buffer | undefined;
  #filledBytes = 0;
  #remainder: Buffer | undefined;

  constructor(receive: FrameReceiver) {
    this.#receive = receive;
  }

  push(received: Buffer): void {
    let bytes = received;
    let offset = 0;
    if (this.#spanning !== undefined) {
      offset = this.#continueSpanning(this.#spanning, bytes);
      if (this.#spanning !== undefined) return;
    } else if (this.#remainder !== undefined) {
      bytes = Buffer.concat([this.#remainder, bytes]);
      this.#remainder = undefined;
    }
    while (bytes.length - offset >= LENGTH_BYTES) {
      const frameBytes = readUint32(bytes, offset);
      offset += LENGTH_BYTES;
      const end = offset + frameBytes;
      if (end > bytes.length) {
        this.#startSpanning(frameBytes, bytes, offset);
        return;
      }
      this.#deliver(bytes, offset, end);
      offset = end;
    }
    if (offset < bytes.length) this.#remainder = bytes.subarray(offset);
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    this.#receive(readUint32(bytes, start), bytes, start + 4, end);
  }

  #startSpanning(frameBytes: number, bytes: Buffer, from: number): void {
    this.#spanning = Buffer.allocUnsafe(frameBytes);
    this.#filledBytes = bytes.copy(this.#spanning, 0, from);
  }

  /** Returns how many bytes of the chunk belonged to the spanning frame. */
  #continueSpanning(frame: Buffer, bytes: Buffer): number {
    const usedBytes = bytes.copy(frame, this.#filledBytes, 0, Math.min(frame.length - this.#filledBytes, bytes.length));
    this.#filledBytes += usedBytes;
    if (this.#filledBytes === frame.length) {
      this.#spanning = undefined;
      this.#deliver(frame, 0, frame.length);
    }
    return usedBytes;
  }
}

function readUint32(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

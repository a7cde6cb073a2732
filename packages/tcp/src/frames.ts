// One frame: N as uint32, big-endian, and N bytes, 1 <= N <= limit. See docs/wire/envelope.md.

/** Bytes in front of every message. */
export const HEADER_BYTES = 4;

/** Writes the header of a message of `length` bytes. */
export function writeHeader(into: Uint8Array, at: number, length: number): void {
  into[at] = length >>> 24;
  into[at + 1] = length >>> 16;
  into[at + 2] = length >>> 8;
  into[at + 3] = length;
}

/**
 * Cuts a byte stream into messages: `feed` a chunk, then take messages with `next` until it returns undefined. Pulling lets the
 * owner stop between two messages of one chunk, to let others have their turn or because it was closed.
 *
 * A message inside one chunk is a view on the chunk. A message over several chunks is collected and joined once, when its last
 * byte is there, so nothing is ever allocated by an announced length (H06) and no byte is copied more than twice (H01).
 */
export class FrameReader {
  /** Largest message from the next header on. */
  limitBytes: number;
  /** How many messages were taken. */
  count = 0;
  /** What was wrong with a header. Nothing can be read after it, because nobody knows where the next message begins. */
  broken: string | undefined;

  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** Bytes of a header that was cut, and their value so far. */
  #headerBytes = 0;
  #headerValue = 0;
  /** Announced by a header whose body is not complete yet; 0 while no body is under way. */
  #wantedBytes = 0;
  #pieces: PieceList | undefined;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Gives the next chunk of the stream. The previous one must be used up. */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next message, or undefined when more bytes are needed or the stream is {@link FrameReader.broken}. */
  next(): Uint8Array | undefined {
    if (this.broken !== undefined) return undefined;
    const chunk = this.#chunk;
    const end = chunk.length;
    const at = this.#at;
    if (this.#wantedBytes === 0) {
      if (this.#headerBytes !== 0 || end - at < HEADER_BYTES) return this.#header();
      const length =
        (((chunk[at] ?? 0) << 24) |
          ((chunk[at + 1] ?? 0) << 16) |
          ((chunk[at + 2] ?? 0) << 8) |
          (chunk[at + 3] ?? 0)) >>>
        0;
      if (length === 0 || length > this.limitBytes) return this.#break(length);
      const start = at + HEADER_BYTES;
      if (end - start >= length) {
        this.#at = start + length;
        this.count++;
        return new Uint8Array(chunk.buffer, chunk.byteOffset + start, length);
      }
      this.#wantedBytes = length;
      this.#at = start;
    }
    return this.#body();
  }

  /** Whether messages, or bytes of one, are left in the chunk that was fed last. */
  get hasUnread(): boolean {
    return this.#at < this.#chunk.length;
  }

  /** Whether a message has begun whose end is not here. */
  get isPartial(): boolean {
    return this.#wantedBytes !== 0 || this.#headerBytes !== 0;
  }

  /** How far the begun message is, for the report of its loss. */
  get progress(): string {
    if (this.#wantedBytes === 0) return `${this.#headerBytes} of ${HEADER_BYTES} bytes of a header`;
    return `${this.#pieces?.bytes ?? 0} of ${this.#wantedBytes} bytes`;
  }

  /** A header of which a part is in an earlier chunk, or will be in a later one. */
  #header(): Uint8Array | undefined {
    while (this.#headerBytes < HEADER_BYTES) {
      if (this.#at >= this.#chunk.length) return this.#needMore();
      // Multiplied, not shifted: a shift makes lengths from 2^31 on negative.
      this.#headerValue = this.#headerValue * 256 + (this.#chunk[this.#at++] ?? 0);
      this.#headerBytes++;
    }
    const length = this.#headerValue;
    if (length === 0 || length > this.limitBytes) return this.#break(length);
    this.#headerBytes = 0;
    this.#headerValue = 0;
    this.#wantedBytes = length;
    return this.#body();
  }

  /** A body whose header is read. */
  #body(): Uint8Array | undefined {
    const { buffer, byteOffset, length: end } = this.#chunk;
    const have = this.#pieces?.bytes ?? 0;
    const taken = Math.min(this.#wantedBytes - have, end - this.#at);
    const piece = new Uint8Array(buffer, byteOffset + this.#at, taken);
    this.#at += taken;
    if (have + taken < this.#wantedBytes) {
      if (taken > 0) (this.#pieces ??= new PieceList()).add(piece);
      return this.#needMore();
    }
    const message = this.#pieces === undefined ? piece : this.#pieces.join(piece);
    this.#pieces = undefined;
    this.#wantedBytes = 0;
    this.count++;
    return message;
  }

  /** Lets the used chunk go: an idle connection must not hold 64 KiB. */
  #needMore(): undefined {
    this.#chunk = NOTHING;
    this.#at = 0;
    return undefined;
  }

  #break(length: number): undefined {
    const stranger = this.count === 0 ? foreignProtocol(length) : undefined;
    if (length === 0) this.broken = "a frame has length 0";
    else if (stranger !== undefined) this.broken = `the peer does not speak our protocol but ${stranger}`;
    else this.broken = `a message of ${length} bytes is announced and the limit is ${this.limitBytes}`;
    this.#pieces = undefined;
    return this.#needMore();
  }
}

const NOTHING = new Uint8Array(0);

/** The pieces of one message that came in several chunks. */
class PieceList {
  bytes = 0;
  readonly #pieces: Uint8Array[] = [];
  /** The last piece when it is our own block, and how much of it is used. */
  #block: Uint8Array | undefined;
  #used = 0;

  add(piece: Uint8Array): void {
    this.bytes += piece.length;
    // A view costs about 100 bytes and keeps its chunk; a peer that sends byte by byte must not make us hold a hundred times
    // what it sent (H01, H07). So from the third piece on, small ones move into blocks of fixed size.
    if (this.#block === undefined && (this.#pieces.length < 2 || piece.length >= SMALL_PIECE_BYTES)) {
      this.#pieces.push(piece);
      return;
    }
    let rest = piece;
    while (rest.length > 0) {
      if (this.#block === undefined) {
        if (rest.length >= SMALL_PIECE_BYTES) {
          this.#pieces.push(rest);
          return;
        }
        this.#block = new Uint8Array(BLOCK_BYTES);
        this.#used = 0;
      }
      const fits = rest.subarray(0, BLOCK_BYTES - this.#used);
      this.#block.set(fits, this.#used);
      this.#used += fits.length;
      rest = rest.subarray(fits.length);
      if (this.#used === BLOCK_BYTES) this.#finishBlock();
    }
  }

  join(last: Uint8Array): Uint8Array {
    this.#finishBlock();
    // Not zeroed, because every byte is written below; slow, so that it is no part of Node's shared pool.
    const memory = Buffer.allocUnsafeSlow(this.bytes + last.length);
    const message = new Uint8Array(memory.buffer, memory.byteOffset, memory.length);
    let at = 0;
    for (const piece of this.#pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    message.set(last, at);
    return message;
  }

  #finishBlock(): void {
    if (this.#block === undefined) return;
    this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = undefined;
  }
}

const SMALL_PIECE_BYTES = 1024;
const BLOCK_BYTES = 4096;

/** What the first four bytes of the usual strangers mean (H09); helps whoever reads the log. */
function foreignProtocol(header: number): string | undefined {
  const text = String.fromCharCode(header >>> 24, (header >>> 16) & 255, (header >>> 8) & 255, header & 255);
  if (/^(GET |POST|PUT |HEAD|DELE|OPTI|PATC|CONN|PRI )/.test(text)) return "HTTP";
  if (text === "SSH-") return "SSH";
  if (text.startsWith("\u0016\u0003")) return "TLS; should this endpoint be tcps://?";
  return undefined;
}

import { RpcError } from "@rpc/core";
import { unreadable } from "./unreadable.ts";

/** Headers by their lower-case names; several of one name are joined as HTTP says. */
export type ReplyHeaders = Readonly<Record<string, string | undefined>>;

/** An answer as it came. */
export interface RawReply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
  /** Whether the connection may carry another request. */
  readonly keepsAlive: boolean;
}

/** Longest status line and headers, and trailers, as in Node. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Longest line that gives the size of a chunk, its extensions included. */
const MAX_CHUNK_LINE = 1_024;
/** Most interim answers (102 Processing, say) before the one that counts. */
const MAX_INTERIM = 1_000;
/** Parts of a body below this size are copied together: alone each would cost a hundred bytes, and hold what it was read with. */
const SMALL_PART = 1_024;
const PAGE_BYTES = 16 * 1024;

type State = "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "until-end";

interface Head {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly rawHeaders: readonly string[];
  readonly keepsAlive: boolean;
}

/**
 * Reads one answer of HTTP/1.1 out of the bytes of a connection. Where two readers could differ about where it ends, it refuses: two lengths, a
 * length beside chunks, folded headers, bare line feeds. Throws INTERNAL for what is no HTTP, RESOURCE_EXHAUSTED beyond `maxBodyBytes`.
 */
export class HttpReader {
  readonly #maxBodyBytes: number;
  #state: State = "head";
  #head: Head | undefined = undefined;
  /** What came of a line or a head that is not complete. */
  #rest: Buffer | undefined = undefined;
  #chunks: Buffer[] = [];
  /** Where small parts are copied to; those between the two places are not among the chunks yet. */
  #page: Buffer | undefined = undefined;
  #pageStart = 0;
  #pageEnd = 0;
  #length = 0;
  #interim = 0;
  /** Bytes of the body, or of the chunk, that are still to come. */
  #missing = 0;
  /** Whether anything has come. */
  started = false;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Takes what came next; gives the answer when it is complete. What follows it belongs to nobody, so the connection ends. */
  read(received: Buffer): RawReply | undefined {
    this.started = true;
    let bytes = received;
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, received]);
      this.#rest = undefined;
    }
    let at = 0;
    while (at < bytes.length || this.#state === "length") {
      const next = this.#step(bytes, at);
      if (next === undefined) {
        this.#rest = at === 0 ? bytes : bytes.subarray(at);
        return undefined;
      }
      if (next < 0) return this.#reply(-next - 1 < bytes.length);
      at = next;
      if (this.#state === "length" && at >= bytes.length && this.#missing > 0) return undefined;
    }
    return undefined;
  }

  /** The connection has ended; gives the answer where that is its end. */
  end(): RawReply | undefined {
    return this.#state === "until-end" ? this.#reply(true) : undefined;
  }

  /** Reads from `at` on; gives where it stopped, −1 − that when the answer is complete, undefined when more has to come first. */
  #step(bytes: Buffer, at: number): number | undefined {
    switch (this.#state) {
      case "head":
        return this.#readHead(bytes, at);
      case "length":
        return this.#readLength(bytes, at);
      case "until-end":
        this.#take(bytes.subarray(at));
        return bytes.length;
      case "chunk-size":
        return this.#readChunkSize(bytes, at);
      case "chunk": {
        const end = Math.min(bytes.length, at + this.#missing);
        this.#take(bytes.subarray(at, end));
        this.#missing -= end - at;
        if (this.#missing === 0) this.#state = "chunk-end";
        return end;
      }
      case "chunk-end":
        if (bytes.length - at < 2) return undefined;
        if (bytes[at] !== CR || bytes[at + 1] !== LF) throw unreadable("a chunk of the answer has the wrong length");
        this.#state = "chunk-size";
        return at + 2;
      case "trailers":
        return this.#readTrailer(bytes, at);
      default:
        return this.#state satisfies never;
    }
  }

  #readHead(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf("\r\n\r\n", at, "latin1");
    if (end < 0 ? bytes.length - at > MAX_HEAD_BYTES : end - at > MAX_HEAD_BYTES)
      throw unreadable(`the headers of the answer are longer than ${MAX_HEAD_BYTES} bytes`);
    if (end < 0) {
      // Soon enough to tell a server of another kind, which may say no more.
      if (bytes.length - at >= 5 && bytes.toString("latin1", at, at + 5) !== "HTTP/") throw notHttp();
      const lineEnd = bytes.indexOf(LF, at);
      // Such a head never ends, however long one waits.
      if (lineEnd >= 0 && bytes[lineEnd - 1] !== CR) throw unreadable("a header of the answer is none");
      return undefined;
    }
    const head = parseHead(bytes.toString("latin1", at, end));
    // 100 Continue, 103 Early Hints: the answer itself follows. A switch of protocols was not asked for.
    if (head.status === 101) throw unreadable("the server switches to another protocol, unasked");
    if (head.status < 200) {
      if (++this.#interim > MAX_INTERIM) throw unreadable(`more than ${MAX_INTERIM} interim answers and no answer`);
      return end + 4;
    }
    this.#head = head;
    this.#expectBody(head);
    return end + 4;
  }

  #expectBody({ status, headers }: Head): void {
    const length = headers["content-length"];
    const coding = headers["transfer-encoding"];
    this.#state = "length";
    if (status === 204 || status === 304) return;
    if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked" || length !== undefined)
        throw unreadable("the answer does not say clearly how long it is");
      this.#state = "chunk-size";
      return;
    }
    if (length === undefined) {
      this.#state = "until-end";
      return;
    }
    if (!/^\d{1,15}$/.test(length)) throw unreadable("the answer does not say clearly how long it is");
    this.#missing = Number(length);
    if (this.#missing > this.#maxBodyBytes) throw this.#tooLarge();
  }

  #readLength(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#missing);
    if (end > at) this.#take(bytes.subarray(at, end));
    this.#missing -= end - at;
    return this.#missing === 0 ? -1 - end : end;
  }

  #readChunkSize(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf("\r\n", at, "latin1");
    if (end < 0 ? bytes.length - at > MAX_CHUNK_LINE : end - at > MAX_CHUNK_LINE)
      throw unreadable("a chunk of the answer has no size");
    if (end < 0) return undefined;
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)/.exec(bytes.toString("latin1", at, end))?.[1];
    if (size === undefined) throw unreadable("a chunk of the answer has no size");
    this.#missing = Number.parseInt(size, 16);
    if (this.#length + this.#missing > this.#maxBodyBytes) throw this.#tooLarge();
    this.#state = this.#missing === 0 ? "trailers" : "chunk";
    return end + 2;
  }

  #readTrailer(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf("\r\n", at, "latin1");
    if (end < 0) {
      if (bytes.length - at > MAX_HEAD_BYTES) throw unreadable("the answer has trailers without end");
      return undefined;
    }
    this.#missing += end - at;
    if (this.#missing > MAX_HEAD_BYTES) throw unreadable("the answer has trailers without end");
    // An empty line is the end; what trailers say is not looked at.
    return end === at ? -1 - (end + 2) : end + 2;
  }

  #take(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#maxBodyBytes) throw this.#tooLarge();
    if (part.length >= SMALL_PART || this.#chunks.length === 0) {
      this.#takePage();
      this.#chunks.push(part);
      return;
    }
    if (this.#page === undefined || this.#page.length - this.#pageEnd < part.length) {
      this.#takePage();
      this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
      this.#pageStart = 0;
      this.#pageEnd = 0;
    }
    this.#pageEnd += part.copy(this.#page, this.#pageEnd);
  }

  /** What was copied goes in front of what comes next. */
  #takePage(): void {
    if (this.#page === undefined || this.#pageStart === this.#pageEnd) return;
    this.#chunks.push(this.#page.subarray(this.#pageStart, this.#pageEnd));
    this.#pageStart = this.#pageEnd;
  }

  #reply(hasMore: boolean): RawReply {
    const head = this.#head;
    if (head === undefined) throw notHttp();
    this.#takePage();
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#length);
    const { status, headers, rawHeaders } = head;
    return { status, headers, rawHeaders, body, keepsAlive: head.keepsAlive && !hasMore };
  }

  #tooLarge(): RpcError {
    const message = `the answer is larger than ${this.#maxBodyBytes} bytes`;
    return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxReplyBytes", delivered: "unknown" });
  }
}

const CR = 13;
const LF = 10;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function parseHead(text: string): Head {
  const lines = text.split("\r\n");
  const line = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0] ?? "");
  if (line === null) throw notHttp();
  const headers = Object.create(null) as Record<string, string>;
  const rawHeaders: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    const each = lines[i] ?? "";
    const colon = each.indexOf(":");
    const name = each.slice(0, Math.max(0, colon));
    const value = each.slice(colon + 1).trim();
    if (!TOKEN.test(name) || /[\n\r\0]/.test(value)) throw unreadable("a header of the answer is none");
    rawHeaders.push(name, value);
    const key = name.toLowerCase();
    const before = headers[key];
    // Two lengths that are equal are one, as RFC 9112 lets a client take them.
    if (before === undefined || (key === "content-length" && before === value)) headers[key] = value;
    else headers[key] = `${before}, ${value}`;
  }
  return {
    status: Number(line[2]),
    headers,
    rawHeaders,
    keepsAlive: keepsAlive(line[1] === "1", headers["connection"]),
  };
}

function keepsAlive(isLater: boolean, connection: string | undefined): boolean {
  if (connection === undefined) return isLater;
  const words = connection.toLowerCase();
  return isLater ? !words.includes("close") : words.includes("keep-alive");
}

function notHttp(): RpcError {
  return unreadable("the answer is no HTTP; is it the right URL?");
}

import { gunzip, gzipSync, inflate } from "node:zlib";
import type { Duplex } from "node:stream";
import { RpcError } from "@rpc/core";
import { type ConnectionOwner, dialerTo, type Exchange, HttpConnection } from "./http-connection.ts";
import type { RawReply, ReplyHeaders } from "./http-reader.ts";
import type { ClientSettings, Target } from "./options.ts";
import { unreadable } from "./unreadable.ts";

/** A whole answer. */
export interface HttpReply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Decompressed. */
  readonly body: Uint8Array;
}

/** Who sends one request, and hears what becomes of it: exactly one of `replied` and `failed`. */
export interface Sender {
  /** Whether it may be sent a second time when the first may have arrived. */
  readonly repeatable: boolean;
  /** The whole request is in the hands of the system. */
  handedOver(): void;
  replied(reply: HttpReply): void;
  /** `sent`: the whole request may have arrived. An RpcError is what the answer itself has earned. */
  failed(error: Error, sent: boolean): void;
}

/** A request on its way. */
export interface Posting {
  /** Whether the whole request may have arrived. */
  readonly sent: boolean;
  /** Nobody waits any more: the connection is closed, by which the server learns it. The sender hears nothing further. */
  abandon(): void;
}

/** Idle connections that may turn out to be dead one after the other. */
const MAX_TRIES = 4;
/** A server's own word on how long it keeps an idle connection is believed, less what a request needs to get there. */
const HINT_MARGIN_MS = 1_000;

/** Connections to one server that are kept and used again. Node's own agent and its requests cost three times as much as a small call. */
export class HttpPool implements ConnectionOwner {
  readonly #settings: ClientSettings;
  readonly #dial: () => Duplex;
  readonly #start: string;
  readonly #connections = new Set<HttpConnection>();
  /** The last one used is used first: the others grow old and are closed. */
  readonly #idle: HttpConnection[] = [];
  readonly #waiting = new Set<Attempts>();
  #sweep: ReturnType<typeof setTimeout> | undefined = undefined;
  #isOver = false;

  constructor(target: Target, settings: ClientSettings) {
    this.#settings = settings;
    this.#dial = dialerTo(target, settings.tls);
    this.#start = `Host: ${target.url.host}\r\n`;
  }

  /** Sends one request. `headers`: lines of a head, each with its end, without Host and Content-Length. */
  post(path: string, headers: string, text: string, sender: Sender): Posting {
    const { gzipRequestsFromBytes, maxReplyBytes } = this.#settings;
    let body: string | Uint8Array = text;
    let more = "";
    if (gzipRequestsFromBytes > 0 && text.length >= gzipRequestsFromBytes) {
      body = gzipSync(text, { level: 1 });
      more = "Content-Encoding: gzip\r\n";
    }
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const head = `POST ${path} HTTP/1.1\r\n${this.#start}${headers}${more}Content-Length: ${length}\r\n\r\n`;
    const attempts = new Attempts(this, head, body, maxReplyBytes, sender);
    this.carry(attempts);
    return attempts;
  }

  /** Gives a request to a connection, now or when one is free. */
  carry(attempts: Attempts): void {
    const connection = this.#idleOne();
    if (connection !== undefined) return attempts.travel(connection);
    if (this.#connections.size >= this.#settings.maxConnections) {
      this.#waiting.add(attempts);
      return;
    }
    let opened: HttpConnection;
    try {
      opened = new HttpConnection(this.#dial(), this, this.#settings.maxReplyBytes);
    } catch (thrown) {
      return attempts.broken(thrown instanceof Error ? thrown : new Error("no socket"), false);
    }
    this.#connections.add(opened);
    attempts.travel(opened);
  }

  forget(attempts: Attempts): void {
    this.#waiting.delete(attempts);
  }

  free(connection: HttpConnection, hint: string | undefined): void {
    const next = this.#nextWaiting();
    if (next !== undefined) return next.travel(connection);
    const announced = /(?:^|[\s,])timeout=(\d{1,6})/.exec(hint ?? "")?.[1];
    const { idleTimeoutMs } = this.#settings;
    const idleMs =
      announced === undefined ? idleTimeoutMs : Math.min(idleTimeoutMs, Number(announced) * 1_000 - HINT_MARGIN_MS);
    connection.rest(performance.now(), idleMs);
    this.#idle.push(connection);
    this.#watchIdle();
  }

  closed(connection: HttpConnection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#isOver || this.#connections.size >= this.#settings.maxConnections) return;
    const next = this.#nextWaiting();
    if (next !== undefined) this.carry(next);
  }

  /** Closes every connection, those in use as well. */
  destroy(): void {
    this.#isOver = true;
    clearTimeout(this.#sweep);
    for (const connection of this.#connections) connection.destroy();
  }

  #nextWaiting(): Attempts | undefined {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      return next;
    }
    return undefined;
  }

  #idleOne(): HttpConnection | undefined {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      if (performance.now() - last.idleSince < last.idleMs) return last;
      last.destroy();
    }
    return undefined;
  }

  /** One timer for all of them, of the process's own clock: it is the network's time that is meant, and it keeps no program alive. */
  #watchIdle(): void {
    if (this.#sweep !== undefined) return;
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined;
      const now = performance.now();
      // Taken out first: an ending connection leaves the list that is read.
      for (const each of this.#idle.filter((idle) => now - idle.idleSince >= idle.idleMs)) each.destroy();
      if (this.#idle.length > 0) this.#watchIdle();
    }, this.#settings.idleTimeoutMs);
    this.#sweep.unref();
  }
}

/** One request, and its repetition when a connection that had been idle turns out to be dead. */
class Attempts implements Posting, Exchange {
  readonly head: string;
  readonly body: string | Uint8Array;
  readonly #pool: HttpPool;
  readonly #maxReplyBytes: number;
  readonly #sender: Sender;
  #connection: HttpConnection | undefined = undefined;
  #tries = 0;
  #arrived = false;
  /** A try before this one may have arrived. */
  #sentBefore = false;
  #over = false;

  constructor(pool: HttpPool, head: string, body: string | Uint8Array, maxReplyBytes: number, sender: Sender) {
    this.#pool = pool;
    this.head = head;
    this.body = body;
    this.#maxReplyBytes = maxReplyBytes;
    this.#sender = sender;
  }

  get sent(): boolean {
    return this.#sentBefore || this.#arrived;
  }

  travel(connection: HttpConnection): void {
    this.#connection = connection;
    this.#tries++;
    connection.send(this);
  }

  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#connection === undefined) this.#pool.forget(this);
    else this.#connection.destroy();
  }

  written(): void {
    this.#arrived = true;
    this.#sender.handedOver();
  }

  answered(reply: RawReply): void {
    if (this.#over) return;
    this.#connection = undefined;
    const { body, headers } = reply;
    const encoding = headers["content-encoding"]?.toLowerCase();
    if (encoding === undefined || encoding === "identity" || body.length === 0) return this.#replied(reply, body);
    const unpack = encoding === "gzip" || encoding === "x-gzip" ? gunzip : encoding === "deflate" ? inflate : undefined;
    if (unpack === undefined)
      return this.#fail(
        unreadable(`the answer has the unknown encoding ${JSON.stringify(encoding.slice(0, 40))}`),
        true,
      );
    unpack(body, { maxOutputLength: Math.max(1, this.#maxReplyBytes) }, (error, inflated) => {
      if (error === null) return this.#replied(reply, inflated);
      if (!("code" in error) || error.code !== "ERR_BUFFER_TOO_LARGE")
        return this.#fail(unreadable("the compressed answer cannot be unpacked", error), true);
      const message = `the answer is larger than ${this.#maxReplyBytes} bytes`;
      this.#fail(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxReplyBytes", delivered: "unknown" }), true);
    });
  }

  broken(error: Error, started: boolean): void {
    const reused = (this.#connection?.served ?? 0) > 0;
    this.#connection = undefined;
    if (this.#over) return;
    const arrived = this.#arrived;
    // Most likely the server closed the idle connection just before the request came. Without a doubt only where not all of it has left.
    const mayRepeat = arrived ? this.#sender.repeatable && !this.#sentBefore : this.#tries < MAX_TRIES;
    if (reused && !started && mayRepeat) {
      this.#sentBefore ||= arrived;
      this.#arrived = false;
      return this.#pool.carry(this);
    }
    this.#fail(error, this.#sentBefore || arrived);
  }

  #replied({ status, headers, rawHeaders }: RawReply, body: Uint8Array): void {
    if (this.#over) return;
    this.#over = true;
    this.#sender.replied({ status, headers, rawHeaders, body });
  }

  #fail(error: Error, sent: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#sender.failed(error, sent);
  }
}

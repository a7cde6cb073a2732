import { Agent } from "node:https";
import { connect, isIP, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Target, XmlRpcTlsOptions } from "./options.ts";
import { HttpReader, type RawReply } from "./http-reader.ts";

/** What travels over a connection: one request at a time, and its answer. */
export interface Exchange {
  /** The whole request, with its head. */
  readonly head: string;
  readonly body: string | Uint8Array;
  /** All of it is in the hands of the system. */
  written(): void;
  answered(reply: RawReply): void;
  /** `started`: a part of the answer had come. */
  broken(error: Error, started: boolean): void;
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It has carried its request, and may carry the next. */
  free(connection: HttpConnection, hint: string | undefined): void;
  closed(connection: HttpConnection): void;
}

/** Opens sockets to one server. */
export function dialerTo(target: Target, tls: XmlRpcTlsOptions | undefined): () => Duplex {
  const { host, port, secure } = target;
  if (!secure) return () => connect({ host, port, noDelay: true });
  // The agent only makes sockets here, and keeps TLS sessions to resume.
  const agent = new Agent({ ...tls });
  const servername = tls?.servername ?? (isIP(host) === 0 ? host : "");
  return () => {
    const socket = agent.createConnection({ ...tls, host, port, servername });
    if (socket === null || socket === undefined) throw new Error("no socket for TLS");
    if (socket instanceof Socket) socket.setNoDelay(true);
    return socket;
  };
}

/** A connection of HTTP/1.1 that is used again and again. */
export class HttpConnection {
  /** Requests that it has carried to their end. */
  served = 0;
  /** When it became idle, and for how long it may stay so. */
  idleSince = 0;
  idleMs = 0;
  isClosed = false;
  readonly #socket: Duplex & { ref?: () => void; unref?: () => void };
  readonly #owner: ConnectionOwner;
  readonly #maxReplyBytes: number;
  #exchange: Exchange | undefined = undefined;
  #reader: HttpReader | undefined = undefined;
  #error: Error | undefined = undefined;
  /** The request, or the one before it, is not out of this process yet. */
  #writing = false;
  readonly #written = (error?: Error | null): void => {
    this.#writing = false;
    if (error === undefined || error === null) this.#exchange?.written();
  };

  constructor(socket: Duplex, owner: ConnectionOwner, maxReplyBytes: number) {
    this.#socket = socket;
    this.#owner = owner;
    this.#maxReplyBytes = maxReplyBytes;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    socket.on("end", () => this.#ended());
    socket.on("close", () => this.#closed());
  }

  send(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#reader = new HttpReader(this.#maxReplyBytes);
    this.#writing = true;
    if (this.served > 0) this.#socket.ref?.();
    const { head, body } = exchange;
    if (typeof body === "string") {
      this.#socket.write(head + body, "utf8", this.#written);
      return;
    }
    this.#socket.write(head, "latin1");
    this.#socket.write(body, this.#written);
  }

  /** It carries nothing for now, and keeps no program alive. */
  rest(now: number, idleMs: number): void {
    this.idleSince = now;
    this.idleMs = idleMs;
    this.#socket.unref?.();
  }

  /** Ends it; its exchange hears nothing further. */
  destroy(): void {
    this.#exchange = undefined;
    this.#socket.destroy();
    this.#closed();
  }

  #receive(bytes: Buffer): void {
    const reader = this.#reader;
    // Said without having been asked: 408 of a server that closes, or worse.
    if (reader === undefined) return this.destroy();
    let reply: RawReply | undefined;
    try {
      reply = reader.read(bytes);
    } catch (thrown) {
      return this.#break(thrown instanceof Error ? thrown : new Error("the answer cannot be read"));
    }
    if (reply !== undefined) this.#answer(reply);
  }

  #answer(reply: RawReply): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#reader = undefined;
    this.served += 1;
    // A server that answers before it has the whole request reads no further one.
    const isFree = reply.keepsAlive && !this.#writing && !this.isClosed;
    if (!isFree) {
      this.#socket.destroy();
      this.#closed();
    }
    // The pool first: who made the call may make the next one at once, and finds this connection free.
    if (isFree) this.#owner.free(this, reply.headers["keep-alive"]);
    exchange?.answered(reply);
  }

  #ended(): void {
    const reply = this.#exchange === undefined ? undefined : this.#reader?.end();
    if (reply !== undefined) return this.#answer(reply);
    this.#break(
      new Error(this.#reader?.started === true ? "it ended in the middle of the answer" : "it ended without an answer"),
    );
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#owner.closed(this);
    if (this.#exchange !== undefined) this.#break(this.#error ?? new Error("it was closed without an answer"));
  }

  #break(error: Error): void {
    const exchange = this.#exchange;
    const started = this.#reader?.started ?? false;
    this.destroy();
    exchange?.broken(this.#error ?? error, started);
  }
}

import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from "node:http";
import { Agent as HttpsAgent, request as secureRequest, type RequestOptions } from "node:https";
import { gunzip, gzipSync, inflate } from "node:zlib";
import { RpcError } from "@rpc/core";
import type { ClientSettings, Target } from "./options.ts";

/** A whole answer. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
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

/** Connections to one server that are kept and used again. */
export class HttpPool {
  readonly #target: Target;
  readonly #settings: ClientSettings;
  readonly #agent: HttpAgent;

  constructor(target: Target, settings: ClientSettings) {
    this.#target = target;
    this.#settings = settings;
    const { maxConnections, idleTimeoutMs, tls } = settings;
    // The last one used first: the others grow old and are closed.
    const options = {
      keepAlive: true,
      maxSockets: maxConnections,
      maxFreeSockets: maxConnections,
      scheduling: "lifo",
      // Node's agent ends only idle connections by it, and earlier where the server announces a shorter time.
      timeout: idleTimeoutMs,
    } as const;
    this.#agent = target.secure ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
  }

  /** Sends one request. `headers`: names and values in turn, without Host and Content-Length. */
  post(path: string, headers: string[], text: string, sender: Sender): Posting {
    const { gzipRequestsFromBytes } = this.#settings;
    let body: string | Uint8Array = text;
    if (gzipRequestsFromBytes > 0 && text.length >= gzipRequestsFromBytes) {
      body = gzipSync(text, { level: 1 });
      headers.push("Content-Encoding", "gzip");
    }
    headers.push("Content-Length", String(typeof body === "string" ? Buffer.byteLength(body) : body.length));
    return new Attempts(this.#target, this.#agent, this.#settings.maxReplyBytes, { path, headers, body }, sender);
  }

  /** Closes every connection, those in use as well. */
  destroy(): void {
    this.#agent.destroy();
  }
}

/** Idle connections that may turn out to be dead one after the other. */
const MAX_TRIES = 4;

interface Outgoing {
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string | Uint8Array;
}

/** One request, and its repetition when a connection that had been idle turns out to be dead. */
class Attempts implements Posting {
  readonly #target: Target;
  readonly #agent: HttpAgent;
  readonly #maxReplyBytes: number;
  readonly #outgoing: Outgoing;
  readonly #sender: Sender;
  #request: ClientRequest;
  #tries = 1;
  /** A try before this one may have arrived. */
  #sentBefore = false;
  #answered = false;
  #over = false;

  constructor(target: Target, agent: HttpAgent, maxReplyBytes: number, outgoing: Outgoing, sender: Sender) {
    this.#target = target;
    this.#agent = agent;
    this.#maxReplyBytes = maxReplyBytes;
    this.#outgoing = outgoing;
    this.#sender = sender;
    this.#request = this.#send();
  }

  get sent(): boolean {
    return this.#sentBefore || this.#request.writableFinished;
  }

  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#request.destroy();
  }

  #send(): ClientRequest {
    const { secure, host, port } = this.#target;
    const { path, headers, body } = this.#outgoing;
    const options: RequestOptions = { method: "POST", host, port, path, headers, setHost: false, agent: this.#agent };
    const sending = secure ? secureRequest(options) : request(options);
    sending.on("response", (reply) => {
      if (sending === this.#request) this.#read(reply);
    });
    sending.on("error", (error) => {
      if (sending === this.#request) this.#lost(sending, error);
    });
    sending.on("finish", () => this.#sender.handedOver());
    sending.end(body);
    return sending;
  }

  #lost(sending: ClientRequest, error: Error): void {
    if (this.#over) return;
    const arrived = sending.writableFinished;
    // Most likely the server closed the idle connection just before the request came. Without a doubt only where not all of it has left.
    const mayRepeat = arrived ? this.#sender.repeatable && !this.#sentBefore : this.#tries < MAX_TRIES;
    if (sending.reusedSocket && !this.#answered && mayRepeat) {
      this.#sentBefore ||= arrived;
      this.#tries++;
      this.#request = this.#send();
      return;
    }
    this.#fail(error, this.#sentBefore || arrived);
  }

  #fail(error: Error, sent: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#sender.failed(error, sent);
  }

  #read(reply: IncomingMessage): void {
    this.#answered = true;
    const chunks: Uint8Array[] = [];
    let length = 0;
    const announced = Number(reply.headers["content-length"]);
    if (announced > this.#maxReplyBytes) return this.#tooLarge(reply);
    reply.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > this.#maxReplyBytes) return this.#tooLarge(reply);
      chunks.push(chunk);
    });
    reply.on("end", () => {
      if (this.#over) return;
      // A connection that ends early ends the answer as well, without an error where no length was announced.
      if (!reply.complete) return this.#fail(new Error("the connection ended in the middle of the answer"), true);
      this.#inflate(reply, chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length));
    });
    reply.on("error", (error) => this.#fail(error, true));
    reply.on("close", () => this.#fail(new Error("the connection ended in the middle of the answer"), true));
  }

  #inflate(reply: IncomingMessage, body: Uint8Array): void {
    const encoding = reply.headers["content-encoding"];
    if (encoding === undefined || encoding === "identity" || body.length === 0) return this.#replied(reply, body);
    const unpack = encoding === "gzip" || encoding === "x-gzip" ? gunzip : encoding === "deflate" ? inflate : undefined;
    if (unpack === undefined) {
      const what = `the answer has the unknown encoding ${JSON.stringify(encoding.slice(0, 40))}`;
      return this.#fail(protocolError(what), true);
    }
    // Taken out of the life of the connection, which is in use for the next call meanwhile.
    unpack(body, { maxOutputLength: Math.max(1, this.#maxReplyBytes) }, (error, inflated) => {
      if (error === null) return this.#replied(reply, inflated);
      if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") return this.#fail(this.#limitError(), true);
      this.#fail(protocolError("the compressed answer cannot be unpacked"), true);
    });
    reply.removeAllListeners("close");
  }

  #replied(reply: IncomingMessage, body: Uint8Array): void {
    if (this.#over) return;
    this.#over = true;
    const { statusCode = 0, headers, rawHeaders } = reply;
    this.#sender.replied({ status: statusCode, headers, rawHeaders, body });
  }

  #tooLarge(reply: IncomingMessage): void {
    this.#fail(this.#limitError(), true);
    reply.destroy();
  }

  #limitError(): RpcError {
    const message = `the answer is larger than ${this.#maxReplyBytes} bytes`;
    return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxReplyBytes", delivered: "unknown" });
  }
}

function protocolError(what: string): RpcError {
  return new RpcError("INTERNAL", what, { reason: "PROTOCOL", delivered: "unknown" });
}

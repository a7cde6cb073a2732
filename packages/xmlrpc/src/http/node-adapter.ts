import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { isPromiseLike } from "@rpc/core/transport";
import { type Admitted, type Desk } from "../server/desk.ts";
import { HttpRefusal } from "../server/service.ts";
import type { BodyDeadlines, PendingBody } from "./body-deadlines.ts";
import { packed, replyCoding } from "./content-coding.ts";
import { IncomingExchange } from "./incoming-exchange.ts";
import { type HttpReply, textReply } from "./reply.ts";
import { endReply } from "./reply-body.ts";

export interface NodeAdapterOptions {
  readonly desk: Desk;
  readonly deadlines: BodyDeadlines;
  readonly compression: boolean;
}

/** A listener for the `request` event of node:http and node:https, and for `checkContinue`. */
export function nodeAdapter(
  options: NodeAdapterOptions,
): (request: IncomingMessage, response: ServerResponse, asksToContinue?: boolean) => void {
  return (request, response, asksToContinue = false) => {
    const turn = new NodeTurn(options, request, response);
    turn.begin(asksToContinue);
  };
}

/** Headers of one request; more are a flood. */
const MAX_HEADERS = 500;
/**
 * Requests of one connection that have no reply yet. Clients that send the next one before they have read the last reply send a few; who sends
 * thousands would take all places of everybody, and Node, whose buffers are full of the replies behind, would not even hear him leave.
 */
const MAX_PIPELINED = 100;
/**
 * How much of a refused body is read and thrown away, so that who sends it hears the refusal instead of a broken connection: Python, Ruby and
 * Java send all of it before they read. The time that a body may take bounds it as well.
 */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;

/** One request with its response. */
class NodeTurn implements PendingBody {
  readonly #options: NodeAdapterOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #admitted: Admitted | undefined = undefined;
  #chunks: Buffer[] = [];
  #length = 0;
  #isBodyOver = false;

  constructor(options: NodeAdapterOptions, request: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
  }

  begin(asksToContinue: boolean): void {
    const request = this.#request;
    // A broken connection is an error event too; whoever waits hears of it by `close`.
    request.on("error", ignore);
    const turns = turnsOf(request.socket);
    if (turns.size >= MAX_PIPELINED) {
      request.socket.destroy();
      return;
    }
    turns.add(this);
    if (request.rawHeaders.length > 2 * MAX_HEADERS)
      return this.#send(textReply(431, `More than ${MAX_HEADERS} headers`));
    const isBodyFramed = request.headers["transfer-encoding"] !== undefined;
    const { desk } = this.#options;
    const opened = desk.open(new NodeExchange(request), request.method ?? "", isBodyFramed);
    if (isPromiseLike(opened)) void Promise.resolve(opened).then((later) => this.#admit(later, asksToContinue));
    else this.#admit(opened, asksToContinue);
  }

  #admit(opened: HttpReply | Admitted, asksToContinue: boolean): void {
    if ("status" in opened) return this.#send(opened);
    this.#admitted = opened;
    this.#response.on("close", () => {
      if (!this.#response.writableFinished) this.#lost();
    });
    // Gone while it was found out who it is.
    if (this.#response.destroyed || this.#request.socket.destroyed) return this.#lost();
    if (!opened.readsBody) return this.#answer(NO_BYTES);
    if (asksToContinue) this.#response.writeContinue();
    this.#options.deadlines.add(this);
    const request = this.#request;
    request.on("data", (chunk: Buffer) => this.#collect(chunk));
    request.on("end", () => this.#complete());
  }

  #collect(chunk: Buffer): void {
    if (this.#isBodyOver) return;
    this.#length += chunk.length;
    const { desk } = this.#options;
    if (this.#length > desk.options.maxMessageBytes) return this.#refuseBody(desk.tooLarge());
    this.#chunks.push(chunk);
  }

  #complete(): void {
    if (this.#isBodyOver) return;
    this.#endBody();
    const chunks = this.#chunks;
    this.#chunks = [];
    const [first] = chunks;
    this.#answer(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, this.#length));
  }

  /** The body takes too long. */
  expire(): void {
    this.#refuseBody(new HttpRefusal(408, "The body did not come in time"));
  }

  #refuseBody(refusal: HttpRefusal): void {
    this.#endBody();
    this.#chunks = [];
    const reply = this.#admitted?.refuse(refusal);
    if (reply !== undefined) this.#send(reply);
  }

  #endBody(): void {
    this.#isBodyOver = true;
    this.#options.deadlines.delete(this);
  }

  #lost(): void {
    turnsOf(this.#request.socket).delete(this);
    this.#endBody();
    this.#chunks = [];
    this.#admitted?.gone();
  }

  #answer(body: Buffer): void {
    const reply = this.#admitted?.answer(body);
    if (reply === undefined) return;
    // Never rejects: what goes wrong is a reply too.
    if (isPromiseLike(reply)) void Promise.resolve(reply).then((later) => this.#send(later));
    else this.#send(reply);
  }

  #send(reply: HttpReply): void {
    turnsOf(this.#request.socket).delete(this);
    const { body } = reply;
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const coding = this.#options.compression
      ? replyCoding(this.#request.headers["accept-encoding"], length)
      : undefined;
    if (coding === undefined) return this.#write(reply, body, length, undefined);
    const done = packed(asBuffer(body), coding);
    if (!isPromiseLike(done)) return this.#write(reply, done, done.length, coding);
    void Promise.resolve(done).then(
      (later) => this.#write(reply, later, later.length, coding),
      () => this.#write(reply, body, length, undefined),
    );
  }

  #write(reply: HttpReply, body: string | Uint8Array, length: number, coding: string | undefined): void {
    const response = this.#response;
    if (response.destroyed || response.headersSent) return;
    const headers: Record<string, string | number> = { ...reply.headers };
    if (reply.status !== 204) headers["content-length"] = length;
    if (coding !== undefined) {
      headers["content-encoding"] = coding;
      headers["vary"] = "accept-encoding";
    }
    const isUnread = !this.#request.complete && hasLargeBody(this.#request);
    if (isUnread || this.#options.desk.isClosing) headers["connection"] = "close";
    try {
      response.writeHead(reply.status, headers);
    } catch {
      // A header that HTTP cannot carry, from a hook: the status must arrive all the same.
      response.writeHead(500, { "content-length": 0, connection: "close" });
      response.end();
      return;
    }
    const text = this.#request.method === "HEAD" ? undefined : body;
    if (isUnread) this.#endUnread(text);
    else endReply(response, text, length, this.#options.deadlines);
  }

  /** The reply is complete before the connection ends: closing with unread bytes would take it away from who still sends. */
  #endUnread(body: string | Uint8Array | undefined): void {
    const response = this.#response;
    const request = this.#request;
    if (body !== undefined && body.length > 0) response.write(body);
    else response.flushHeaders();
    let left = MAX_DISCARDED_BYTES;
    const end = (): void => {
      this.#options.deadlines.delete(discarding);
      request.pause();
      endReply(response, undefined, 0, this.#options.deadlines);
    };
    const discarding: PendingBody = { expire: end };
    this.#options.deadlines.add(discarding);
    request.removeAllListeners("data");
    request.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) end();
    });
    request.once("end", end);
    request.once("close", end);
    request.resume();
  }
}

/** Turns of a connection without a reply. */
const TURNS = new WeakMap<Socket, Set<NodeTurn>>();

function turnsOf(socket: Socket): Set<NodeTurn> {
  let turns = TURNS.get(socket);
  if (turns === undefined) TURNS.set(socket, (turns = new Set()));
  return turns;
}

/** Whether more is to come after the head than Node may read and drop. */
function hasLargeBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > SMALL_BODY_BYTES;
}

class NodeExchange extends IncomingExchange {
  readonly #request: IncomingMessage;

  constructor(request: IncomingMessage) {
    super(targetOf(request.url ?? "/"), endpointOf(request));
    this.#request = request;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === "object" ? value.join(", ") : value;
  }

  protected rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }
}

/** Path and query. Proxies may send the whole URL (RFC 9112, absolute-form). */
function targetOf(url: string): string {
  if (url.startsWith("/")) return url;
  const origin = /^https?:\/\/[^/?#]*/i.exec(url)?.[0];
  return origin === undefined ? url : url.slice(origin.length);
}

function endpointOf({ socket }: IncomingMessage): string {
  const { remoteAddress, remotePort } = socket;
  const scheme = "encrypted" in socket ? "https" : "http";
  if (remoteAddress === undefined) return `${scheme}://?`;
  const address = remoteAddress.startsWith("::ffff:") ? remoteAddress.slice(7) : remoteAddress;
  return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${remotePort ?? 0}`;
}

function asBuffer(body: string | Uint8Array): Buffer {
  return typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function ignore(): void {
  // Said by another event as well.
}

/** A refused body of this size is read and dropped, and the connection lives on. */
const SMALL_BODY_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

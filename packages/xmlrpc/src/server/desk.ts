import { type Awaitable, type Clock, RpcError } from "@rpc/core";
import { isPromiseLike, MAX_TIMER_MS } from "@rpc/core/transport";
import { Header } from "../headers.ts";
import { type Coding, codingOf, inflated, type InflateLimits } from "../http/content-coding.ts";
import type { CredentialCheck } from "../http/credential-check.ts";
import type { IncomingExchange } from "../http/incoming-exchange.ts";
import { type HttpReply, textReply } from "../http/reply.ts";
import type { Endpoint } from "./endpoint.ts";
import { RequestScope } from "./request-scope.ts";
import { type Admission, HttpRefusal } from "./service.ts";

export interface DeskOptions extends InflateLimits {
  readonly endpoints: readonly Endpoint[];
  readonly check: CredentialCheck;
  readonly realm: string;
  readonly maxMessageBytes: number;
  readonly maxConcurrentCalls: number;
  readonly clock: Clock;
  readonly onError: (error: RpcError) => void;
}

/** What both adapters bring their requests to: decides what is read, and makes the reply. */
export class Desk {
  readonly options: DeskOptions;
  readonly #admitted = new Set<Admitted>();
  #closing = false;
  #idle: (() => void) | undefined = undefined;

  constructor(options: DeskOptions) {
    this.options = options;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  get callsInFlight(): number {
    return this.#admitted.size;
  }

  /**
   * Looks at the head of a request. Gives the reply of a request that is refused, and otherwise what its body is brought to. Never throws or
   * rejects. `isBodyFramed`: whether the adapter knows that a body without length ends somewhere.
   */
  open(exchange: IncomingExchange, httpMethod: string, isBodyFramed: boolean): Awaitable<HttpReply | Admitted> {
    const endpoint = this.options.endpoints.find((each) => each.matches(exchange.path));
    const refused = (thrown: unknown): HttpReply => this.refusal(thrown, endpoint);
    try {
      this.#checkOpen();
      if (endpoint === undefined) throw new HttpRefusal(404, "Not found");
      if (!endpoint.methods.includes(httpMethod))
        throw new HttpRefusal(405, "Method not allowed", { allow: endpoint.methods.join(", ") });
      const contentType = exchange.header("content-type");
      const mediaType = mediaTypeOf(contentType);
      let coding: Coding | undefined = undefined;
      if (endpoint.mediaTypes.length > 0) {
        checkMediaType(endpoint, mediaType);
        this.#checkLength(exchange, isBodyFramed);
        coding = codingOf(exchange.header("content-encoding"));
      }
      this.#checkRoom();
      const admitted = new Admitted(this, endpoint, exchange, httpMethod, mediaType, contentType, coding);
      const admission = endpoint.admit(exchange);
      const passed = isPromiseLike(admission)
        ? Promise.resolve(admission).then((later) => this.#identify(exchange, later))
        : this.#identify(exchange, admission);
      if (passed === undefined) return this.#enter(admitted);
      return passed
        .then(() => {
          // Others came, or the server closed, while it was found out who it is.
          this.#checkOpen();
          this.#checkRoom();
          return this.#enter(admitted);
        })
        .catch(refused);
    } catch (thrown) {
      return refused(thrown);
    }
  }

  /** Undefined: without having had to wait. */
  #identify(exchange: IncomingExchange, { database, credentials }: Admission): Promise<void> | undefined {
    const { check } = this.options;
    if (database !== undefined) exchange.database = database;
    if (credentials === "unused" || !check.isOn) return undefined;
    const identity = check.identify(exchange.credentials, exchange.endpoint);
    if (typeof identity === "string") {
      exchange.identity = identity;
      return undefined;
    }
    return identity.then((later) => {
      exchange.identity = later;
    });
  }

  #checkOpen(): void {
    if (this.#closing) throw new HttpRefusal(503, "The server is closing");
  }

  #checkRoom(): void {
    if (this.#admitted.size >= this.options.maxConcurrentCalls)
      throw new HttpRefusal(503, "Too many calls at once", { "retry-after": "1" });
  }

  #enter(admitted: Admitted): Admitted {
    this.#admitted.add(admitted);
    return admitted;
  }

  leave(admitted: Admitted): void {
    this.#admitted.delete(admitted);
    if (this.#admitted.size === 0) this.#idle?.();
  }

  #checkLength(exchange: IncomingExchange, isBodyFramed: boolean): void {
    const length = exchange.header("content-length");
    if (length === undefined) {
      if (!isBodyFramed) throw new HttpRefusal(411, "Content-Length is required");
    } else if (Number(length) > this.options.maxMessageBytes) throw this.tooLarge();
  }

  tooLarge(): HttpRefusal {
    return new HttpRefusal(413, `The body has more than ${this.options.maxMessageBytes} bytes`);
  }

  /** The reply that a refusal or a mistake of ours becomes. */
  refusal(thrown: unknown, endpoint: Endpoint | undefined): HttpReply {
    if (!(thrown instanceof HttpRefusal)) {
      const { code, message } = RpcError.from(thrown);
      this.options.onError(
        new RpcError(code, `a request could not be answered: ${message}`, { reason: "INTERNAL", cause: thrown }),
      );
      return textReply(500, "Internal server error");
    }
    let refusal = thrown;
    if (thrown.status === 401 && thrown.headers["www-authenticate"] === undefined) {
      const challenge = { ...thrown.headers, "www-authenticate": `Basic realm="${this.options.realm}"` };
      refusal = new HttpRefusal(401, thrown.message, challenge);
    }
    return endpoint?.refuse?.(refusal) ?? textReply(refusal.status, refusal.message, refusal.headers);
  }

  /** Takes no more requests, and resolves when those that are there have their replies: after `drainMs` at the latest, with UNAVAILABLE. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    if (this.#admitted.size === 0) return;
    const { clock } = this.options;
    const idle = new Promise<void>((resolve) => (this.#idle = resolve));
    const end = (): void => {
      const reason = new RpcError("UNAVAILABLE", "the server is closing", { reason: "DRAINING", delivered: "unknown" });
      for (const { scope } of this.#admitted) scope.cancel(reason);
    };
    if (drainMs <= 0) {
      end();
      // Whoever has not come to the handler yet, because its body is still on the way, is not waited for.
      return;
    }
    const timer = clock.setTimeout(
      () => {
        end();
        this.#idle?.();
      },
      Math.min(drainMs, MAX_TIMER_MS),
    );
    await idle;
    clock.clearTimeout(timer);
  }
}

/** A request that was let in. */
export class Admitted {
  readonly scope: RequestScope = new RequestScope();
  readonly exchange: IncomingExchange;
  readonly deadline: number | undefined;
  readonly endpoint: Endpoint;
  readonly httpMethod: string;
  readonly mediaType: string;
  readonly contentType: string | undefined;
  readonly #desk: Desk;
  readonly #coding: Coding | undefined;
  body: Uint8Array = NO_BYTES;

  constructor(
    desk: Desk,
    endpoint: Endpoint,
    exchange: IncomingExchange,
    httpMethod: string,
    mediaType: string,
    contentType: string | undefined,
    coding: Coding | undefined,
  ) {
    this.#desk = desk;
    this.endpoint = endpoint;
    this.exchange = exchange;
    this.httpMethod = httpMethod;
    this.mediaType = mediaType;
    this.contentType = contentType;
    this.#coding = coding;
    this.deadline = deadlineIn(exchange, desk.options.clock);
  }

  get readsBody(): boolean {
    return this.endpoint.mediaTypes.length > 0;
  }

  /** The reply to the whole request. Never throws or rejects. */
  answer(body: Buffer): Awaitable<HttpReply> {
    const refused = (thrown: unknown): HttpReply => this.#finish(this.#desk.refusal(thrown, this.endpoint));
    try {
      const unpacked = this.#coding === undefined ? body : inflated(body, this.#coding, this.#desk.options);
      const reply = isPromiseLike(unpacked)
        ? Promise.resolve(unpacked).then((later) => this.#handle(later))
        : this.#handle(unpacked);
      if (!isPromiseLike(reply)) return this.#finish(reply);
      return Promise.resolve(reply).then((later) => this.#finish(later), refused);
    } catch (thrown) {
      return refused(thrown);
    }
  }

  /** The reply of a request whose body did not come as it should. */
  refuse(refusal: HttpRefusal): HttpReply {
    return this.#finish(this.#desk.refusal(refusal, this.endpoint));
  }

  /** The client is gone: nobody reads the reply. */
  gone(): void {
    this.scope.cancel(new RpcError("CANCELLED", "the client closed the connection", { reason: "CANCELLED" }));
    this.scope.whenFree(() => this.#desk.leave(this));
  }

  #handle(body: Buffer): Awaitable<HttpReply> {
    this.body = body;
    return this.endpoint.handle(this);
  }

  #finish(reply: HttpReply): HttpReply {
    this.scope.whenFree(() => this.#desk.leave(this));
    return reply;
  }
}

const NO_BYTES = new Uint8Array(0);

function checkMediaType(endpoint: Endpoint, mediaType: string): void {
  const { mediaTypes, accept } = endpoint;
  if (mediaTypes.includes(mediaType)) return;
  const text = endpoint.unsupported?.(mediaType) ?? `Content-Type must be one of ${mediaTypes.join(", ")}`;
  throw new HttpRefusal(415, text, { accept: accept ?? mediaTypes.join(", ") });
}

function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined) return "";
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function deadlineIn(exchange: IncomingExchange, clock: Clock): number | undefined {
  const text = exchange.header(Header.timeout);
  return text !== undefined && /^\d{1,12}$/.test(text) ? clock.now() + Number(text) : undefined;
}

import { type Awaitable, type Clock, type Handler, type Peer, RpcError } from "@rpc/core";
import {
  CallScope,
  type CancelListener,
  isPromiseLike,
  MAX_TIMER_MS,
  type Metadata,
  type MethodDescriptor,
} from "@rpc/core/transport";
import { Header } from "../headers.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { callIdOf } from "./call-id.ts";
import { scopeOf } from "./front-call.ts";
import { RequestScope } from "./request-scope.ts";
import type { ServiceCall } from "./service.ts";

/** Calls that call on over gateways go no deeper than sessions let them. */
const MAX_DEPTH = 64;

/** The context that a handler sees of a call that came in over HTTP. */
export class HttpCallContext extends CallScope implements CancelListener {
  readonly call: ServiceCall;
  readonly depth: number;
  #id: string | undefined = undefined;
  #peer: Peer | undefined = undefined;

  constructor(method: MethodDescriptor, call: ServiceCall, deadline: number | undefined) {
    super(method, deadline);
    this.call = call;
    this.depth = depthOf(call);
  }

  get id(): string {
    this.#id ??= callIdOf(this.call.exchange);
    return this.#id;
  }

  get peer(): Peer {
    this.#peer ??= new HttpPeer(this.call.exchange, scopeOf(this.call));
    return this.#peer;
  }

  get attempt(): number {
    return 1;
  }

  get idempotencyKey(): string | undefined {
    return this.call.idempotencyKey;
  }

  get parent(): undefined {
    return undefined;
  }

  get observed(): boolean {
    return false;
  }

  override get hasMetadata(): boolean {
    return this.metadata.size > 0;
  }

  protected override initialMetadata(): Metadata {
    return this.call.metadata;
  }

  cancelled(reason: RpcError): void {
    this.cancelWith(reason);
  }

  // Nothing goes back before the reply.
  progress(): void {
    return undefined;
  }

  log(): void {
    return undefined;
  }
}

export interface RunOptions {
  readonly clock: Clock;
  /** Told of the context before the handler sees it. */
  readonly prepare?: ((context: HttpCallContext) => void) | undefined;
}

/**
 * Runs a handler's unary method or notification for a call. The earlier of the call's deadline and the method's own `timeoutMs` holds. When it
 * passes, or the request is ended early, the answer is that error at once, and the handler's signal aborts with it. A handler that need not
 * wait costs no promise.
 */
export function runHandler(
  handler: Handler,
  method: MethodDescriptor,
  input: unknown,
  call: ServiceCall,
  { clock, prepare }: RunOptions,
): Awaitable<unknown> {
  const deadline = deadlineOf(method, call, clock);
  if (deadline !== undefined && deadline <= clock.now()) throw late(method);
  const scope = scopeOf(call);
  if (scope.cancelReason !== undefined) throw scope.cancelReason;
  const context = new HttpCallContext(method, call, deadline);
  prepare?.(context);
  let output: unknown;
  try {
    output = handler.call(input, context);
  } catch (thrown) {
    passMetadata(context);
    throw tamed(thrown);
  }
  if (isPromiseLike(output)) return waited(output, context, scope, clock);
  passMetadata(context);
  return output;
}

/** What was thrown, as something that may be asked what it is: a revoked proxy answers even that by throwing. */
export function tamed(thrown: unknown): Error {
  try {
    return thrown instanceof Error ? thrown : RpcError.from(thrown);
  } catch {
    return RpcError.from(thrown);
  }
}

function waited(
  output: PromiseLike<unknown>,
  context: HttpCallContext,
  scope: RequestScope,
  clock: Clock,
): Promise<unknown> {
  const { deadline } = context;
  return new Promise((resolve, reject) => {
    let timer: unknown = undefined;
    const settle = (): void => {
      if (timer !== undefined) clock.clearTimeout(timer);
      scope.unfollow(ended);
      passMetadata(context);
    };
    const end = (reason: RpcError): void => {
      settle();
      reject(reason);
      context.cancelWith(reason);
    };
    const ended: CancelListener = { cancelled: end };
    if (deadline !== undefined)
      timer = clock.setTimeout(() => end(late(context.method)), Math.min(deadline - clock.now(), MAX_TIMER_MS));
    scope.hold();
    output.then(
      (value) => {
        settle();
        scope.release();
        resolve(value);
      },
      (thrown: unknown) => {
        settle();
        scope.release();
        reject(tamed(thrown));
      },
    );
    scope.follow(ended);
  });
}

function passMetadata(context: HttpCallContext): void {
  const metadata = context.responseMetadataIfAny;
  if (metadata === undefined) return;
  const { responseMetadata } = context.call.exchange;
  for (const [key, value] of metadata) responseMetadata.set(key, value);
}

function deadlineOf({ timeoutMs }: MethodDescriptor, { deadline }: ServiceCall, clock: Clock): number | undefined {
  if (timeoutMs === undefined) return deadline;
  const own = clock.now() + timeoutMs;
  return deadline === undefined ? own : Math.min(own, deadline);
}

function late({ name }: MethodDescriptor): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${name}: deadline exceeded`, { reason: "DEADLINE" });
}

function depthOf({ exchange }: ServiceCall): number {
  const text = exchange.header(Header.depth);
  if (text === undefined) return 0;
  const depth = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (depth <= MAX_DEPTH) return depth;
  throw new RpcError("RESOURCE_EXHAUSTED", `calls that call on went deeper than ${MAX_DEPTH}; is there a loop?`, {
    reason: "maxDepth",
  });
}

/** Who has sent a request, for who asks before there is a call. */
export function exchangePeer(exchange: HttpExchange): Peer {
  return new HttpPeer(exchange, new RequestScope());
}

/** Who called, as far as HTTP can tell. Nobody can be called back over it. */
class HttpPeer implements Peer {
  readonly #exchange: HttpExchange;
  readonly #scope: RequestScope;
  readonly ignoredCount = 0;

  constructor(exchange: HttpExchange, scope: RequestScope) {
    this.#exchange = exchange;
    this.#scope = scope;
  }

  get identity(): string | undefined {
    return this.#exchange.identity;
  }

  get endpoint(): string {
    return this.#exchange.endpoint;
  }

  get instanceId(): string {
    const given = this.#exchange.header(Header.instanceId);
    return given !== undefined && /^[0-9a-f]{32}$/.test(given) ? given : "";
  }

  get connected(): boolean {
    return this.#scope.cancelReason === undefined;
  }

  get callsInFlight(): number {
    return 1;
  }

  client(): never {
    const message = `${this.endpoint} cannot be called: the server cannot call over HTTP; pair it with the database queue`;
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "CAPABILITY" });
  }

  disconnect(reason?: RpcError): void {
    this.#scope.cancel(reason ?? new RpcError("CANCELLED", "the handler ended the request", { reason: "CANCELLED" }));
  }
}

import { RpcError } from "../../words/rpc-error.ts";
import type { CloseOptions, Handler, Interceptor } from "../../words/transport.ts";
import type { SessionTransport } from "../session-transport.ts";
import type { Registrable } from "./command-registry.ts";
import { type DynamicRouter, dynamicRouter } from "./dynamic-router.ts";
import type { ExposeOptions } from "./expose.ts";
import type { ErrorClass } from "./remote-error.ts";
import { callerOf, type Rpc, type RpcNotify } from "./rpc-to.ts";

export interface DynamicConnectionOptions {
  /** What the server may call here. Default: a new one, when the transport is made by the function. */
  readonly router?: DynamicRouter | undefined;
  /** Errors to tell apart: what the far end throws under the name of such a class is an instance of it here. Default: the router's. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** Wrap each call of this end, the first one outermost. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** What happens to a connection. */
export interface DynamicConnectionEvents {
  /** The server is there; again after each time that it was `closed`. */
  open: [];
  /** The session is over; the next call connects again. */
  closed: [reason: RpcError];
}

/** A connection to a server whose commands are called by name, and which may call back. */
export interface DynamicConnection extends AsyncDisposable {
  readonly rpc: Rpc;
  readonly notify: RpcNotify;
  readonly connected: boolean;
  readonly transport: SessionTransport;
  /** Connects now instead of at the first call; rejects as that call would. */
  ready(): Promise<void>;
  /** Lets the server call something; see {@link DynamicRouter.register}. Throws FAILED_PRECONDITION where nothing is served to it. */
  register<Thing extends Registrable>(thing: Thing & ThisType<Thing>, options?: ExposeOptions): void;
  unregister(thing: Registrable): boolean;
  /** Returns the function that takes the listener away again. */
  on<Name extends keyof DynamicConnectionEvents>(
    event: Name,
    listen: (...values: DynamicConnectionEvents[Name]) => void,
  ): () => void;
  close(options?: CloseOptions): Promise<void>;
}

/**
 * A transport, called by names. Pass a function that makes the transport, and give it what to serve:
 * `connectDynamic((serve) => createTcpTransport(endpoint, { serve }))`. A transport that is there already works as well; it serves what
 * it was made with, and `router` is that very router, if this end is to register anything. Lazy: nothing happens before the first call.
 */
export function connectDynamic(
  transport: SessionTransport | ((serve: Handler) => SessionTransport),
  options: DynamicConnectionOptions = {},
): DynamicConnection {
  if (typeof transport !== "function") return new TransportConnection(transport, options.router, options);
  const router = options.router ?? dynamicRouter({ errors: options.errors });
  return new TransportConnection(transport(router), router, options);
}

class TransportConnection implements DynamicConnection {
  readonly transport: SessionTransport;
  readonly rpc: Rpc;
  readonly notify: RpcNotify;
  readonly #router: DynamicRouter | undefined;

  constructor(transport: SessionTransport, router: DynamicRouter | undefined, options: DynamicConnectionOptions) {
    this.transport = transport;
    this.#router = router;
    const errors = options.errors ?? router?.errors;
    ({ rpc: this.rpc, notify: this.notify } = callerOf(transport, { errors, interceptors: options.interceptors }));
  }

  get connected(): boolean {
    return this.transport.connected;
  }

  ready(): Promise<void> {
    return this.transport.ready();
  }

  register(thing: Registrable, options?: ExposeOptions): void {
    this.#served().register(thing, options);
  }

  unregister(thing: Registrable): boolean {
    return this.#served().unregister(thing);
  }

  on<Name extends keyof DynamicConnectionEvents>(
    event: Name,
    listen: (...values: DynamicConnectionEvents[Name]) => void,
  ): () => void {
    if (event === "open") return this.transport.on("connected", listen);
    return this.transport.on("disconnected", listen as (reason: RpcError) => void);
  }

  close(options?: CloseOptions): Promise<void> {
    return this.transport.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #served(): DynamicRouter {
    if (this.#router !== undefined) return this.#router;
    const message =
      "the server can call nothing here: pass connectDynamic() a function that makes the transport, or the router it serves";
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "NO_ROUTER" });
  }
}

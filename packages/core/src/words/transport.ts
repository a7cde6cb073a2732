import type { Peers } from "./broadcast.ts";
import type { CallContext } from "./call-context.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Clock } from "./clock.ts";
import type { MADE_BY } from "./copy.ts";
import type { ContractDescriptor, MethodDescriptor, MethodKind } from "./method.ts";
import type { Peer } from "./peer.ts";
import type { TopicPort } from "./topics.ts";
import type { WorkQueue } from "./work-queue.ts";

export type Awaitable<T> = T | Promise<T>;

/** Unary calls and notifications: a notification's result is undefined, and means "handed over" at the caller. */
export type CallHandler = (input: unknown, context: CallContext) => Awaitable<unknown>;

/** All three stream shapes: a single input or output is an iterable of one. */
export type StreamHandler = (input: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown>;

/** Level 2, the call. A transport's calling half and a server's serving half are this same pair of functions. */
export interface CallPort {
  readonly call: CallHandler;
  readonly stream: StreamHandler;
}

/** Beside calls: where subscriptions are made, jobs submitted and consumed. Left out by who has neither. */
export interface PatternPorts {
  readonly topicPort?: TopicPort | undefined;
  readonly workQueue?: WorkQueue | undefined;
}

/** Key of the half of a session that serves; a symbol, so that it collides with no name of a router's own. */
export const SERVING: unique symbol = Symbol.for("@rpc/core/serving") as never;

/** The half of a session that serves: `servingHalf` of `@rpc/core/transport`. */
export interface ServingHalf {
  readonly kind: "serving";
  readonly [MADE_BY]: object;
}

/** What a listener serves. `createRouter` makes one, `forward(transport)` another. */
export interface Handler extends CallPort, PatternPorts {
  /** The contracts served, for bind-time checks and reflection; a gateway that passes everything on names none. */
  readonly contracts: readonly ContractDescriptor[];
  /** How to decode a call of this name and shape; undefined when it is not served. */
  method(name: string, kind: MethodKind): MethodDescriptor | undefined;
  /**
   * What a transport needs in order to serve it to the far end (`serve`), so that pages which serve nothing do without it. All functions of this
   * package that make handlers or wrap them bring it along. A wrapper that is written by hand passes it on, by this key; for a handler that is
   * written by hand `mergeRouters(handler)` brings it, which asks for `contracts` once.
   */
  readonly [SERVING]?: ServingHalf | undefined;
}

/** The calling half of a wire. A value that is passed around: creating one does no I/O, the first call connects. */
export interface Transport extends CallPort, PatternPorts, AsyncDisposable {
  /** For messages and logs; never holds a secret. */
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  /** Which copy of this package it is of; absent where that does not count, because it runs nothing that a contract brings. */
  readonly [MADE_BY]?: object | undefined;
  /** Where its deadlines come from; clients of this transport use it as well. Default: the process's clock. */
  readonly clock?: Clock | undefined;
  /** The other end cannot be reached at the moment: a new call would wait, or fail. Undefined: this transport cannot tell. */
  readonly isDown?: boolean | undefined;
  /** Connects now instead of at the first call; rejects as that call would. */
  ready(): Promise<void>;
  /** Idempotent. Refuses new calls (FAILED_PRECONDITION), lets running ones finish for `drainMs`, rejects the rest UNAVAILABLE. */
  close(options?: CloseOptions): Promise<void>;
}

/** The serving half of a wire. */
export interface Listener extends AsyncDisposable {
  /** The endpoint that clients dial, with the real port. */
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  /** Connected peers, in the order they came; all of them can be told or called at once. */
  readonly peers: Peers;
  on<Name extends keyof ListenerEvents>(event: Name, listen: (...values: ListenerEvents[Name]) => void): () => void;
  /** Idempotent. Stops accepting, refuses new calls (UNAVAILABLE), lets running ones finish for `drainMs`, then ends every peer. */
  close(options?: CloseOptions): Promise<void>;
}

export interface ListenerEvents {
  "client-connected": [peer: Peer];
  /** Its connection is lost; it may come back. */
  "client-suspended": [peer: Peer, reason: import("./rpc-error.ts").RpcError];
  "client-resumed": [peer: Peer];
  /** Somebody could not prove who it is. */
  "client-refused": [endpoint: string, error: import("./rpc-error.ts").RpcError];
  "client-disconnected": [peer: Peer, reason: import("./rpc-error.ts").RpcError];
}

export interface CloseOptions {
  /** How long running calls may go on. Default: 0, end at once. */
  readonly drainMs?: number | undefined;
}

/** Wraps calls on either side. Leave out what is not wrapped. */
export interface Interceptor {
  call?(input: unknown, context: CallContext, next: CallHandler): Awaitable<unknown>;
  stream?(input: AsyncIterable<unknown>, context: CallContext, next: StreamHandler): AsyncIterable<unknown>;
}

import type { Metadata, MetadataInit } from "./metadata.ts";
import type { MethodDescriptor } from "./method.ts";
import type { Peer } from "./peer.ts";
import type { RpcError } from "./rpc-error.ts";

/** A line that a handler logs to its caller. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

export type LogLevel = "trace" | "debug" | "info" | "notice" | "warning" | "error" | "critical";

/**
 * Everything about one call except its input. Caller and handler see the same interface, so that an interceptor works on
 * either side and a gateway hands a call on as it is.
 */
export interface CallContext {
  readonly method: MethodDescriptor;
  /** Names the call in the logs of both ends; equal to the caller's `handle.id` when the call was started with a handle. */
  readonly id: string;
  /** Aborts when the caller cancels, the deadline passes, or the caller is gone for good; `reason` is an RpcError. */
  readonly signal: AbortSignal;
  /** Why the call was ended early, once it was. */
  readonly cancelReason: RpcError | undefined;
  /** Cheaper than `signal`, for machines: tells the one listener when the call is ended early, at once if it already was. Undefined: it has settled. */
  onCancel(listener: CancelListener | undefined): void;
  /** Instant on the scale of the injected clock's `now()`; undefined: none. */
  readonly deadline: number | undefined;
  /** From caller to handler. */
  readonly metadata: Metadata;
  /** Whether `metadata` holds anything; asking makes no object. */
  readonly hasMetadata: boolean;
  /** From handler to caller; complete at the caller when the call has settled. */
  readonly responseMetadata: Metadata;
  /** The other party. At a caller it is the server, once connected. */
  readonly peer: Peer | undefined;
  /** 1 on the first try. */
  readonly attempt: number;
  readonly idempotencyKey: string | undefined;
  /** How many calls lie between this one and the first caller; bounded, so that calls that call back cannot go round for ever. */
  readonly depth: number;
  /** The call that this one was made for, when the handler passed its context on. */
  readonly parent: CallContext | undefined;
  /** Whether the caller reads progress and log lines; without a reader they are not sent. */
  readonly observed: boolean;
  /** Notifications: whether the caller waits until the peer has accepted it. */
  readonly ackWanted: boolean;
  /** Tells the caller how far the call is; the value's shape is the method's `progress`. */
  progress(value: unknown): void;
  /** Tells the caller a line of text. */
  log(message: string, fields?: Readonly<Record<string, string>>, level?: LogLevel): void;
}

/** The context of a call at its handler, where there always is somebody who called. */
export interface HandlerContext extends CallContext {
  readonly peer: Peer;
}

/** Who wants to know that a call was ended early. */
export interface CancelListener {
  cancelled(reason: RpcError): void;
}

/**
 * What a user may say about one call. A handler's own context fits as well, and means `{ parent: context }`. Do not spread a context:
 * what makes it one would be lost.
 */
export interface CallOptions {
  /** Duration; a method's own `timeoutMs` holds when it is shorter. */
  readonly timeoutMs?: number | undefined;
  /** Instant on the clock's scale; the earlier of deadline and timeout holds. */
  readonly deadline?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: MetadataInit | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Notifications: settles when the peer has accepted it, instead of when it was handed over. Default: false. */
  readonly ack?: boolean | undefined;
  /** The call whose handler makes this one: its deadline, cancellation, depth and trace hold for this one too. */
  readonly parent?: CallContext | undefined;
}

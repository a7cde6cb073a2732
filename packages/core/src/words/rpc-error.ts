import { isStatusCode, type StatusCode } from "./status.ts";

/** What is known about a failed call's way to its handler: it certainly did not get there, or nobody can tell. */
export type Delivered = "no" | "unknown";

/** Everything beside code and message that an {@link RpcError} may carry. */
export interface RpcErrorOptions {
  /** A stable word for people and foreign protocols, such as `METHOD_NOT_FOUND` or an error's name in the contract. */
  readonly reason?: string | undefined;
  /** Typed data declared in the contract, or any dynamic value. */
  readonly details?: unknown;
  /** Set on UNAVAILABLE: whether the handler may have seen the call. */
  readonly delivered?: Delivered | undefined;
  /** Whether the same call may succeed when it is sent again. Default: true for UNAVAILABLE, false otherwise. */
  readonly retryable?: boolean | undefined;
  /** What caused this error in this process. It never travels. */
  readonly cause?: unknown;
  /** The handler's stack trace; only sent and received when the server sets `exposeStacks`. */
  readonly remoteStack?: string | undefined;
}

const BRAND = Symbol.for("@rpc/core/RpcError");

/**
 * The one error of this toolkit: every failed call rejects with it, on every transport.
 * `instanceof` also recognises errors made by a second copy of the package.
 */
export class RpcError<Details = unknown> extends Error {
  readonly code: StatusCode;
  readonly reason: string | undefined;
  readonly details: Details | undefined;
  readonly delivered: Delivered | undefined;
  readonly retryable: boolean;
  readonly remoteStack: string | undefined;

  constructor(code: StatusCode, message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // Types are easily lost on the way here (`catch (e)` is any): what a program decides by must hold all the same.
    this.code = isStatusCode(code) ? code : "UNKNOWN";
    this.reason = typeof options.reason === "string" ? options.reason : undefined;
    // The border between the untyped wire and a caught error: isError() of the contract proves the type.
    this.details = options.details as Details | undefined;
    this.delivered = options.delivered;
    this.retryable = options.retryable ?? code === "UNAVAILABLE";
    this.remoteStack = options.remoteStack;
  }

  static {
    // On the prototype, so that an error prints as `RpcError: …` without an own property on each.
    Object.defineProperty(this.prototype, "name", { value: "RpcError", configurable: true, writable: true });
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // The brand says "some RpcError"; which class of a user's own it is, only the prototype chain knows.
    if (this !== RpcError) return super[Symbol.hasInstance](value);
    try {
      return typeof value === "object" && value !== null && BRAND in value;
    } catch {
      // A proxy whose traps throw (hostile inputs H91).
      return false;
    }
  }

  /**
   * The only conversion from whatever was thrown. An RpcError stays itself, a DOM AbortError becomes CANCELLED, a DOM
   * TimeoutError DEADLINE_EXCEEDED, anything else UNKNOWN with its message. Never throws, whatever the value's getters do.
   */
  static from(thrown: unknown): RpcError {
    if (thrown instanceof RpcError) return thrown;
    const name = readText(thrown, "name");
    if (name === "AbortError") {
      return new RpcError("CANCELLED", readText(thrown, "message") ?? "cancelled", {
        reason: "CANCELLED",
        cause: thrown,
      });
    }
    if (name === "TimeoutError") {
      const message = readText(thrown, "message") ?? "deadline exceeded";
      return new RpcError("DEADLINE_EXCEEDED", message, { reason: "DEADLINE", cause: thrown });
    }
    const message = typeof thrown === "string" ? thrown : (readText(thrown, "message") ?? "unknown error");
    return new RpcError("UNKNOWN", message, { cause: thrown });
  }
}

/**
 * Makes an error without a stack trace, the dearest part of it. For what a peer or the network did in the ordinary course of things: a trace
 * from there shows only how the news arrived, in code that the reader of the error does not know.
 */
export function withoutTrace(make: () => RpcError): RpcError {
  // V8 alone has the limit; elsewhere, and where it is frozen, an error has its trace.
  const traces = Error as { stackTraceLimit?: number };
  const limit = traces.stackTraceLimit;
  if (limit === undefined || !Object.getOwnPropertyDescriptor(traces, "stackTraceLimit")?.writable) return make();
  traces.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    traces.stackTraceLimit = limit;
  }
}

// A hostile error may have throwing getters or be a revoked proxy (hostile inputs H91).
function readText(value: unknown, key: "name" | "message"): string | undefined {
  try {
    if (typeof value !== "object" || value === null) return undefined;
    const text = (value as Record<string, unknown>)[key];
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

import type { CallContext, CallOptions, CancelListener, LogLevel, LogLine } from "../words/call-context.ts";
import type { Clock } from "../words/clock.ts";
import { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import { hexFromBytes, randomBytes } from "../tools/bytes.ts";
import { CallScope } from "../tools/call-scope.ts";

/** Metadata that a nested call inherits: W3C trace context (https://www.w3.org/TR/trace-context/) and nothing else. */
const INHERITED_METADATA = ["traceparent", "tracestate", "baggage"];

/** Reads progress and log lines of a call that was started with a handle. */
export interface CallObserver {
  progress(value: unknown): void;
  log(line: LogLine): void;
}

/** The context of a call at its caller. */
export class CallerContext extends CallScope {
  readonly #options: CallOptions | undefined;
  readonly #observer: CallObserver | undefined;
  #id: string | undefined = undefined;
  #abort: (() => void) | undefined = undefined;
  #guard: CancelListener | undefined = undefined;

  constructor(method: MethodDescriptor, options: CallOptions | undefined, clock: Clock, observer: CallObserver | undefined) {
    super(method, deadlineOf(method, options, clock));
    this.#options = options;
    this.#observer = observer;
    if (options?.idempotencyKey?.isWellFormed() === false) throw refused(method, "idempotencyKey must not have a lone surrogate");
    if (options?.signal !== undefined) this.#follow(options.signal);
  }

  get id(): string {
    this.#id ??= hexFromBytes(randomBytes(8));
    return this.#id;
  }

  get peer(): Peer | undefined {
    return undefined;
  }

  get attempt(): number {
    return 1;
  }

  get idempotencyKey(): string | undefined {
    return this.parent === undefined ? this.#options?.idempotencyKey : undefined;
  }

  get depth(): number {
    return this.parent === undefined ? 0 : this.parent.depth + 1;
  }

  get parent(): CallContext | undefined {
    return this.#options !== undefined && isContext(this.#options) ? this.#options : undefined;
  }

  get observed(): boolean {
    return this.#observer !== undefined;
  }

  override get hasMetadata(): boolean {
    return super.hasMetadata || (this.#options?.metadata !== undefined && this.metadata.size > 0);
  }

  progress(value: unknown): void {
    this.#observer?.progress(value);
  }

  log(message: string, fields: Readonly<Record<string, string>> = {}, level: LogLevel = "info"): void {
    this.#observer?.log({ level, message, fields });
  }

  protected override initialMetadata(): Metadata {
    const { parent } = this;
    if (parent === undefined) return new Metadata(this.#options?.metadata);
    const inherited = new Metadata();
    for (const key of INHERITED_METADATA) {
      const value = parent.metadata.get(key);
      if (value !== undefined) inherited.set(key, value);
    }
    return inherited;
  }

  // Undefined: the call has ended. A signal may outlive thousands of calls, so nothing of theirs may stay with it.
  override onCancel(listener: CancelListener | undefined): void {
    if (listener === undefined && this.#guard === undefined) this.#unfollow();
    super.onCancel(listener);
  }

  /**
   * A second listener beside the call on the wire, for a call that is more than one: an interceptor may try again, or never try at all.
   * Until it is taken away the context goes on following its signal.
   */
  guardWith(listener: CancelListener | undefined): void {
    this.#guard = listener;
    if (listener === undefined) this.#unfollow();
    else if (this.cancelReason !== undefined) listener.cancelled(this.cancelReason);
  }

  override cancelWith(reason: RpcError): void {
    if (this.cancelReason !== undefined) return;
    super.cancelWith(reason);
    this.#guard?.cancelled(reason);
  }

  /** Ends with the signal it was given, or with the call whose handler makes this one. */
  #follow(signal: AbortSignal): void {
    const abort = (): void => this.cancelWith(cancelled(this.method.name, signal.reason));
    if (signal.aborted) return abort();
    this.#abort = abort;
    signal.addEventListener("abort", abort);
  }

  #unfollow(): void {
    if (this.#abort === undefined) return;
    this.#options?.signal?.removeEventListener("abort", this.#abort);
    this.#abort = undefined;
  }
}

export function cancelled(methodName: string, reason: unknown): RpcError {
  if (reason instanceof RpcError && (reason.code === "CANCELLED" || reason.code === "DEADLINE_EXCEEDED")) return reason;
  const message = reason instanceof Error || typeof reason === "string" ? RpcError.from(reason).message : "cancelled";
  return new RpcError("CANCELLED", `${methodName}: ${message}`, { reason: "CANCELLED", cause: reason });
}

function isContext(options: CallOptions): options is CallContext {
  return options instanceof CallScope;
}

function deadlineOf(method: MethodDescriptor, options: CallOptions | undefined, clock: Clock): number | undefined {
  const given = options?.timeoutMs;
  if (given !== undefined && !(given >= 0)) {
    throw refused(method, `timeoutMs must be a number of at least 0, got ${String(given)}`);
  }
  const timeoutMs = given === undefined ? method.timeoutMs : Math.min(given, method.timeoutMs ?? given);
  const outer = options?.deadline;
  if (Number.isNaN(outer)) throw refused(method, "deadline must be an instant, got NaN");
  if (timeoutMs === undefined) return outer;
  const own = clock.now() + timeoutMs;
  return outer === undefined ? own : Math.min(own, outer);
}

function refused(method: MethodDescriptor, what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${method.name}: ${what}`, { reason: "INVALID_ARGUMENT" });
}

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
  readonly parent: CallContext | undefined;
  readonly #options: CallOptions | undefined;
  readonly #observer: CallObserver | undefined;
  #id: string | undefined = undefined;
  #unfollow: (() => void) | undefined = undefined;
  #guard: CancelListener | undefined = undefined;

  constructor(
    method: MethodDescriptor,
    options: CallOptions | undefined,
    clock: Clock,
    observer: CallObserver | undefined,
  ) {
    // A context passed as options is the parent and says nothing else about this call.
    const parent = options instanceof CallScope ? options : options?.parent;
    const own = options instanceof CallScope ? undefined : options;
    super(method, deadlineOf(method, own, parent, clock));
    this.parent = parent;
    this.#options = own;
    this.#observer = observer;
    if (own?.idempotencyKey?.isWellFormed() === false)
      throw refused(method, "idempotencyKey must not have a lone surrogate");
    if (own?.signal !== undefined) this.#follow(own.signal);
    if (parent !== undefined) this.#follow(parent.signal);
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
    return this.#options?.idempotencyKey;
  }

  get depth(): number {
    return this.parent === undefined ? 0 : this.parent.depth + 1;
  }

  get observed(): boolean {
    return this.#observer !== undefined;
  }

  override get ackWanted(): boolean {
    return this.#options?.ack === true;
  }

  override get hasMetadata(): boolean {
    if (super.hasMetadata) return true;
    return (this.#options?.metadata !== undefined || this.parent?.hasMetadata === true) && this.metadata.size > 0;
  }

  progress(value: unknown): void {
    this.#observer?.progress(value);
  }

  log(message: string, fields: Readonly<Record<string, string>> = {}, level: LogLevel = "info"): void {
    this.#observer?.log({ level, message, fields });
  }

  protected override initialMetadata(): Metadata {
    const metadata = new Metadata(this.#options?.metadata);
    if (this.parent?.hasMetadata !== true) return metadata;
    for (const key of INHERITED_METADATA) {
      const value = this.parent.metadata.get(key);
      if (value !== undefined && !metadata.has(key)) metadata.set(key, value);
    }
    return metadata;
  }

  // Undefined: the call has ended. A signal may outlive thousands of calls, so nothing of theirs may stay with it.
  override onCancel(listener: CancelListener | undefined): void {
    if (listener === undefined && this.#guard === undefined) this.#letGo();
    super.onCancel(listener);
  }

  /**
   * A second listener beside the call on the wire, for a call that is more than one: an interceptor may try again, or never try at all.
   * Until it is taken away the context goes on following its signal.
   */
  guardWith(listener: CancelListener | undefined): void {
    this.#guard = listener;
    if (listener === undefined) this.#letGo();
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
    const before = this.#unfollow;
    signal.addEventListener("abort", abort);
    this.#unfollow = () => {
      signal.removeEventListener("abort", abort);
      before?.();
    };
  }

  #letGo(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }
}

function cancelled(methodName: string, reason: unknown): RpcError {
  if (reason instanceof RpcError && (reason.code === "CANCELLED" || reason.code === "DEADLINE_EXCEEDED")) return reason;
  const message = reason instanceof Error || typeof reason === "string" ? RpcError.from(reason).message : "cancelled";
  return new RpcError("CANCELLED", `${methodName}: ${message}`, { reason: "CANCELLED", cause: reason });
}

function deadlineOf(
  method: MethodDescriptor,
  options: CallOptions | undefined,
  parent: CallContext | undefined,
  clock: Clock,
): number | undefined {
  const given = options?.timeoutMs;
  if (given !== undefined && !(given >= 0)) {
    throw refused(method, `timeoutMs must be a number of at least 0, got ${String(given)}`);
  }
  if (Number.isNaN(options?.deadline)) throw refused(method, "deadline must be an instant, got NaN");
  let deadline = options?.deadline;
  if (parent?.deadline !== undefined) deadline = Math.min(parent.deadline, deadline ?? parent.deadline);
  const timeoutMs = given === undefined ? method.timeoutMs : Math.min(given, method.timeoutMs ?? given);
  if (timeoutMs === undefined) return deadline;
  const own = clock.now() + timeoutMs;
  return deadline === undefined ? own : Math.min(own, deadline);
}

function refused(method: MethodDescriptor, what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${method.name}: ${what}`, { reason: "INVALID_ARGUMENT" });
}

import type { CallOptions, Clock, Peer } from "@rpc/core";
import { Metadata, RpcError } from "@rpc/core";
import {
  type CallContext,
  CallScope,
  dynamicCodec,
  type MessageShape,
  type MethodDescriptor,
} from "@rpc/core/transport";

const DYNAMIC: MessageShape = { codec: dynamicCodec, validate: undefined, jsonSchema: undefined };
const NO_ERRORS: ReadonlyMap<string, MessageShape> = new Map();

/** A method of which nothing is known but its name. */
export function dynamicMethod(name: string, idempotent = false): MethodDescriptor {
  return {
    name,
    contract: name.slice(0, Math.max(0, name.lastIndexOf("."))),
    kind: "unary",
    input: DYNAMIC,
    output: DYNAMIC,
    progress: DYNAMIC,
    errors: NO_ERRORS,
    idempotent,
    timeoutMs: undefined,
    doc: undefined,
  };
}

/** The context of a call that is made by name. */
export class DynamicContext extends CallScope {
  readonly parent: CallContext | undefined;
  readonly #options: CallOptions | undefined;
  #id: string | undefined = undefined;
  #unfollow: (() => void)[] = [];

  constructor(method: MethodDescriptor, options: CallOptions | undefined, clock: Clock) {
    const own = options instanceof CallScope ? undefined : options;
    const parent = options instanceof CallScope ? options : options?.parent;
    super(method, deadlineOf(method, own, parent, clock));
    this.parent = parent;
    this.#options = own;
    if (own?.signal !== undefined) this.#follow(own.signal);
    if (parent !== undefined) this.#follow(parent.signal);
  }

  get id(): string {
    this.#id ??= crypto.randomUUID();
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
    return false;
  }

  override get hasMetadata(): boolean {
    return super.hasMetadata || (this.#options?.metadata !== undefined && this.metadata.size > 0);
  }

  protected override initialMetadata(): Metadata {
    return new Metadata(this.#options?.metadata);
  }

  // Undefined: the call has ended, and the signal may live on.
  override onCancel(listener: Parameters<CallScope["onCancel"]>[0]): void {
    super.onCancel(listener);
    if (listener !== undefined) return;
    for (const unfollow of this.#unfollow.splice(0)) unfollow();
  }

  progress(): void {
    // Nothing comes back before the reply.
  }

  log(): void {
    // As progress.
  }

  #follow(signal: AbortSignal): void {
    const abort = (): void => this.cancelWith(cancelled(this.method.name, signal.reason));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    this.#unfollow.push(() => signal.removeEventListener("abort", abort));
  }
}

function cancelled(method: string, reason: unknown): RpcError {
  if (reason instanceof RpcError && (reason.code === "CANCELLED" || reason.code === "DEADLINE_EXCEEDED")) return reason;
  const message = reason instanceof Error || typeof reason === "string" ? RpcError.from(reason).message : "cancelled";
  return new RpcError("CANCELLED", `${method}: ${message}`, { reason: "CANCELLED", cause: reason });
}

function deadlineOf(
  method: MethodDescriptor,
  options: CallOptions | undefined,
  parent: CallContext | undefined,
  clock: Clock,
): number | undefined {
  const { timeoutMs, deadline } = options ?? {};
  if ((timeoutMs !== undefined && !(timeoutMs >= 0)) || Number.isNaN(deadline)) {
    const message = `${method.name}: timeoutMs and deadline must be numbers, timeoutMs of at least 0`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
  }
  const ends = [deadline, parent?.deadline, timeoutMs === undefined ? undefined : clock.now() + timeoutMs];
  const known = ends.filter((end) => end !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

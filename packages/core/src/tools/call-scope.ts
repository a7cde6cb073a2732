import type { CallContext, CancelListener, LogLevel } from "../words/call-context.ts";
import { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Peer } from "../words/peer.ts";
import type { RpcError } from "../words/rpc-error.ts";

/**
 * The part of a call's context that both ends share. One is made per call, so it holds nothing that most calls never ask for:
 * the abort controller and both metadata come into being on first use.
 */
export abstract class CallScope implements CallContext {
  readonly method: MethodDescriptor;
  readonly deadline: number | undefined;
  cancelReason: RpcError | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #listener: CancelListener | undefined = undefined;
  #metadata: Metadata | undefined = undefined;
  #responseMetadata: Metadata | undefined = undefined;

  constructor(method: MethodDescriptor, deadline: number | undefined) {
    this.method = method;
    this.deadline = deadline;
  }

  abstract readonly id: string;
  abstract readonly peer: Peer | undefined;
  abstract readonly attempt: number;
  abstract readonly idempotencyKey: string | undefined;
  abstract readonly depth: number;
  abstract readonly parent: CallContext | undefined;
  abstract readonly observed: boolean;
  abstract progress(value: unknown): void;
  abstract log(message: string, fields?: Readonly<Record<string, string>>, level?: LogLevel): void;

  get ackWanted(): boolean {
    return false;
  }

  /** The id of this call where it came in by that session, which a call back names; 0: it came in elsewhere, or not at all. */
  callIdAt(_session: object): number {
    return 0;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.cancelReason !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.cancelReason);
    return this.#controller.signal;
  }

  onCancel(listener: CancelListener | undefined): void {
    this.#listener = listener;
    if (this.cancelReason !== undefined) listener?.cancelled(this.cancelReason);
  }

  /** Ends the call early; the first reason stays. */
  cancelWith(reason: RpcError): void {
    if (this.cancelReason !== undefined) return;
    this.cancelReason = reason;
    this.#listener?.cancelled(reason);
    this.#controller?.abort(reason);
  }

  get metadata(): Metadata {
    this.#metadata ??= this.initialMetadata();
    return this.#metadata;
  }

  get hasMetadata(): boolean {
    return (this.#metadata?.size ?? 0) > 0;
  }

  get responseMetadata(): Metadata {
    this.#responseMetadata ??= new Metadata();
    return this.#responseMetadata;
  }

  /** Response metadata if anybody asked for it, so that a reply without any costs nothing. */
  get responseMetadataIfAny(): Metadata | undefined {
    return this.#responseMetadata !== undefined && this.#responseMetadata.size > 0 ? this.#responseMetadata : undefined;
  }

  /** Called once, when `metadata` is first read. */
  protected initialMetadata(): Metadata {
    return new Metadata();
  }
}

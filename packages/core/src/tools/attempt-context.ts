import type { CallContext, LogLevel } from "../words/call-context.ts";
import type { Metadata } from "../words/metadata.ts";
import type { Peer } from "../words/peer.ts";
import { CallScope } from "./call-scope.ts";

/**
 * One try of a call that may have several. It is the caller's own call in everything but these: it is cancelled by itself, it knows which
 * try it is, and what its handler sets as response metadata reaches the caller only when this is the try that counts.
 */
export class AttemptContext extends CallScope {
  readonly attempt: number;
  readonly #source: CallContext;

  /** `number`: 1 for the first try. */
  constructor(source: CallContext, number: number) {
    super(source.method, source.deadline);
    this.#source = source;
    this.attempt = source.attempt + number - 1;
  }

  get id(): string {
    return this.#source.id;
  }

  get peer(): Peer | undefined {
    return this.#source.peer;
  }

  get idempotencyKey(): string | undefined {
    return this.#source.idempotencyKey;
  }

  get depth(): number {
    return this.#source.depth;
  }

  get parent(): CallContext | undefined {
    return this.#source.parent;
  }

  get observed(): boolean {
    return this.#source.observed;
  }

  override get ackWanted(): boolean {
    return this.#source.ackWanted;
  }

  override get metadata(): Metadata {
    return this.#source.metadata;
  }

  override get hasMetadata(): boolean {
    return this.#source.hasMetadata;
  }

  progress(value: unknown): void {
    if (this.cancelReason === undefined) this.#source.progress(value);
  }

  log(message: string, fields?: Readonly<Record<string, string>>, level?: LogLevel): void {
    if (this.cancelReason === undefined) this.#source.log(message, fields, level);
  }

  /** This try counts: what its handler said beside its output is for the caller. */
  keepResponse(): void {
    for (const [key, value] of this.responseMetadataIfAny ?? []) this.#source.responseMetadata.set(key, value);
  }
}

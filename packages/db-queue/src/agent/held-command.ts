import { type Handler, type LogLevel, type Metadata, type Peer, RpcError } from "@rpc/core";
import { CallScope, dynamicCodec, type Expiring, type MessageShape, type MethodDescriptor } from "@rpc/core/transport";
import { logEvent, progressEvent } from "../command/event.ts";
import { type CommandMeta, readMeta, timeLeftMs } from "../command/meta.ts";
import { methodOf } from "../command/method.ts";
import type { KeepEvents } from "../issuer/options.ts";
import type { Answer, Claim, JsonText, NewEvent } from "../store/store-words.ts";
import { EventBuffer, MAX_EVENT_CHARACTERS } from "./event-buffer.ts";
import { IssuerPeer } from "./issuer-peer.ts";

/** An answer without the claim that it is to. */
export type Verdict = Answer extends infer Each ? (Each extends Answer ? Omit<Each, "id" | "token"> : never) : never;

/** `waiting` → `running` → `answered` → `over`; also from anywhere to `over`, when the row is somebody else's. */
export type HeldState = "waiting" | "running" | "answered" | "over";

/** Why the handler's signal was aborted; undefined: it was not, or by nobody who is concerned here. */
export type Interruption = "cancel" | "deadline" | "lease" | "closing";

export interface HeldOptions {
  readonly endpoint: string;
  /** When the claim was asked for, on the local clock: the lease began no sooner. */
  readonly sentAt: number;
  readonly leaseMs: number;
  readonly keepEvents: KeepEvents;
  /** Told of new events. */
  readonly eventful: (command: HeldCommand) => void;
  readonly expired: (command: HeldCommand) => void;
}

/** A claim of this agent, and the context that its handler sees. */
export class HeldCommand extends CallScope implements Expiring {
  readonly claim: Claim;
  readonly meta: CommandMeta;
  readonly isServed: boolean;
  /** Local clock. Until then nobody else has it. */
  leaseUntil: number;
  /** Local clock. From then on it must not start. */
  readonly expiresAt: number;
  state: HeldState = "waiting";
  interruption: Interruption | undefined = undefined;
  /** Once `answered`. */
  verdict: Verdict | undefined = undefined;
  /** What is too large for its row, a result or an error's details: it goes into events, before the answer. */
  spill: JsonText | undefined = undefined;
  /** How many parts of it are there, and after which event they begin. */
  spilled: { readonly parts: number; readonly afterSeq: number | undefined } = { parts: 0, afterSeq: undefined };
  /** Its handler runs, whatever has become of the row. */
  isRunning = false;
  graceTimer: unknown = undefined;
  /** The database could not hold the first one. */
  isAnswerReplaced = false;
  /** It was sent, and nobody knows whether it has arrived. */
  isAnswerUncertain = false;
  readonly #options: HeldOptions;
  #events: EventBuffer | undefined = undefined;
  #peer: Peer | undefined = undefined;

  constructor(handler: Handler, claim: Claim, options: HeldOptions) {
    const meta = readMeta(claim.meta);
    const served = methodOf(handler, claim, meta);
    const leftMs = timeLeftMs(meta, claim.remainingMs);
    super(served ?? unknownMethod(claim, meta), leftMs === undefined ? undefined : options.sentAt + leftMs);
    this.claim = claim;
    this.meta = meta;
    this.isServed = served !== undefined;
    this.leaseUntil = options.sentAt + options.leaseMs;
    this.expiresAt = options.sentAt + (claim.remainingMs ?? Number.POSITIVE_INFINITY);
    this.#options = options;
  }

  get id(): string {
    return this.meta.callId ?? `${this.#options.endpoint}/${this.claim.id}`;
  }
  get attempt(): number {
    return this.claim.attempt;
  }
  get idempotencyKey(): string | undefined {
    return this.claim.idempotencyKey;
  }
  get depth(): number {
    return this.meta.depth ?? 0;
  }
  get parent(): undefined {
    return undefined;
  }
  /** Rows are read by people, too, and later; not those of notifications, and not where the caller has said that nobody does. */
  get observed(): boolean {
    return !this.claim.notification && (this.meta.observed !== false || this.#options.keepEvents === "all");
  }
  get peer(): Peer {
    const { createdBy, id } = this.claim;
    this.#peer ??= new IssuerPeer(createdBy, `${this.#options.endpoint}/${id}`, (reason) => this.cancelWith(reason));
    return this.#peer;
  }
  override get hasMetadata(): boolean {
    return this.meta.metadata !== undefined || super.hasMetadata;
  }
  protected override initialMetadata(): Metadata {
    return this.meta.metadata ?? super.initialMetadata();
  }

  /** Throws INVALID_ARGUMENT for a value that cannot travel, RESOURCE_EXHAUSTED for one beyond 64 KiB. */
  progress(value: unknown): void {
    if (!this.#canTell()) return;
    const event = progressEvent(this.method, value);
    if (event.data.length > MAX_EVENT_CHARACTERS)
      throw new RpcError("RESOURCE_EXHAUSTED", `${this.method.name}: progress has more than 64 KiB`, {
        reason: "maxEventBytes",
      });
    this.#tell(event);
  }

  /** A text beyond 64 KiB is cut; then its fields are left out as well. */
  log(message: string, fields: Readonly<Record<string, string>> = {}, level: LogLevel = "info"): void {
    if (!this.#canTell()) return;
    const event = logEvent({ level, message, fields });
    if (event.data.length <= MAX_EVENT_CHARACTERS) return this.#tell(event);
    // Escapes may make six characters of one.
    let kept = message.slice(0, MAX_EVENT_CHARACTERS - 100);
    let cut = logEvent({ level, message: `${kept}…`, fields: {} });
    if (cut.data.length > MAX_EVENT_CHARACTERS) {
      kept = kept.slice(0, Math.floor(kept.length / 6));
      cut = logEvent({ level, message: `${kept}…`, fields: {} });
    }
    this.#tell(cut);
  }

  expire(): void {
    this.#options.expired(this);
  }

  /** What its row does not have yet; undefined: nothing was ever said. */
  get events(): EventBuffer | undefined {
    return this.#events;
  }

  get hasEvents(): boolean {
    return this.#events !== undefined && !this.#events.isEmpty;
  }

  #canTell(): boolean {
    return this.observed && this.state === "running";
  }

  #tell(event: NewEvent): void {
    this.#events ??= new EventBuffer();
    this.#events.push(event);
    this.#options.eventful(this);
  }
}

const ANY_VALUE: MessageShape = Object.freeze({ codec: dynamicCodec, validate: undefined, jsonSchema: undefined });

/** Of a command that is refused; it has its lease and its answer as all others. */
function unknownMethod({ method }: Claim, { contract }: CommandMeta): MethodDescriptor {
  return {
    name: contract === undefined ? method : `${contract}.${method}`,
    contract: contract ?? "",
    kind: "unary",
    input: ANY_VALUE,
    output: ANY_VALUE,
    progress: ANY_VALUE,
    errors: new Map(),
    idempotent: false,
    timeoutMs: undefined,
    doc: undefined,
  };
}

/** What goes into a store and what comes out; see store.ts for the words. */

/** The text of a JSON value, as `JSON.stringify` makes it. */
export type JsonText = string;

/**
 * `queued` → `claimed` → `done | failed | cancelled`; `queued` → `expired | cancelled`; `claimed` → `queued` (retry, release);
 * `waiting`: a broadcast whose copies have not all ended. The last four never change.
 */
export type CommandState = "queued" | "waiting" | "claimed" | "done" | "failed" | "expired" | "cancelled";

export interface MigrationReport {
  /** Numbers of the migrations that this call has made; empty when there was nothing to do. */
  readonly applied: readonly number[];
  /** The newest in the database; greater than this package's own where a newer version has been at work. */
  readonly version: number;
}

export interface AddressRow {
  readonly id: number;
  readonly name: string;
  readonly paused: boolean;
  readonly createdAt: number;
}

export interface AgentRef {
  readonly address: string;
  readonly agent: string;
  readonly incarnation: string;
}

export interface Subscription extends AgentRef {
  /** What it can do, for who looks; it gets other commands all the same. */
  readonly methods?: readonly string[] | undefined;
  /** For who looks. Default: 1. */
  readonly concurrency?: number | undefined;
}

export interface Subscribed {
  /** The incarnation that was fenced; undefined: none. */
  readonly replaced: string | undefined;
  /** The database's clock. */
  readonly serverAt: number;
}

export interface AgentRow extends AgentRef {
  readonly methods: readonly string[] | undefined;
  readonly concurrency: number;
  readonly startedAt: number;
  readonly lastSeenAt: number;
  /** How long ago that was. */
  readonly unseenMs: number;
}

export interface NewCommand {
  /** Name of an address that exists. */
  readonly address: string;
  readonly method: string;
  /** A list. Default: `[]`. */
  readonly args?: JsonText | undefined;
  /** An object. Default: `{}`. */
  readonly kwargs?: JsonText | undefined;
  /** An object. Default: `{}`. */
  readonly meta?: JsonText | undefined;
  /** Higher first. From −32,768 to 32,767. Default: 0. */
  readonly priority?: number | undefined;
  /** Commands of one address, key and target agent run one at a time, in the order of their ids. */
  readonly orderingKey?: string | undefined;
  /**
   * A second insert with the same key at the same address gives the first one's id. Another method or other arguments: CONFLICT.
   */
  readonly idempotencyKey?: string | undefined;
  /** Only this agent gets it. */
  readonly targetAgent?: string | undefined;
  /** From 1 to 32,767. Default: 1. */
  readonly maxAttempts?: number | undefined;
  /** It does not start sooner. Default: 0. */
  readonly delayMs?: number | undefined;
  /** It does not start later. Undefined: never expires. */
  readonly expiresMs?: number | undefined;
  readonly createdBy?: string | undefined;
  /** One copy for each subscribed agent; the row itself waits for them (`waiting`). Its result is their list by agent,
   * `[{agent, id, state, result?, error?}]` with values, not texts; it ends `done`, or `cancelled` with the same list when it was cancelled. */
  readonly broadcast?: boolean | undefined;
  /** Nobody wants its outcome: the row is deleted when it ends, however it does. */
  readonly notification?: boolean | undefined;
  /** Given: refused (NO_AGENT, PAUSED) unless the address runs and has an agent seen so recently; of a broadcast, only those get copies. */
  readonly agentSeenWithinMs?: number | undefined;
}

export interface Inserted {
  readonly id: number;
  /** Of an earlier one with the same key whatever it has come to. A broadcast that reaches nobody is `done` at once. */
  readonly state: CommandState;
  /** The idempotency key was there already. */
  readonly existing: boolean;
  /** Agents that a broadcast goes to; 0 for others. */
  readonly copies: number;
}

export interface ClaimRequest extends AgentRef {
  readonly max: number;
  readonly leaseMs: number;
  /**
   * Tokens of all that this incarnation holds, given after a claim whose answer was lost: what else it has claimed goes back first, as never
   * started, and wakes. Undefined: nothing goes back.
   */
  readonly held?: readonly string[] | undefined;
}

export interface Claimed {
  readonly claims: readonly Claim[];
  /** Given with fewer claims than asked for: how long until the next delayed command is due. Undefined: none is. */
  readonly nextDueMs: number | undefined;
}

export interface Claim {
  readonly id: number;
  /** Proves the claim in every answer. */
  readonly token: string;
  readonly method: string;
  readonly args: JsonText;
  readonly kwargs: JsonText;
  readonly meta: JsonText;
  /** 1 on the first try. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly priority: number;
  readonly orderingKey: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly createdBy: string | undefined;
  readonly createdAt: number;
  /** How long until it expires; undefined: never. */
  readonly remainingMs: number | undefined;
  readonly notification: boolean;
}

export interface ClaimRef {
  readonly id: number;
  readonly token: string;
}

export type Answer = ClaimRef &
  (
    | { readonly outcome: "done"; readonly result: JsonText }
    /** Queued again when it is retryable, tries and time are left, and nobody has cancelled it; after `retryDelayMs` or the usual back-off. */
    | {
        readonly outcome: "failed";
        readonly error: JsonText;
        readonly retryable?: boolean | undefined;
        readonly retryDelayMs?: number | undefined;
      }
    | { readonly outcome: "cancelled"; readonly error: JsonText }
    /** Never started: queued again, and the attempt does not count. */
    | { readonly outcome: "released" }
  );

export interface Settled {
  readonly state: CommandState;
  /** `queued`: how long until it is due again. */
  readonly delayMs: number | undefined;
}

export interface LeaseExtension extends ClaimRef {
  readonly leaseMs: number;
}

export interface Extended {
  readonly leaseUntilAt: number;
  /** Somebody wants it to end; the reason, empty when none was given. */
  readonly cancel: string | undefined;
}

export interface NewEvent {
  /** `progress`, `log`, or the layer's above own. */
  readonly kind: string;
  readonly data: JsonText;
}

export interface EventBatch extends ClaimRef {
  /**
   * Counts the batches of one claim, from 1: one that is there already is not written again, so that it may be sent again when its answer was
   * lost. Undefined: written however often it comes.
   */
  readonly batch?: number | undefined;
  readonly events: readonly NewEvent[];
}

export interface Appended {
  /** Of the last one; of a batch that was there already, the command's last one so far. Numbers of a command begin with 1 and have no gap. */
  readonly seq: number;
}

export interface Cancel {
  readonly id: number;
  readonly reason?: string | undefined;
}

export interface Cancelled {
  /** `cancelled`: it never started. `claimed`, `waiting`: asked to end. Another: too late. */
  readonly state: CommandState;
}

export interface Outcome {
  readonly id: number;
  readonly state: CommandState;
  readonly result: JsonText | undefined;
  readonly error: JsonText | undefined;
}

export interface CommandRow extends Outcome {
  readonly address: string;
  /** The broadcast that this is a copy of. */
  readonly parentId: number | undefined;
  readonly method: string;
  readonly args: JsonText;
  readonly kwargs: JsonText;
  readonly meta: JsonText;
  readonly priority: number;
  readonly orderingKey: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly targetAgent: string | undefined;
  readonly notification: boolean;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly notBeforeAt: number;
  readonly expiresAt: number | undefined;
  readonly leaseUntilAt: number | undefined;
  /** Who has it, or had it last. */
  readonly agent: string | undefined;
  readonly incarnation: string | undefined;
  readonly cancelRequestedAt: number | undefined;
  readonly cancelReason: string | undefined;
  readonly createdAt: number;
  readonly createdBy: string | undefined;
  readonly claimedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly progress: JsonText | undefined;
}

export interface EventRow extends NewEvent {
  readonly seq: number;
  readonly at: number;
}

/** All that is given must hold. Newest first. */
export interface CommandFilter {
  readonly address?: string | undefined;
  readonly states?: readonly CommandState[] | undefined;
  readonly method?: string | undefined;
  /** Who has it, or had it last. */
  readonly agent?: string | undefined;
  readonly parentId?: number | undefined;
  /** Only lower ids: the last one of a page gives the next. */
  readonly beforeId?: number | undefined;
  /** Default: 100; at most 1000. */
  readonly limit?: number | undefined;
}

export interface QueueStats {
  readonly address: string;
  readonly paused: boolean;
  /** Could start now. */
  readonly readyCount: number;
  /** Queued for later. */
  readonly delayedCount: number;
  readonly claimedCount: number;
  readonly waitingCount: number;
  /** How long the oldest ready one could have started; undefined: none is ready. */
  readonly oldestReadyMs: number | undefined;
  readonly agentCount: number;
  /**
   * What has finished in the last `windowMs` (default 5 min), of those at most the newest 10,000; of more than two addresses at once the
   * newest 20,000 in equal shares, though of none less than 100.
   */
  readonly finished: FinishedStats;
}

export interface FinishedStats {
  readonly done: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  /** Tries beyond the first. */
  readonly retries: number;
  /** From when it could start (its last try's `notBeforeAt`) to its claim. */
  readonly waitMs: Percentiles | undefined;
  /** From claim to end. */
  readonly runMs: Percentiles | undefined;
}

/** Nearest rank: a value that occurred. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export interface ReapOptions {
  /** Rows of each kind at once. Default: 500. */
  readonly limit?: number | undefined;
  /** Queued copies of broadcasts end NO_AGENT when their agent has been unseen for so long, or is not subscribed. Undefined: they wait. */
  readonly agentLostMs?: number | undefined;
}

export interface Reaped {
  readonly expired: number;
  /** Queued again after a lost lease. */
  readonly requeued: number;
  /** Ended for a lost lease, or a lost agent. */
  readonly failed: number;
  readonly cancelled: number;
  /** A limit was reached: do it again at once. */
  readonly more: boolean;
}

export interface Retention {
  /** Default: 7 days. */
  readonly doneMs?: number | undefined;
  /** Of failed, expired and cancelled ones. Default: 30 days. */
  readonly othersMs?: number | undefined;
  /** Commands at once, copies of broadcasts not counted. Default: 500. */
  readonly limit?: number | undefined;
}

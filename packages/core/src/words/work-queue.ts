import type { CallContext } from "./call-context.ts";
import type { MetadataEntries, Outcome } from "./envelope.ts";
import type { MetadataInit } from "./metadata.ts";
import type { MethodDescriptor } from "./method.ts";
import type { Peer } from "./peer.ts";
import type { RpcError } from "./rpc-error.ts";
import type { Awaitable } from "./transport.ts";

/**
 * Producer and consumer. A *job* is one input that waits in a *queue* until a *consumer* takes it. A *delivery* is one job given to one
 * consumer; its *attempt* is the number of the try. The consumer *settles* it: `ack` with the output, `retry` to have it tried again, or
 * `reject` when no further try can help. A job that has used up its attempts is a *dead letter*.
 */

export interface SubmitOptions {
  /** The job starts no sooner. Default: 0. */
  readonly delayMs?: number | undefined;
  /** Higher first, then oldest first. A whole number from −1,000,000 to 1,000,000. Default: 0. */
  readonly priority?: number | undefined;
  /**
   * While a job with the same key waits, no second one is made: both submissions get the outcome of the one. Keys belong to their submitter
   * (its identity, or its process). Another input with the same key fails ALREADY_EXISTS, reason `CONFLICT`.
   */
  readonly key?: string | undefined;
  /** Tries, the first one included; no more than the queue gives. Default: the queue's. */
  readonly maxAttempts?: number | undefined;
  /** The job ends DEADLINE_EXCEEDED when it has not been done by then, and never starts afterwards. Default: the contract's. */
  readonly timeoutMs?: number | undefined;
  /** Gives the job up, before it is queued and afterwards. */
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: MetadataInit | undefined;
  readonly parent?: CallContext | undefined;
}

/** A job that a queue has accepted. */
export interface Ticket<Output> {
  readonly id: string;
  /** The output; rejects with the job's error. The same promise every time. */
  result(): Promise<Output>;
  /** Gives the job up: a waiting one never starts, a running one gets its signal, a finished one stays as it is. Somebody else's interest in it stays. */
  cancel(reason?: string): Promise<void>;
}

/** Where a handler sees its job. `attempt` is 1 on the first try; `peer` is who gave the job to this process, undefined in the queue's own process. */
export type JobContext = CallContext;

export interface ConsumeOptions<Input, Output> {
  /** Jobs at once. Default: 1. */
  readonly concurrency?: number | undefined;
  /** Jobs that wait here while `concurrency` others run; saves a round trip per job, at the cost of fairness. Default: 0. */
  readonly prefetch?: number | undefined;
  readonly handle: (input: Input, context: JobContext) => Awaitable<Output>;
  readonly metadata?: MetadataInit | undefined;
  /** Whether it goes on after a lost connection, or tries again while there is none yet; only where the transport dials. Default: true. */
  readonly reconnect?: boolean | undefined;
}

/** Takes jobs until it is closed. */
export interface Consumer extends AsyncDisposable {
  /** Settles when jobs can come; rejects when the queue refuses. */
  readonly ready: Promise<void>;
  /** Jobs that are being handled now. */
  readonly running: number;
  /** Settles with the error that ended it, undefined after `close`. Never rejects. */
  readonly closed: Promise<RpcError | undefined>;
  /** Takes no more, gives back what has not started, and lets running jobs finish for `drainMs` (default: 0); the rest goes to other consumers. */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>;
}

/** What a client offers for a job. */
export interface JobClient<Sent, Output, Input, Returned> {
  /** Settles when the queue has accepted the job. */
  submit(input: Sent, options?: SubmitOptions): Promise<Ticket<Output>>;
  /** Takes jobs from now on. */
  consume(options: ConsumeOptions<Input, Returned>): Consumer;
}

/** A job that ended in failure after it was started. */
export interface DeadJob {
  readonly id: string;
  /** As it was submitted, before anybody has proved it; undefined when it cannot be decoded. */
  readonly input: unknown;
  readonly attempts: number;
}

/** What a router offers for a job that it hosts. */
export interface JobDesk<Sent, Output> {
  submit(input: Sent, options?: SubmitOptions): Promise<Ticket<Output>>;
  readonly waitingCount: number;
  readonly runningCount: number;
  readonly consumerCount: number;
  /** Ends the job for everybody. Throws NOT_FOUND for an id that this queue never gave; a finished job stays as it is. */
  cancel(id: string, reason?: string): void;
  /** Ends the queue: submitters of what waits or runs get UNAVAILABLE. Idempotent. */
  close(reason?: RpcError): void;
}

// ---- the port: the same on a transport, on a handler and on a queue

/** A job on its way into a queue; deadline, metadata and cancellation are its context's. */
export interface JobRequest {
  readonly method: MethodDescriptor;
  /** A value, or a payload that is encoded already. */
  readonly input: unknown;
  readonly delayMs: number;
  readonly priority: number;
  readonly key: string | undefined;
  readonly maxAttempts: number | undefined;
}

/** Who waits for a job. */
export interface Submitter {
  /** The job is in the queue. Once, before `done` and unless it fails at once. */
  queued(id: string): void;
  done(output: unknown): void;
  failed(error: RpcError): void;
}

/** A submitter's hold on its job. To give the job up, the context is cancelled. */
export interface SubmittedJob {
  /** Whether a consumer has it now; undefined: not known. A drain waits for what runs, not for what waits. */
  readonly running?: boolean | undefined;
  /** The submitter is gone, or does not care any more; the job goes on. */
  detach(): void;
}

/** A job given to a consumer. */
export interface JobDelivery {
  /** Names the delivery among those of this consumer. */
  readonly delivery: number;
  readonly attempt: number;
  readonly input: unknown;
  readonly metadata: MetadataEntries | undefined;
  /** Instant on the clock's scale; undefined: none. */
  readonly deadline: number | undefined;
}

/** What became of a delivery. */
export interface Settlement {
  readonly delivery: number;
  readonly outcome: Outcome;
  /** With `ack`. */
  readonly output: unknown;
  /** With the others. `delivered: "no"`: the handler was not started, the attempt does not count. */
  readonly error: RpcError | undefined;
}

/** Who takes jobs. */
export interface JobTaker {
  /** Whether it takes a job now; when it does again, it tells its feed by `resume`. */
  readonly writable: boolean;
  /** Jobs can come from now on. */
  ready(): void;
  /** Never more at once than the credit. A feed that cannot wait gives it also when the taker is not writable. */
  job(delivery: JobDelivery): void;
  /** The job is over whatever becomes of it here; it is settled all the same, which frees its place. */
  abandon(delivery: number, reason: RpcError): void;
  /** No more comes. Once, unless the taker has closed the feed. */
  ended(error: RpcError | undefined): void;
}

/** Where a consumer's jobs come from. It tells the taker nothing before `open`. */
export interface JobFeed {
  /** Who gives the jobs; undefined: this process itself. */
  readonly peer: Peer | undefined;
  /** `credits`: jobs at once. A settled job gives its credit back. */
  open(credits: number): void;
  settle(settlement: Settlement): void;
  /** The taker takes jobs again. */
  resume(): void;
  /** Takes no more jobs; `ended` follows when what was taken is settled. */
  finish(): void;
  /** Ends it at once; what was taken goes to other consumers. The taker is not told. Idempotent. */
  close(reason: RpcError): void;
}

/**
 * A queue as producers and consumers reach it, here or behind a wire. Callbacks instead of promises: a job passes through without one.
 * An implementation calls back whenever it likes, from a database as well as from memory.
 */
export interface WorkQueue {
  /** A consumer that was lost can be made again here: the port finds a new way by itself. */
  readonly lasting?: boolean | undefined;
  /** Failures, refusals among them, go to the submitter. */
  submit(request: JobRequest, context: CallContext, submitter: Submitter): SubmittedJob;
  /** Ends also when the context is cancelled. Throws RpcError for a consumer that cannot be. */
  consume(context: CallContext, taker: JobTaker): JobFeed;
}

import type { JobFeed, JobTaker, Settlement } from "../words/work-queue.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { QueuedJob } from "./queued-job.ts";

/** The queue, as its consumers see it. */
export interface ConsumerOwner {
  /** It may take another job, or fewer than before. */
  changed(consumer: QueueConsumer): void;
  settled(consumer: QueueConsumer, job: QueuedJob, settlement: Settlement): void;
  /** It is gone; these were with it. */
  lost(consumer: QueueConsumer, jobs: Iterable<QueuedJob>, reason: RpcError): void;
}

/** One consumer at its queue: what it has taken, and how much more it takes. */
export class QueueConsumer implements JobFeed {
  readonly #owner: ConsumerOwner;
  readonly taker: JobTaker;
  readonly peer: undefined = undefined;
  /** From 1. */
  readonly id: number;
  /** Told apart by age, when they are equally busy. */
  lastServed: number;
  /** Place among the consumers with credit; −1: not there. */
  index = -1;
  #open = new Map<number, QueuedJob | undefined>();
  #credits = 0;
  #opened = false;
  #finishing = false;
  #closed = false;

  constructor(owner: ConsumerOwner, taker: JobTaker, lastServed: number, id: number) {
    this.#owner = owner;
    this.taker = taker;
    this.lastServed = lastServed;
    this.id = id;
  }

  /** Jobs with it that are not settled. */
  get openCount(): number {
    return this.#open.size;
  }

  /** It takes no more, and gives back what it has not started. */
  get finishing(): boolean {
    return this.#finishing;
  }

  get takesMore(): boolean {
    return this.#opened && !this.#finishing && !this.#closed && this.#open.size < this.#credits && this.taker.writable;
  }

  open(credits: number): void {
    if (this.#opened || this.#closed) return;
    this.#opened = true;
    this.#credits = credits;
    this.taker.ready();
    this.#owner.changed(this);
  }

  resume(): void {
    if (!this.#closed) this.#owner.changed(this);
  }

  /** Counts the job as taken; `send` follows. */
  take(job: QueuedJob, delivery: number): void {
    this.#open.set(delivery, job);
  }

  send(job: QueuedJob, delivery: number): void {
    this.taker.job({
      delivery,
      attempt: job.attempt,
      input: job.payload,
      metadata: job.metadata,
      deadline: job.deadline,
    });
  }

  /** The job has ended elsewhere; its place stays taken until the consumer has settled it. */
  abandon(delivery: number, reason: RpcError): void {
    if (this.#closed || !this.#open.has(delivery)) return;
    this.#open.set(delivery, undefined);
    this.taker.abandon(delivery, reason);
  }

  settle(settlement: Settlement): void {
    const { delivery } = settlement;
    const job = this.#open.get(delivery);
    // Settled twice, or by one that was taken for lost: the first word holds.
    if (!this.#open.delete(delivery)) return;
    if (job === undefined) this.#owner.changed(this);
    else this.#owner.settled(this, job, settlement);
    this.#endIfDone();
  }

  finish(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    this.#owner.changed(this);
    this.#endIfDone();
  }

  close(reason: RpcError): void {
    if (this.#closed) return;
    this.#closed = true;
    const jobs = this.#open;
    this.#open = new Map();
    this.#owner.changed(this);
    this.#owner.lost(
      this,
      [...jobs.values()].filter((job) => job !== undefined),
      reason,
    );
  }

  /** Ends it from the queue's side. */
  end(error: RpcError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#open.clear();
    this.#owner.changed(this);
    this.taker.ended(error);
  }

  #endIfDone(): void {
    if (!this.#finishing || this.#open.size > 0 || this.#closed) return;
    this.#closed = true;
    // Nothing is with it any more, but the queue counts it until now.
    this.#owner.lost(this, [], FINISHED);
    this.taker.ended(undefined);
  }
}

const FINISHED = new RpcError("UNAVAILABLE", "the consumer has finished", { reason: "CLOSED" });

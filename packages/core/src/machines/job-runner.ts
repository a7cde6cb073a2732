import type { CallContext } from "../words/call-context.ts";
import type { Clock } from "../words/clock.ts";
import type { Outcome } from "../words/envelope.ts";
import { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { EncodedPayload, ValuePayload } from "../words/payload.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobDelivery, JobFeed, JobTaker } from "../words/work-queue.ts";
import { CallScope } from "../tools/call-scope.ts";
import { Drain } from "../tools/drain.ts";
import { Fifo } from "../tools/fifo.ts";
import { outcomeOf } from "../tools/job-errors.ts";
import { decodeKept } from "../tools/kept-payload.ts";
import { nextTurn } from "../tools/next-turn.ts";
import { isPromiseLike } from "../tools/promise-like.ts";

/** Jobs that are run before everybody else has a turn. */
const JOBS_PER_TURN = 1_024;

export interface JobRunnerOptions {
  readonly method: MethodDescriptor;
  readonly clock: Clock;
  /** Jobs at once. */
  readonly concurrency: number;
  /** Jobs that wait here besides. */
  readonly prefetch: number;
  /** Runs one job; may be anything of the user's. */
  run(input: unknown, context: CallContext): unknown;
  ready(): void;
  /** The feed is gone, or was refused; not called after `stop`. */
  ended(error: RpcError | undefined): void;
}

/** The working end of a consumer: runs what its feed gives, and settles every delivery once. */
export class JobRunner implements JobTaker {
  readonly writable = true;
  readonly #options: JobRunnerOptions;
  #feed: JobFeed | undefined = undefined;
  /** Deliveries that are not settled, by number; those in `#waiting` are among them. */
  readonly #jobs = new Map<number, DeliveredJob>();
  readonly #waiting = new Fifo<DeliveredJob>();
  #running = 0;
  /** `#next` is under way further up, or comes with the next turn. */
  #goesOn = false;
  #drain: Drain | undefined = undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined = undefined;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Gives it the feed that it takes jobs from, again after one was lost. */
  start(feed: JobFeed): void {
    this.#feed = feed;
    feed.open(this.#options.concurrency + this.#options.prefetch);
  }

  /** Takes no more; settles when running jobs are done, or `drainMs` later, when the rest is given up. */
  stop(drainMs: number): Promise<void> {
    this.#stopped ??= this.#stop(drainMs);
    this.#drain?.within(drainMs);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    this.#stopping = true;
    this.#feed?.finish();
    this.#giveBackWaiting();
    if (this.#running > 0 && drainMs > 0) {
      this.#drain = new Drain(this.#options.clock);
      this.#drain.within(drainMs);
      await this.#drain.done;
    }
    const reason = new RpcError("CANCELLED", `${this.#options.method.name}: the consumer was closed`, {
      reason: "CLOSED",
    });
    const feed = this.#feed;
    this.#feed = undefined;
    this.#abortAll(reason);
    feed?.close(reason);
  }

  ready(): void {
    this.#options.ready();
  }

  job(delivery: JobDelivery): void {
    const feed = this.#feed;
    if (feed === undefined) return;
    const job = new DeliveredJob(this.#options.method, delivery, feed);
    if (this.#stopping) return this.#giveBack(job);
    this.#jobs.set(delivery.delivery, job);
    if (this.#running < this.#options.concurrency && !this.#goesOn) this.#run(job);
    else this.#waiting.push(job);
  }

  abandon(delivery: number, reason: RpcError): void {
    this.#jobs.get(delivery)?.cancelWith(reason);
  }

  ended(error: RpcError | undefined): void {
    this.#feed = undefined;
    const reason = error ?? new RpcError("UNAVAILABLE", `${this.#options.method.name}: the queue has ended`);
    this.#abortAll(reason);
    if (!this.#stopping) this.#options.ended(error);
  }

  #run(job: DeliveredJob): void {
    this.#running++;
    let output: unknown;
    try {
      const { input } = job.delivery;
      const isPayload = input === undefined || input instanceof EncodedPayload || input instanceof ValuePayload;
      const decoded = isPayload ? decodeKept(this.#options.method.input.codec, input) : input;
      // Abandoned while it waited here.
      if (job.cancelReason !== undefined) throw job.cancelReason;
      if (job.deadline !== undefined && job.deadline <= this.#options.clock.now())
        throw new RpcError("DEADLINE_EXCEEDED", `${job.method.name}: the job's time was over before it was started`);
      output = this.#options.run(decoded, job);
    } catch (thrown) {
      return this.#fail(job, thrown);
    }
    if (!isPromiseLike(output)) return this.#done(job, output);
    const settling = output instanceof Promise ? output : Promise.resolve(output);
    settling.then(
      (value) => this.#done(job, value),
      (thrown: unknown) => this.#fail(job, thrown),
    );
  }

  #done(job: DeliveredJob, output: unknown): void {
    this.#settled(job);
    this.#settle(job, "ack", output, undefined);
    this.#next();
  }

  #fail(job: DeliveredJob, thrown: unknown): void {
    this.#settled(job);
    const error = notOurs(RpcError.from(thrown));
    this.#settle(job, outcomeOf(error, this.#options.method), undefined, error);
    this.#next();
  }

  #settle({ feed, delivery: { delivery } }: DeliveredJob, outcome: Outcome, output: unknown, error?: RpcError): void {
    try {
      feed.settle({ delivery, outcome, output, error });
    } catch (thrown) {
      // A feed that cannot be told is of no use, and whatever it gave goes to somebody else.
      const reason = RpcError.from(thrown);
      feed.close(reason);
      if (feed === this.#feed) this.ended(reason);
    }
  }

  #settled(job: DeliveredJob): void {
    this.#running--;
    this.#forget(job);
    job.onCancel(undefined);
    if (this.#running === 0) this.#drain?.finish();
  }

  #next(): void {
    if (this.#goesOn) return;
    this.#goesOn = true;
    // A handler that returns at once comes back here before `#run` has ended.
    for (let count = 0; this.#waiting.length > 0 && this.#running < this.#options.concurrency; count++) {
      if (count === JOBS_PER_TURN) {
        nextTurn(() => {
          this.#goesOn = false;
          this.#next();
        });
        return;
      }
      const job = this.#waiting.shift();
      if (job !== undefined) this.#run(job);
    }
    this.#goesOn = false;
  }

  #giveBackWaiting(): void {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) this.#giveBack(job);
  }

  #giveBack(job: DeliveredJob): void {
    this.#forget(job);
    const error = new RpcError("UNAVAILABLE", `${job.method.name}: the consumer is closing`, {
      reason: "DRAINING",
      delivered: "no",
    });
    job.feed.settle({ delivery: job.delivery.delivery, outcome: "retry", output: undefined, error });
  }

  #forget(job: DeliveredJob): void {
    // After a lost feed the numbers begin anew: a late job must not take a new one's place.
    if (this.#jobs.get(job.delivery.delivery) === job) this.#jobs.delete(job.delivery.delivery);
  }

  #abortAll(reason: RpcError): void {
    this.#waiting.clear();
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) job.cancelWith(reason);
  }
}

/** One delivery, and the context that its handler sees. */
class DeliveredJob extends CallScope {
  readonly delivery: JobDelivery;
  /** The feed that it came from: a lost one hears nothing of it any more. */
  readonly feed: JobFeed;

  constructor(method: MethodDescriptor, delivery: JobDelivery, feed: JobFeed) {
    super(method, delivery.deadline);
    this.delivery = delivery;
    this.feed = feed;
  }

  get peer(): Peer | undefined {
    return this.feed.peer;
  }
  get id(): string {
    return `${this.method.name}/${this.delivery.delivery}`;
  }
  get attempt(): number {
    return this.delivery.attempt;
  }
  get idempotencyKey(): undefined {
    return undefined;
  }
  get depth(): number {
    return 0;
  }
  get parent(): undefined {
    return undefined;
  }
  get observed(): boolean {
    return false;
  }
  override get hasMetadata(): boolean {
    return this.delivery.metadata !== undefined || super.hasMetadata;
  }
  protected override initialMetadata(): Metadata {
    const { metadata } = this.delivery;
    if (metadata instanceof Metadata) return metadata;
    return new Metadata(metadata);
  }
  progress(): void {
    // Nobody waits for a job's progress: its submitter may be gone.
  }
  log(): void {
    // See above.
  }
}

/** What did not arrive is a call that the handler made; the job itself did arrive. */
function notOurs(error: RpcError): RpcError {
  if (error.delivered !== "no") return error;
  const { code, message, reason, details, retryable, cause } = error;
  return new RpcError(code, message, { reason, details, retryable, cause, delivered: "unknown" });
}

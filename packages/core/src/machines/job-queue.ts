import type { CallContext } from "../words/call-context.ts";
import { type Clock, MAX_TIMER_MS } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type {
  JobFeed,
  JobRequest,
  JobTaker,
  Settlement,
  SubmittedJob,
  Submitter,
  WorkQueue,
} from "../words/work-queue.ts";
import { hexFromBytes, randomBytes } from "../tools/bytes.ts";
import { Heap } from "../tools/heap.ts";
import { retryDelayOf } from "../tools/job-errors.ts";
import { isSameInput, scopedKey } from "../tools/job-key.ts";
import { keptLength, keptPayload } from "../tools/kept-payload.ts";
import { nextTurn } from "../tools/next-turn.ts";
import { payloadOf } from "../tools/payloads.ts";
import * as order from "./job-order.ts";
import { type ConsumerOwner, QueueConsumer } from "./queue-consumer.ts";
import { conflict, expired, full } from "./queue-errors.ts";
import { Interest, type InterestOwner, QueuedJob } from "./queued-job.ts";

export interface JobQueueOptions {
  readonly clock: Clock;
  /** Tries of a job; its submitter may ask for fewer. */
  readonly maxAttempts: number;
  /** Jobs that wait or run; beyond it submitters are refused RESOURCE_EXHAUSTED. */
  readonly maxJobs: number;
  /** The same in bytes of their inputs. */
  readonly maxJobsBytes: number;
  /** Pause before a failed job is tried again, by the number of the try that failed. */
  retryDelayMs(attempt: number): number;
  /** Told of a job that ended in failure after it was started. */
  dead(job: QueuedJob, error: RpcError): void;
}

/** Jobs that are given out before everybody else has a turn. */
const JOBS_PER_TURN = 1_024;

/**
 * The jobs of one method, in memory. A job goes to the consumer with the fewest jobs among those that take more; of the jobs, the one with
 * the highest priority goes first, then the oldest. Every job settles exactly once, whatever its consumers do.
 */
export class JobQueue implements WorkQueue, ConsumerOwner, InterestOwner {
  readonly method: MethodDescriptor;
  readonly #options: JobQueueOptions;
  readonly #idPrefix = `${hexFromBytes(randomBytes(6))}-`;
  readonly #ready = new Heap<QueuedJob>(order.isMoreUrgent, order.placeReady, order.readyPlace);
  readonly #delayed = new Heap<QueuedJob>(order.isDueSooner, order.placeDelayed, order.delayedPlace);
  readonly #expiring = new Heap<order.Timed>(order.expiresSooner, order.placeExpiring, order.expiringPlace);
  /** Consumers that take another job, the least busy one first. */
  readonly #free = new Heap<QueueConsumer>(order.isLessBusy, order.placeConsumer, order.consumerPlace);
  readonly #consumers = new Set<QueueConsumer>();
  readonly #byKey = new Map<string, QueuedJob>();
  /** By sequence number: a number is found faster than a text. */
  readonly #jobs = new Map<number, QueuedJob>();
  #bytes = 0;
  #running = 0;
  #lastSeq = 0;
  #lastDelivery = 0;
  #lastConsumerId = 0;
  #dispatching = false;
  #turnTaken = false;
  #timer: unknown = undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed: RpcError | undefined = undefined;

  constructor(method: MethodDescriptor, options: JobQueueOptions) {
    this.method = method;
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#jobs.size - this.#running;
  }

  get runningCount(): number {
    return this.#running;
  }

  get consumerCount(): number {
    return this.#consumers.size;
  }

  submit(request: JobRequest, context: CallContext, submitter: Submitter): SubmittedJob {
    const refusal = this.#closed ?? context.cancelReason;
    try {
      if (refusal !== undefined) throw refusal;
      const key = scopedKey(request.key, context);
      const waiting = key === undefined ? undefined : this.#byKey.get(key);
      if (waiting !== undefined) return this.#join(waiting, request, context, submitter);
      const job = this.#accept(request, context, key);
      const interest = this.#interested(job, context, submitter);
      this.#dispatch();
      return interest;
    } catch (thrown) {
      submitter.failed(RpcError.from(thrown));
      return NO_JOB;
    }
  }

  consume(context: CallContext, taker: JobTaker): JobFeed {
    if (this.#closed !== undefined) throw this.#closed;
    const consumer = new QueueConsumer(this, taker, this.#lastDelivery, ++this.#lastConsumerId);
    this.#consumers.add(consumer);
    context.onCancel({
      cancelled: (reason) => {
        consumer.close(reason);
        taker.ended(reason);
      },
    });
    return consumer;
  }

  /** Ends a job for everybody. Throws NOT_FOUND for an id that was never given; one that has finished stays as it is. */
  cancel(id: string, reason: RpcError): void {
    const seq = id.startsWith(this.#idPrefix) ? Number(id.slice(this.#idPrefix.length)) : Number.NaN;
    const job = this.#jobs.get(seq);
    if (job !== undefined) return this.#abandon(job, reason);
    if (!(Number.isInteger(seq) && seq >= 1 && seq <= this.#lastSeq))
      throw new RpcError("NOT_FOUND", `${this.method.name}: this queue never had a job ${JSON.stringify(id)}`, {
        reason: "JOB_NOT_FOUND",
      });
  }

  close(reason: RpcError): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const job of this.#jobs.values()) this.#abandon(job, reason);
    for (const consumer of this.#consumers) consumer.end(reason);
    this.#consumers.clear();
    this.#arm();
  }

  // ---- what submitters do

  givenUp(interest: Interest, reason: RpcError): void {
    const { job } = interest;
    interest.failed(reason);
    if (job.interests.length === 0 && !job.detached) this.#abandon(job, reason);
  }

  over(interest: Interest): void {
    this.#expiring.delete(interest);
    if (this.#delayed.size === 0 && this.#expiring.size === 0) this.#arm();
  }

  #accept(request: JobRequest, context: CallContext, key: string | undefined): QueuedJob {
    const { maxJobs, maxJobsBytes } = this.#options;
    const { name } = this.method;
    this.#checkTime(context);
    if (this.#jobs.size >= maxJobs) throw full(name, `${maxJobs} jobs`, "maxJobs");
    const payload = keptPayload(payloadOf(this.method.input.codec, request.input));
    const bytes = keptLength(payload) + JOB_BYTES;
    if (this.#bytes + bytes > maxJobsBytes) throw full(name, `${maxJobsBytes} bytes of jobs`, "maxJobsBytes");
    const seq = ++this.#lastSeq;
    const maxAttempts = Math.min(request.maxAttempts ?? MOST_ATTEMPTS, this.#options.maxAttempts);
    const job = new QueuedJob(`${this.#idPrefix}${seq}`, seq, request, key, context, payload, bytes, maxAttempts);
    this.#bytes += bytes;
    this.#jobs.set(seq, job);
    if (job.key !== undefined) this.#byKey.set(job.key, job);
    if (job.deadline !== undefined) this.#expiring.push(job);
    this.#queue(job, request.delayMs);
    return job;
  }

  /** Each submitter keeps to its own time; the job has that of the one who waits longest. */
  #join(job: QueuedJob, request: JobRequest, context: CallContext, submitter: Submitter): Interest {
    this.#checkTime(context);
    if (!isSameInput(job.payload, keptPayload(payloadOf(this.method.input.codec, request.input)))) {
      throw conflict(this.method.name);
    }
    const [first] = job.interests;
    if (first?.deadline !== undefined && !this.#expiring.has(first)) this.#expiring.push(first);
    this.#expiring.delete(job);
    const latest = Math.max(job.deadline ?? Number.POSITIVE_INFINITY, context.deadline ?? Number.POSITIVE_INFINITY);
    job.deadline = latest === Number.POSITIVE_INFINITY ? undefined : latest;
    if (job.deadline !== undefined) this.#expiring.push(job);
    const interest = this.#interested(job, context, submitter);
    // Who is told that it is queued may give it up at once.
    if (interest.deadline !== undefined && job.interests.includes(interest)) this.#expiring.push(interest);
    this.#arm();
    return interest;
  }

  #checkTime({ deadline }: CallContext): void {
    if (deadline !== undefined && deadline <= this.#options.clock.now())
      throw expired(this.method.name, "before it was queued");
  }

  #interested(job: QueuedJob, context: CallContext, submitter: Submitter): Interest {
    const interest = new Interest(this, job, context, submitter);
    job.interests.push(interest);
    submitter.queued(job.id);
    interest.follow();
    return interest;
  }

  // ---- what consumers do

  changed(consumer: QueueConsumer): void {
    this.#file(consumer);
    this.#dispatch();
  }

  #file(consumer: QueueConsumer): void {
    if (!consumer.takesMore) this.#free.delete(consumer);
    else if (this.#free.has(consumer)) this.#free.moved(consumer);
    else this.#free.push(consumer);
  }

  settled(consumer: QueueConsumer, job: QueuedJob, settlement: Settlement): void {
    // Before anybody is told: who is told may submit again, and finds the consumer in its right place.
    this.#file(consumer);
    this.#unassign(job);
    this.#conclude(consumer, job, settlement);
    this.#dispatch();
  }

  #conclude(consumer: QueueConsumer, job: QueuedJob, settlement: Settlement): void {
    const { error } = settlement;
    if (settlement.outcome === "ack") return this.#end(job, (interest) => interest.done(settlement.output));
    const reason = error ?? new RpcError("UNKNOWN", `${this.method.name}: the consumer gave no reason`);
    if (settlement.outcome === "reject") return this.#bury(job, reason);
    // Believed only of one that gets no more: else a job could go back and forth for ever.
    const started = reason.delivered !== "no" || !consumer.finishing;
    const delayMs = started ? (retryDelayOf(reason) ?? this.#options.retryDelayMs(job.attempt)) : 0;
    this.#again(job, consumer, started, delayMs, reason);
  }

  lost(consumer: QueueConsumer, jobs: Iterable<QueuedJob>, reason: RpcError): void {
    this.#consumers.delete(consumer);
    for (const job of jobs) {
      this.#unassign(job);
      const { name } = this.method;
      const error = new RpcError("UNAVAILABLE", `${name}: the consumer was lost: ${reason.message}`, {
        reason: "PEER_LOST",
        delivered: "unknown",
        cause: reason,
      });
      this.#again(job, consumer, true, 0, error);
    }
    this.#dispatch();
  }

  #again(job: QueuedJob, consumer: QueueConsumer, started: boolean, delayMs: number, error: RpcError): void {
    if (started && job.attempt >= job.maxAttempts) return this.#bury(job, error);
    if (started) job.attempt++;
    job.lastConsumerId = consumer.id;
    this.#queue(job, delayMs);
  }

  // ---- the life of a job

  #queue(job: QueuedJob, delayMs: number): void {
    if (delayMs > 0) {
      job.state = "delayed";
      job.notBefore = this.#options.clock.now() + delayMs;
      this.#delayed.push(job);
    } else {
      job.state = "ready";
      this.#ready.push(job);
    }
    this.#arm();
  }

  #dispatch(): void {
    // A consumer in this process may settle before `give` returns, and thereby come back here.
    if (this.#dispatching || this.#turnTaken) return;
    this.#dispatching = true;
    for (let count = 0; this.#ready.size > 0 && this.#free.size > 0; count++) {
      if (count === JOBS_PER_TURN) {
        this.#turnTaken = true;
        nextTurn(() => {
          this.#turnTaken = false;
          this.#dispatch();
        });
        break;
      }
      this.#give();
    }
    this.#dispatching = false;
  }

  #give(): void {
    const job = this.#ready.first;
    let consumer = this.#free.first;
    if (job === undefined || consumer === undefined) return;
    if (job.deadline !== undefined && job.deadline <= this.#options.clock.now()) return this.#expire(job);
    if (consumer.id === job.lastConsumerId) consumer = this.#free.second ?? consumer;
    // Its wire has filled meanwhile: it says when it takes more.
    if (!consumer.takesMore) return this.#file(consumer);
    this.#ready.delete(job);
    // From here on it may have run: who submits the same key again wants another run.
    this.#forgetKey(job);
    const delivery = ++this.#lastDelivery;
    job.state = "running";
    job.consumer = consumer;
    job.delivery = delivery;
    this.#running++;
    consumer.lastServed = delivery;
    consumer.take(job, delivery);
    this.#file(consumer);
    consumer.send(job, delivery);
  }

  #unassign(job: QueuedJob): void {
    if (job.state === "running") this.#running--;
    job.consumer = undefined;
    job.lastConsumerId = 0;
  }

  /** Ends a job in failure that was started. */
  #bury(job: QueuedJob, error: RpcError): void {
    this.#end(job, (interest) => interest.failed(error));
    this.#options.dead(job, error);
  }

  /** Ends a job wherever it is: nobody wants it, its time is over, or the queue stops. */
  #abandon(job: QueuedJob, reason: RpcError): void {
    if (job.state === "settled") return;
    const { consumer, delivery } = job;
    if (job.state === "running") this.#running--;
    this.#end(job, (interest) => interest.failed(reason));
    consumer?.abandon(delivery, reason);
  }

  #end(job: QueuedJob, tell: (interest: Interest) => void): void {
    job.state = "settled";
    job.consumer = undefined;
    this.#ready.delete(job);
    this.#delayed.delete(job);
    this.#expiring.delete(job);
    this.#jobs.delete(job.seq);
    this.#forgetKey(job);
    this.#bytes -= job.bytes;
    // A timer that nobody needs would keep a program from ending.
    if (this.#delayed.size === 0 && this.#expiring.size === 0) this.#arm();
    if (job.interests.length === 1 && job.interests[0] !== undefined) tell(job.interests[0]);
    else for (const interest of job.interests.slice()) tell(interest);
  }

  #forgetKey(job: QueuedJob): void {
    if (job.key !== undefined && this.#byKey.get(job.key) === job) this.#byKey.delete(job.key);
  }

  // ---- time: one timer for all

  #arm(): void {
    // Most jobs have neither a pause nor an end, and come here more than once.
    if (this.#timer === undefined && this.#delayed.size === 0 && this.#expiring.size === 0) return;
    const at = Math.min(
      this.#delayed.first?.notBefore ?? Number.POSITIVE_INFINITY,
      this.#expiring.first?.deadline ?? Number.POSITIVE_INFINITY,
    );
    // One that fires too early finds nothing to do; only for good it is taken away.
    if (at >= this.#timerAt && at !== Number.POSITIVE_INFINITY) return;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, at - this.#options.clock.now()), MAX_TIMER_MS);
    this.#timer = this.#options.clock.setTimeout(() => this.#tick(), Math.ceil(delayMs));
  }

  #tick(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    for (let it = this.#expiring.first; it?.deadline !== undefined && it.deadline <= now; it = this.#expiring.first)
      this.#expire(it);
    for (let job = this.#delayed.first; job !== undefined && job.notBefore <= now; job = this.#delayed.first) {
      this.#delayed.delete(job);
      job.state = "ready";
      this.#ready.push(job);
    }
    this.#arm();
    this.#dispatch();
  }

  #expire(timed: order.Timed): void {
    const { state } = timed instanceof Interest ? timed.job : timed;
    const error = expired(this.method.name, state === "running" ? "while it ran" : "before it was started");
    if (timed instanceof Interest) this.givenUp(timed, error);
    else this.#abandon(timed, error);
  }
}

const NO_JOB: SubmittedJob = { running: false, detach: () => undefined };

const MOST_ATTEMPTS = Number.MAX_SAFE_INTEGER;

/** What a job takes up beside its input. */
const JOB_BYTES = 256;

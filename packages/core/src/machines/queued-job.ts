import type { CallContext, CancelListener } from "../words/call-context.ts";
import type { JobRequest, SubmittedJob, Submitter } from "../words/work-queue.ts";
import type { Payload } from "../words/payload.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { QueueConsumer } from "./queue-consumer.ts";

export type JobState = "delayed" | "ready" | "running" | "settled";

/** One job in a queue, from its acceptance until everybody who waits for it has been told. */
export class QueuedJob {
  readonly id: string;
  /** Ascending per queue: age decides among equals. */
  readonly seq: number;
  readonly payload: Payload;
  readonly priority: number;
  readonly key: string | undefined;
  readonly maxAttempts: number;
  deadline: number | undefined;
  readonly metadata: CallContext["metadata"] | undefined;
  readonly bytes: number;
  state: JobState = "ready";
  /** The number of the next or the running try. */
  attempt = 1;
  /** Instant before which it does not start, while it is delayed. */
  notBefore = 0;
  /** While it runs. */
  consumer: QueueConsumer | undefined = undefined;
  delivery = 0;
  /** Who had it last: another one is tried first. Not the consumer itself, which may be gone long since. */
  lastConsumerId = 0;
  readonly interests: Interest[] = [];
  /** A submitter left without giving it up: it is done whatever the others want. */
  detached = false;
  // Places in the queue's heaps; −1: not in it.
  readyIndex = -1;
  delayIndex = -1;
  deadlineIndex = -1;

  constructor(
    id: string,
    seq: number,
    request: JobRequest,
    key: string | undefined,
    context: CallContext,
    payload: Payload,
    bytes: number,
    maxAttempts: number,
  ) {
    this.id = id;
    this.seq = seq;
    this.payload = payload;
    this.bytes = bytes;
    this.priority = request.priority;
    this.key = key;
    this.maxAttempts = maxAttempts;
    this.deadline = context.deadline;
    this.metadata = context.hasMetadata ? context.metadata : undefined;
  }
}

/** The queue, as a submitter's hold on a job sees it. */
export interface InterestOwner {
  /** The submitter has given its job up. */
  givenUp(interest: Interest, reason: RpcError): void;
  /** One with a time of its own is over. */
  over(interest: Interest): void;
}

/** One submitter's hold on a job. */
export class Interest implements SubmittedJob, CancelListener {
  readonly job: QueuedJob;
  readonly submitter: Submitter;
  readonly #owner: InterestOwner;
  readonly #context: CallContext;
  /** Place among what ends by itself, where several wait for one job; −1: the job's own time is enough. */
  deadlineIndex = -1;
  #over = false;

  constructor(owner: InterestOwner, job: QueuedJob, context: CallContext, submitter: Submitter) {
    this.#owner = owner;
    this.job = job;
    this.#context = context;
    this.submitter = submitter;
  }

  get deadline(): number | undefined {
    return this.#context.deadline;
  }

  get running(): boolean {
    return !this.#over && this.job.state === "running";
  }

  follow(): void {
    if (!this.#over) this.#context.onCancel(this);
  }

  cancelled(reason: RpcError): void {
    if (!this.#over) this.#owner.givenUp(this, reason);
  }

  detach(): void {
    if (this.#over) return;
    this.job.detached = true;
    this.#end();
  }

  done(output: unknown): void {
    if (this.#over) return;
    this.#end();
    this.submitter.done(output);
  }

  failed(error: RpcError): void {
    if (this.#over) return;
    this.#end();
    this.submitter.failed(error);
  }

  #end(): void {
    this.#over = true;
    this.#context.onCancel(undefined);
    if (this.deadlineIndex >= 0) this.#owner.over(this);
    const { interests } = this.job;
    // Nearly always the only one; taking it out of the middle would make an array.
    if (interests.length === 1 && interests[0] === this) return void interests.pop();
    const index = interests.indexOf(this);
    if (index >= 0) interests.splice(index, 1);
  }
}

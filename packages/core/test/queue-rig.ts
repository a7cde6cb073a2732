import { type Contract, DESCRIPTOR } from "../src/words/contract.ts";
import type { MethodDescriptor } from "../src/words/method.ts";
import type { Payload } from "../src/words/payload.ts";
import { RpcError } from "../src/words/rpc-error.ts";
import type { JobDelivery, JobFeed, JobRequest, JobTaker, Submitter } from "../src/words/work-queue.ts";
import { decodeKept } from "../src/tools/kept-payload.ts";
import { CallerContext } from "../src/face/caller-context.ts";
import { defineContract, event, job } from "../src/face/contract.ts";
import { JobQueue, type JobQueueOptions } from "../src/machines/job-queue.ts";
import { FakeClock } from "./fake-clock.ts";

const Plain = defineContract("test.Plain", { work: job(), states: event(), kept: event({ lastValue: true }) });

function methodOf(contract: Contract, short: string): MethodDescriptor {
  const method = contract[DESCRIPTOR].methods.get(short);
  if (method === undefined) throw new Error(`no method ${short}`);
  return method;
}

const WORK: MethodDescriptor = methodOf(Plain, "work");
export const STATES: MethodDescriptor = methodOf(Plain, "states");
export const KEPT: MethodDescriptor = methodOf(Plain, "kept");

export const RETRY: RpcError = new RpcError("UNAVAILABLE", "once more");
const REJECT: RpcError = new RpcError("INVALID_ARGUMENT", "never");

/** Whoever waits for a job, with all that it was told. */
export class TestSubmitter implements Submitter {
  id: string | undefined = undefined;
  readonly outcomes: unknown[] = [];

  queued(id: string): void {
    this.id = id;
  }
  done(output: unknown): void {
    this.outcomes.push(output);
  }
  failed(error: RpcError): void {
    this.outcomes.push(error.code);
  }
}

/** A consumer that is moved by hand. */
export class TestConsumer implements JobTaker {
  readonly got: JobDelivery[] = [];
  readonly open: JobDelivery[] = [];
  readonly abandoned: number[] = [];
  readonly ends: (RpcError | undefined)[] = [];
  mostOpen = 0;
  isReady = false;
  writable = true;
  feed!: JobFeed;

  ready(): void {
    this.isReady = true;
  }
  job(delivery: JobDelivery): void {
    this.got.push(delivery);
    this.open.push(delivery);
    this.mostOpen = Math.max(this.mostOpen, this.open.length);
  }
  abandon(delivery: number): void {
    this.abandoned.push(delivery);
  }
  ended(error: RpcError | undefined): void {
    this.ends.push(error);
  }

  /** What it has been given, decoded. */
  get inputs(): unknown[] {
    return this.got.map((delivery) => inputOf(delivery));
  }

  settle(outcome: "ack" | "retry" | "reject" = "ack", error: RpcError = outcome === "retry" ? RETRY : REJECT): void {
    const delivery = this.open.shift();
    if (delivery === undefined) throw new Error("nothing to settle");
    const output = outcome === "ack" ? inputOf(delivery) : undefined;
    this.feed.settle({
      delivery: delivery.delivery,
      outcome,
      output,
      error: outcome === "ack" ? undefined : error,
    });
  }

  lose(): void {
    this.open.length = 0;
    this.feed.close(new RpcError("UNAVAILABLE", "gone", { reason: "PEER_LOST" }));
  }
}

function inputOf(delivery: JobDelivery): unknown {
  // What the queue gives is a payload.
  return decodeKept(WORK.input.codec, delivery.input as Payload);
}

export interface Submission extends Partial<Omit<JobRequest, "method" | "input">> {
  readonly timeoutMs?: number;
}

/** A queue with a clock that tests move. */
export class QueueRig {
  readonly clock = new FakeClock();
  readonly dead: [id: string, attempts: number, code: string][] = [];
  readonly queue: JobQueue;

  constructor(options: Partial<JobQueueOptions> = {}) {
    this.queue = new JobQueue(WORK, {
      clock: this.clock,
      maxAttempts: 3,
      maxJobs: 1_000,
      maxJobsBytes: 1 << 20,
      retryDelayMs: () => 0,
      dead: (job, error) => this.dead.push([job.id, job.attempt, error.code]),
      ...options,
    });
  }

  submit(input: unknown, { timeoutMs, ...request }: Submission = {}): TestSubmitter & { give: CallerContext } {
    const context = new CallerContext(WORK, { timeoutMs }, this.clock, undefined);
    const submitter = new TestSubmitter();
    this.queue.submit(
      { method: WORK, input, delayMs: 0, priority: 0, key: undefined, maxAttempts: undefined, ...request },
      context,
      submitter,
    );
    return Object.assign(submitter, { give: context });
  }

  consume(credits = 1): TestConsumer {
    const consumer = new TestConsumer();
    consumer.feed = this.queue.consume(new CallerContext(WORK, undefined, this.clock, undefined), consumer);
    consumer.feed.open(credits);
    return consumer;
  }
}

export const cancelled = (reason = "not wanted"): RpcError =>
  new RpcError("CANCELLED", reason, { reason: "CANCELLED" });

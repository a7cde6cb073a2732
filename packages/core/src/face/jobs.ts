import type { CallContext } from "../words/call-context.ts";
import type { Clock } from "../words/clock.ts";
import { HOSTED_QUEUE, type HostedQueue, type JobHandler, type WorkQueueOptions } from "../words/contract.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobDesk, SubmitOptions, Ticket } from "../words/work-queue.ts";
import { JobQueue } from "../machines/job-queue.ts";
import { JobRunner } from "../machines/job-runner.ts";
import { decodeKept } from "../tools/kept-payload.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { CallerContext } from "./caller-context.ts";
import { checkCount } from "./consumer.ts";
import type { RouterOptions } from "./router.ts";
import { submitJob } from "./submit-job.ts";

/**
 * A queue in memory for a job of a router: `jobs: workQueue({ maxAttempts: 3, deadLetter: … })`. Its consumers are clients, and one in this
 * process where `local` says so. What waits is gone with the process: its submitters get UNAVAILABLE.
 */
export function workQueue<Input = unknown, Output = unknown>(
  options: WorkQueueOptions<Input, Output> = {},
): HostedQueue<Input, Output> {
  return { ...options, [HOSTED_QUEUE]: true };
}

/** What a router has for a job: the queue itself. */
export class RouterQueue implements JobDesk<unknown, unknown> {
  readonly queue: JobQueue;
  readonly #clock: Clock;

  constructor(queue: JobQueue, clock: Clock) {
    this.queue = queue;
    this.#clock = clock;
  }

  get waitingCount(): number {
    return this.queue.waitingCount;
  }
  get runningCount(): number {
    return this.queue.runningCount;
  }
  get consumerCount(): number {
    return this.queue.consumerCount;
  }

  submit(input: unknown, options: SubmitOptions = {}): Promise<Ticket<unknown>> {
    return submitJob(this.queue, this.queue.method, input, options, this.#clock, true);
  }

  cancel(id: string, reason = "cancelled at the queue"): void {
    this.queue.cancel(id, new RpcError("CANCELLED", `${this.queue.method.name}: ${reason}`, { reason: "CANCELLED" }));
  }

  close(reason?: RpcError): void {
    const message = `${this.queue.method.name}: the queue was stopped`;
    this.queue.close(reason ?? new RpcError("UNAVAILABLE", message, { reason: "CLOSED", delivered: "unknown" }));
  }
}

const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_MAX_JOBS = 100_000;
const DEFAULT_MAX_JOBS_BYTES = 256 * 1024 * 1024;
const FIRST_RETRY_MS = 100;
const MOST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 24 * 60 * 60 * 1_000;

/** What a router has for a job: the queue, with its consumer in this process if it has one. `run` runs a job as every call of the router is run. */
export function hostQueue(
  method: MethodDescriptor,
  implementation: HostedQueue | JobHandler<unknown, unknown>,
  options: RouterOptions,
  clock: Clock,
  run: (input: unknown, context: CallContext) => unknown,
): RouterQueue {
  const hosted: WorkQueueOptions = HOSTED_QUEUE in implementation ? implementation : { local: implementation };
  const { local, retryDelayMs, deadLetter } = hosted;
  const { name } = method;
  if (typeof retryDelayMs !== "function" && retryDelayMs !== undefined) {
    if (!(typeof retryDelayMs === "number" && retryDelayMs >= 0 && retryDelayMs <= LONGEST_RETRY_MS))
      throw wrongDelay(name, retryDelayMs);
  }
  const report = (thrown: unknown): void => {
    try {
      options.onError?.(RpcError.from(thrown));
    } catch {
      // A log that fails has nobody left to tell.
    }
  };
  const queue = new JobQueue(method, {
    clock,
    maxAttempts: checkCount(
      hosted.maxAttempts ?? method.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
      `${name}: maxAttempts`,
      1,
    ),
    maxJobs: checkCount(hosted.maxJobs ?? DEFAULT_MAX_JOBS, `${name}: maxJobs`, 0),
    maxJobsBytes: checkCount(hosted.maxJobsBytes ?? DEFAULT_MAX_JOBS_BYTES, `${name}: maxJobsBytes`, 0),
    retryDelayMs: (attempt) => {
      const usual = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), MOST_RETRY_MS);
      if (typeof retryDelayMs !== "function") return retryDelayMs ?? usual;
      try {
        const delayMs = retryDelayMs(attempt);
        if (delayMs >= 0) return Math.min(delayMs, LONGEST_RETRY_MS);
        report(wrongDelay(name, delayMs));
      } catch (thrown) {
        report(thrown);
      }
      return usual;
    },
    dead: (job, error) => {
      if (deadLetter === undefined) return;
      try {
        const told: unknown = deadLetter(
          { id: job.id, input: inputOf(job.payload, method), attempts: job.attempt },
          error,
        );
        if (isPromiseLike(told)) told.then(undefined, report);
      } catch (thrown) {
        report(thrown);
      }
    },
  });
  if (local !== undefined) {
    const concurrency = checkCount(local.concurrency ?? 1, `${name}: concurrency`, 1);
    const nothing = (): void => undefined;
    const runner = new JobRunner({ method, clock, concurrency, prefetch: 0, run, ready: nothing, ended: nothing });
    // The time that a method's calls have is for a job, not for who consumes them.
    const consuming = { ...method, timeoutMs: undefined };
    runner.start(queue.consume(new CallerContext(consuming, undefined, clock, undefined), runner));
  }
  return new RouterQueue(queue, clock);
}

function wrongDelay(name: string, got: unknown): RpcError {
  const message = `${name}: retryDelayMs must be a number from 0 to ${LONGEST_RETRY_MS}, got ${String(got)}`;
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

function inputOf(payload: Payload, method: MethodDescriptor): unknown {
  try {
    return decodeKept(method.input.codec, payload);
  } catch {
    return undefined;
  }
}

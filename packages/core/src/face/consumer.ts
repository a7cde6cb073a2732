import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { ConsumeOptions, Consumer, WorkQueue } from "../words/work-queue.ts";
import { JobRunner } from "../machines/job-runner.ts";
import { Backoff } from "../tools/backoff.ts";
import { CallerContext } from "./caller-context.ts";
import { isLoss } from "./subscription.ts";
import { ServedMethod } from "./served-method.ts";

/** A consumer as its user holds it; made again when the connection was lost, or did not come up. */
export class ClientConsumer implements Consumer {
  /** Without the time that its jobs have: a consumer has no end. */
  readonly #method: MethodDescriptor;
  readonly #port: WorkQueue;
  readonly #options: ConsumeOptions<unknown, unknown>;
  readonly #clock: Clock;
  readonly #runner: JobRunner;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<RpcError | undefined>();
  #wasReady = false;
  #over = false;
  #backoff: Backoff | undefined = undefined;
  #timer: unknown = undefined;

  constructor(method: MethodDescriptor, port: WorkQueue, options: ConsumeOptions<unknown, unknown>, clock: Clock) {
    const { handle, concurrency = 1, prefetch = 0 } = options;
    const served = new ServedMethod(method, handle, true);
    this.#method = method.timeoutMs === undefined ? method : { ...method, timeoutMs: undefined };
    this.#port = port;
    this.#options = options;
    this.#clock = clock;
    this.#runner = new JobRunner({
      method,
      clock,
      concurrency: checkCount(concurrency, `${method.name}: concurrency`, 1),
      prefetch: checkCount(prefetch, `${method.name}: prefetch`, 0),
      run: (input, context) => served.call(input, context),
      ready: () => this.#becameReady(),
      ended: (error) => this.#ended(error),
    });
    this.#ready.promise.catch(() => undefined); // `closed` tells it as well.
    try {
      this.#start();
    } catch (thrown) {
      this.#end(RpcError.from(thrown));
    }
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get closed(): Promise<RpcError | undefined> {
    return this.#closed.promise;
  }

  get running(): number {
    return this.#runner.running;
  }

  async close(options: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#runner.stop(options.drainMs ?? 0);
    this.#end(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): void {
    const { metadata } = this.#options;
    const context = new CallerContext(this.#method, { metadata }, this.#clock, undefined);
    this.#runner.start(this.#port.consume(context, this.#runner));
  }

  #becameReady(): void {
    this.#wasReady = true;
    this.#backoff?.reset();
    this.#ready.resolve();
  }

  #ended(error: RpcError | undefined): void {
    const wasLost = error === undefined || isLoss(error);
    const { reconnect } = this.#options;
    if (!wasLost || this.#over || this.#port.lasting !== true || reconnect === false)
      return this.#end(error ?? new RpcError("UNAVAILABLE", `${this.#method.name}: the queue has ended`));
    this.#backoff ??= new Backoff();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#start();
      } catch (thrown) {
        // The transport was closed meanwhile.
        this.#end(error ?? RpcError.from(thrown));
      }
    }, this.#backoff.nextMs());
  }

  #end(error: RpcError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const left = new RpcError("CANCELLED", `${this.#method.name}: the consumer was closed`, { reason: "CLOSED" });
    if (this.#wasReady) this.#ready.resolve();
    else this.#ready.reject(error ?? left);
    this.#closed.resolve(error);
  }
}

export function checkCount(value: number, what: string, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new RpcError("INVALID_ARGUMENT", `${what} must be a whole number of at least ${least}, got ${String(value)}`, {
    reason: "INVALID_ARGUMENT",
  });
}

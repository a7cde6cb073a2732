import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { ConsumeOptions, Consumer, JobClient, SubmitOptions, Ticket, WorkQueue } from "../words/work-queue.ts";
import { ClientConsumer } from "./consumer.ts";
import { submitJob } from "./submit-job.ts";

/** What a client has for a job. */
export class ClientJob implements JobClient<unknown, unknown, unknown, unknown> {
  readonly #method: MethodDescriptor;
  readonly #port: WorkQueue | undefined;
  readonly #clock: Clock;
  readonly #validate: boolean;

  constructor(method: MethodDescriptor, port: WorkQueue | undefined, clock: Clock, validate: boolean) {
    this.#method = method;
    this.#port = port;
    this.#clock = clock;
    this.#validate = validate;
  }

  submit(input: unknown, options: SubmitOptions = {}): Promise<Ticket<unknown>> {
    const port = this.#port;
    if (port === undefined) return Promise.reject(this.#notCarried());
    return submitJob(port, this.#method, input, options, this.#clock, this.#validate);
  }

  consume(options: ConsumeOptions<unknown, unknown>): Consumer {
    if (this.#port === undefined) throw this.#notCarried();
    return new ClientConsumer(this.#method, this.#port, options, this.#clock);
  }

  #notCarried(): RpcError {
    return new RpcError("FAILED_PRECONDITION", `${this.#method.name}: the transport carries no jobs`, {
      reason: "CAPABILITY",
    });
  }
}

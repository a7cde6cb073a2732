import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { EncodedPayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobRequest, SubmitOptions, Submitter, Ticket, WorkQueue } from "../words/work-queue.ts";
import { checkJobOptions } from "../tools/job-metadata.ts";
import { decodePayload } from "../tools/payloads.ts";
import { validated } from "../tools/shapes.ts";
import { CallerContext } from "./caller-context.ts";

/** Puts a job into a queue, here or behind a wire; its ticket comes when the queue has taken it. */
export function submitJob(
  port: WorkQueue,
  method: MethodDescriptor,
  input: unknown,
  options: SubmitOptions,
  clock: Clock,
  validate: boolean,
): Promise<Ticket<unknown>> {
  try {
    const { delayMs, priority, key, maxAttempts } = checkJobOptions(options, method);
    const request: JobRequest = { method, input, delayMs, priority, key, maxAttempts };
    const checked = validate ? validated(method.input, input, `${method.name}: input`, "INVALID_ARGUMENT") : undefined;
    const submit = (): Promise<Ticket<unknown>> => {
      const context = new CallerContext(method, options, clock, undefined);
      const ticket = new SubmittedTicket(context);
      // Proved, but sent as it is: the consumer's validator makes its own value of it.
      port.submit(request, context, ticket);
      return ticket.accepted();
    };
    return checked instanceof Promise ? checked.then(submit) : submit();
  } catch (thrown) {
    return Promise.reject(RpcError.from(thrown));
  }
}

class SubmittedTicket implements Ticket<unknown>, Submitter {
  id = "";
  readonly #context: CallerContext;
  // Made when a queue elsewhere has not answered yet; one in this process has.
  #acceptance: PromiseWithResolvers<Ticket<unknown>> | undefined = undefined;
  #isAccepted = false;
  #isOpen = true;
  #output: unknown = undefined;
  #error: RpcError | undefined = undefined;
  // Made when somebody asks: a job whose result nobody wants costs no promise, and its failure ends no process.
  #result: Promise<unknown> | undefined = undefined;
  #resolve: ((output: unknown) => void) | undefined = undefined;
  #reject: ((error: RpcError) => void) | undefined = undefined;

  constructor(context: CallerContext) {
    this.#context = context;
  }

  /** Settles when the queue has taken the job, or has refused it. */
  accepted(): Promise<Ticket<unknown>> {
    if (this.#isAccepted) return Promise.resolve(this);
    if (!this.#isOpen && this.#error !== undefined) return Promise.reject(this.#error);
    this.#acceptance ??= Promise.withResolvers();
    return this.#acceptance.promise;
  }

  result(): Promise<unknown> {
    this.#result ??= new Promise((resolve, reject) => {
      if (this.#isOpen) {
        this.#resolve = resolve;
        this.#reject = reject;
      } else if (this.#error === undefined) resolve(this.#output);
      else reject(this.#error);
    });
    return this.#result;
  }

  cancel(reason = "cancelled by its submitter"): Promise<void> {
    const message = `${this.#context.method.name}: ${reason}`;
    if (this.#isOpen) this.#context.cancelWith(new RpcError("CANCELLED", message, { reason: "CANCELLED" }));
    return Promise.resolve();
  }

  queued(id: string): void {
    this.id = id;
    this.#isAccepted = true;
    this.#acceptance?.resolve(this);
  }

  done(output: unknown): void {
    try {
      const { codec } = this.#context.method.output;
      this.#end(undefined, output instanceof EncodedPayload ? decodePayload(codec, output) : output);
    } catch (thrown) {
      const { message, reason } = RpcError.from(thrown);
      this.failed(
        new RpcError("INTERNAL", `${this.#context.method.name}: the output cannot be decoded: ${message}`, {
          reason,
          cause: thrown,
        }),
      );
    }
  }

  failed(error: RpcError): void {
    if (!this.#isAccepted) this.#acceptance?.reject(error);
    this.#end(error, undefined);
  }

  #end(error: RpcError | undefined, output: unknown): void {
    this.#isOpen = false;
    this.#error = error;
    this.#output = output;
    if (error === undefined) this.#resolve?.(output);
    else this.#reject?.(error);
    this.#resolve = undefined;
    this.#reject = undefined;
  }
}

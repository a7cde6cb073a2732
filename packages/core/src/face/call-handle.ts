import type { CallOptions, LogLine } from "../words/call-context.ts";
import type { CallHandle, CallState } from "../words/contract.ts";
import type { Metadata } from "../words/metadata.ts";
import { RpcError } from "../words/rpc-error.ts";
import { LiveFeed } from "../tools/live-feed.ts";
import { CallerContext, type CallObserver } from "./caller-context.ts";
import type { MethodCaller } from "./method-caller.ts";

/** Unread progress values or log lines beyond which the oldest are dropped. A caller that never reads them must not pay for them. */
const MAX_UNREAD = 1_000;

/** Starts a unary call and gives its handle. */
export function startCall(caller: MethodCaller, input: unknown, options: CallOptions | undefined): CallHandle<unknown> {
  return new StartedCall(caller, input, options);
}

class StartedCall implements CallHandle<unknown> {
  readonly #context: CallerContext;
  readonly #result: Promise<unknown>;
  readonly #progress = new LiveFeed<unknown>(MAX_UNREAD);
  readonly #log = new LiveFeed<LogLine>(MAX_UNREAD);
  #state: CallState = "running";

  constructor(caller: MethodCaller, input: unknown, options: CallOptions | undefined) {
    const observer: CallObserver = {
      progress: (value) => this.#progress.push(value),
      log: (line) => this.#log.push(line),
    };
    let refused: unknown;
    let context: CallerContext | undefined;
    try {
      context = new CallerContext(caller.method, options, caller.clock, observer);
    } catch (thrown) {
      // An option that cannot be: the handle rejects, as the plain call does.
      refused = thrown;
    }
    this.#context = context ?? new CallerContext(caller.method, undefined, caller.clock, observer);
    this.#result = this.#run(
      context === undefined ? Promise.reject(RpcError.from(refused)) : caller.callWith(input, context),
    );
    // Whoever only reads progress must not be killed by a rejection that nobody awaits; awaiting the handle still sees it.
    this.#result.catch(() => undefined);
  }

  async #run(result: Promise<unknown>): Promise<unknown> {
    try {
      const output = await result;
      this.#state = "done";
      return output;
    } catch (thrown) {
      const error = RpcError.from(thrown);
      this.#state = error.code === "CANCELLED" ? "cancelled" : "failed";
      throw error;
    } finally {
      this.#progress.end();
      this.#log.end();
    }
  }

  get id(): string {
    return this.#context.id;
  }

  get state(): CallState {
    return this.#state;
  }

  get progress(): AsyncIterable<unknown> {
    return this.#progress;
  }

  get responseMetadata(): Metadata {
    return this.#context.responseMetadata;
  }

  get log(): AsyncIterable<LogLine> {
    return this.#log;
  }

  cancel(reason = "cancelled by the caller"): Promise<void> {
    if (this.#state === "running") this.#context.cancelWith(new RpcError("CANCELLED", reason, { reason: "CANCELLED" }));
    return Promise.resolve();
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a handle is awaitable by design
  then<A = unknown, B = never>(
    done?: ((output: unknown) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(done, failed);
  }

  catch<T>(recover: (reason: unknown) => T | PromiseLike<T>): Promise<unknown> {
    return this.#result.catch(recover);
  }

  finally(run: () => void): Promise<unknown> {
    return this.#result.finally(run);
  }
}

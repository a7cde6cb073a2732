import type { CallContext } from "../../words/call-context.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { StatusCode } from "../../words/status.ts";
import type { Awaitable, CallHandler, Interceptor, StreamHandler } from "../../words/transport.ts";
import { iteratorOf } from "../../tools/mapped-stream.ts";
import { isPromiseLike } from "../../tools/promise-like.ts";
import { CallerContext } from "../caller-context.ts";

/** Which end of a call is looking. */
export type CallSide = "client" | "server";

/** How a call ended: a status code, or OK. */
export type CallOutcome = "OK" | StatusCode;

/** Sees every call begin and end, and changes nothing. Whatever it throws is dropped (hostile inputs H79). */
export interface CallProbe<State> {
  /** What it gives is handed to `ended`; a number costs no object. */
  started(context: CallContext, input: unknown): State;
  /** Once. The error is the one that the caller sees; undefined: it went well. */
  ended(context: CallContext, state: State, error: RpcError | undefined): void;
}

/**
 * The end of a call at which an interceptor runs: a client makes the context of its own calls, and a handler knows who has called. A job is
 * seen where it is handled; in its queue's own process there is no peer.
 */
export function sideOf(context: CallContext): CallSide {
  if (context instanceof CallerContext) return "client";
  return context.peer === undefined && context.method.kind !== "job" ? "client" : "server";
}

/** Runs a probe around every call; a handler that does not wait costs no promise. */
export function probing<State>(probe: CallProbe<State>): Required<Interceptor> {
  return {
    call: (input, context, next) => probeCall(probe, input, context, next),
    stream: (input, context, next) => new ProbedStream(probe, input, context, next),
  };
}

function probeCall<State>(
  probe: CallProbe<State>,
  input: unknown,
  context: CallContext,
  next: CallHandler,
): Awaitable<unknown> {
  let state: State;
  try {
    state = probe.started(context, input);
  } catch {
    // Half of an observation helps nobody.
    return next(input, context);
  }
  let output: Awaitable<unknown>;
  try {
    output = next(input, context);
  } catch (thrown) {
    end(probe, context, state, thrown, true);
    throw thrown;
  }
  if (!isPromiseLike(output)) {
    end(probe, context, state, undefined, false);
    return output;
  }
  return Promise.resolve(output).then(
    (value) => {
      end(probe, context, state, undefined, false);
      return value;
    },
    (thrown: unknown) => {
      end(probe, context, state, thrown, true);
      throw thrown;
    },
  );
}

function end<State>(
  probe: CallProbe<State>,
  context: CallContext,
  state: State,
  thrown: unknown,
  failed: boolean,
): void {
  try {
    // A handler may end well, or badly for another reason, after the call was cancelled: the caller has seen the cancellation.
    const error = context.cancelReason ?? (failed ? RpcError.from(thrown) : undefined);
    probe.ended(context, state, error);
  } catch {
    // H79.
  }
}

/** A stream that begins with its first item asked for and ends with its last, with its error, or when its reader leaves. */
class ProbedStream<State> implements AsyncIterableIterator<unknown> {
  readonly #probe: CallProbe<State>;
  readonly #input: AsyncIterable<unknown>;
  readonly #context: CallContext;
  readonly #next: StreamHandler;
  #source: AsyncIterator<unknown> | Iterator<unknown> | undefined = undefined;
  #running: { readonly state: State } | undefined = undefined;

  constructor(probe: CallProbe<State>, input: AsyncIterable<unknown>, context: CallContext, next: StreamHandler) {
    this.#probe = probe;
    this.#input = input;
    this.#context = context;
    this.#next = next;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    try {
      const step = await this.#opened().next();
      if (step.done === true) this.#end(undefined, false);
      return step;
    } catch (thrown) {
      this.#end(thrown, true);
      throw thrown;
    }
  }

  async return(): Promise<IteratorResult<unknown>> {
    try {
      await this.#source?.return?.();
    } finally {
      const { name } = this.#context.method;
      this.#end(new RpcError("CANCELLED", `${name}: the reader left the stream`, { reason: "CANCELLED" }), true);
    }
    return { done: true, value: undefined };
  }

  #opened(): AsyncIterator<unknown> | Iterator<unknown> {
    if (this.#source !== undefined) return this.#source;
    try {
      this.#running = { state: this.#probe.started(this.#context, undefined) };
    } catch {
      // H79.
    }
    this.#source = iteratorOf(this.#next(this.#input, this.#context));
    return this.#source;
  }

  #end(thrown: unknown, failed: boolean): void {
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) end(this.#probe, this.#context, running.state, thrown, failed);
  }
}

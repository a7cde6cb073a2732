import type { CallOptions } from "../words/call-context.ts";
import { RpcError } from "../words/rpc-error.ts";
import { onlyValue } from "../tools/single.ts";
import { BoundMethod } from "./bound-method.ts";
import { CallerContext } from "./caller-context.ts";

/** A method of one of the stream shapes. */
export class StreamCaller extends BoundMethod {
  /** A stream is a call of its own each time it is read; one that is never read holds nothing. */
  stream(input: AsyncIterable<unknown>, options: CallOptions | undefined): AsyncIterable<unknown> {
    return {
      [Symbol.asyncIterator]: () => {
        const context = new CallerContext(this.method, options, this.clock, undefined);
        if (this.isGuarded) return this.#streamGuarded(input, context);
        return this.port.stream(input, context)[Symbol.asyncIterator]();
      },
    };
  }

  async *#streamGuarded(input: AsyncIterable<unknown>, context: CallerContext): AsyncGenerator {
    // Keeps the context at its signal while an interceptor tries again; a stream itself is ended by the call on the wire.
    context.guardWith({ cancelled: () => undefined });
    try {
      yield* this.port.stream(this.validates ? this.#validatedItems(input) : input, context);
    } catch (thrown) {
      throw RpcError.from(thrown);
    } finally {
      context.guardWith(undefined);
    }
  }

  async *#validatedItems(input: AsyncIterable<unknown>): AsyncIterable<unknown> {
    for await (const item of input) {
      await this.proveInput(item);
      yield item;
    }
  }

  async collect(input: AsyncIterable<unknown> | Iterable<unknown>, options: CallOptions | undefined): Promise<unknown> {
    return onlyValue(this.stream(asyncIterable(input), options), this.method.name);
  }
}

/** Items that come one by one, whatever they come from. */
export function asyncIterable(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<unknown> {
  return Symbol.asyncIterator in values ? values : fromSync(values);
}

async function* fromSync(values: Iterable<unknown>): AsyncIterable<unknown> {
  yield* values;
}

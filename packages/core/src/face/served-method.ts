import type { CallContext } from "../words/call-context.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable } from "../words/transport.ts";
import { deferredStream, isStreamable, MappedStream } from "../tools/mapped-stream.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { validated } from "../tools/shapes.ts";
import { onlyValue, Single } from "../tools/single.ts";

export type MethodFunction = (input: unknown, context: CallContext) => unknown;

/** One method with its function, its values proved on the way in and out. */
export class ServedMethod {
  readonly method: MethodDescriptor;
  readonly #run: MethodFunction;
  readonly #inputName: string;
  readonly #outputName: string;
  readonly #validateOutput: boolean;

  constructor(method: MethodDescriptor, run: MethodFunction, validateOutput: boolean) {
    this.method = method;
    this.#run = run;
    this.#inputName = `${method.name}: input`;
    this.#outputName = `${method.name}: output`;
    this.#validateOutput = validateOutput && method.output.validate !== undefined;
  }

  // Nothing here is `async`: where validator and handler are synchronous, a call costs no promise.
  call(input: unknown, context: CallContext): Awaitable<unknown> {
    if (this.method.input.validate === undefined) return this.#called(input, context);
    const checked = validated(this.method.input, input, this.#inputName, "INVALID_ARGUMENT");
    return checked instanceof Promise
      ? checked.then((value) => this.#called(value, context))
      : this.#called(checked, context);
  }

  #called(input: unknown, context: CallContext): Awaitable<unknown> {
    const output = this.#run(input, context);
    if (!this.#validateOutput) return output;
    return isPromiseLike(output)
      ? Promise.resolve(output).then((value) => this.#checkedOutput(value))
      : this.#checkedOutput(output);
  }

  #checkedOutput(output: unknown): Awaitable<unknown> {
    return validated(this.method.output, output, this.#outputName, "INTERNAL");
  }

  stream(input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> {
    if (this.method.kind !== "serverStream") return this.#opened(this.#checkedInputs(input), context);
    if (input instanceof Single) {
      const checked = validated(this.method.input, input.value, this.#inputName, "INVALID_ARGUMENT");
      if (!(checked instanceof Promise)) return this.#opened(checked, context);
      // Whoever reads the stream sees a refusal; when nobody ever does, it must not end the process.
      checked.catch(() => undefined);
      return deferredStream(async () => this.#opened(await checked, context));
    }
    return deferredStream(async () => {
      const only = await onlyValue(input, this.method.name);
      return this.#opened(await validated(this.method.input, only, this.#inputName, "INVALID_ARGUMENT"), context);
    });
  }

  #checkedInputs(input: AsyncIterable<unknown>): AsyncIterable<unknown> {
    if (this.method.input.validate === undefined) return input;
    return new MappedStream(input, (item) => validated(this.method.input, item, this.#inputName, "INVALID_ARGUMENT"));
  }

  #opened(input: unknown, context: CallContext): AsyncIterable<unknown> {
    const output = this.#run(input, context);
    if (this.method.kind === "clientStream") {
      return deferredStream(async () => {
        const only: unknown = await output;
        return [this.#validateOutput ? await this.#checkedOutput(only) : only];
      });
    }
    if (!isStreamable(output)) {
      throw new RpcError("INTERNAL", `${this.method.name}: the handler must return an async iterable`, {
        reason: "INTERNAL",
      });
    }
    if (this.#validateOutput) return new MappedStream(output, (item) => this.#checkedOutput(item));
    // A pump reads synchronous iterables as well; only the type asks for an asynchronous one.
    return Symbol.asyncIterator in output ? output : new MappedStream(output, (item) => item);
  }
}

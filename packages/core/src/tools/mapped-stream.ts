/** A stream with every item passed through a function; lighter than an async generator, which costs several promises per item. */
export class MappedStream implements AsyncIterableIterator<unknown> {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #map: (item: unknown) => unknown;

  constructor(source: AsyncIterable<unknown> | Iterable<unknown>, map: (item: unknown) => unknown) {
    this.#source = iteratorOf(source);
    this.#map = map;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    const step = await this.#source.next();
    if (step.done === true) return { done: true, value: undefined };
    try {
      return { done: false, value: await this.#map(step.value) };
    } catch (thrown) {
      // The reader sees a failed stream and asks no more; the source has to be told.
      await this.return();
      throw thrown;
    }
  }

  async return(): Promise<IteratorResult<unknown>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }
}

/** A stream that first has to be waited for. */
export async function* deferredStream(
  open: () => Promise<AsyncIterable<unknown> | Iterable<unknown>>,
): AsyncIterable<unknown> {
  yield* await open();
}

/** Whether a value can be read as a stream. */
export function isStreamable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

export function iteratorOf(
  values: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
}

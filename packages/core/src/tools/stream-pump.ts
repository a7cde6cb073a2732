import { RpcError } from "../words/rpc-error.ts";
import { iteratorOf } from "./mapped-stream.ts";
import { nextTurn } from "./next-turn.ts";

/** Where a pump puts what it reads. */
export interface PumpOutlet {
  /** Whether the wire takes more now; when not, the pump waits for `resume`. */
  readonly writable: boolean;
  /** Sends one item. May throw, which ends the stream with that error. */
  emit(value: unknown): void;
  /** The source has ended, or failed. Not called after `stop`. */
  ended(error: RpcError | undefined): void;
}

/** The sending end of a stream: reads a source as fast as credits and wire allow, and never a step ahead of them. */
export class StreamPump {
  readonly #outlet: PumpOutlet;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  #credits: number;
  #stopped = false;
  #wake: (() => void) | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(outlet: PumpOutlet, source: AsyncIterable<unknown> | Iterable<unknown>, credits: number) {
    this.#outlet = outlet;
    this.#credits = credits;
    this.#source = iteratorOf(source);
  }

  /** Credits that the far end has granted and this end has not used. */
  get credits(): number {
    return this.#credits;
  }

  grant(credits: number): void {
    this.#credits += credits;
    this.resume();
  }

  /** The wire takes more again. */
  resume(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Ends reading: the source's `finally` blocks run, also while it waits for credit. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.resume();
    this.#closing = closed(this.#source);
  }

  /** Settles when the source has come to rest, its `finally` blocks included. Never rejects: a failure arrives at `ended`. */
  async run(): Promise<void> {
    try {
      await this.#pump();
    } catch (thrown) {
      if (!this.#stopped) {
        this.stop();
        this.#outlet.ended(RpcError.from(thrown));
      }
    }
    await this.#closing;
  }

  async #pump(): Promise<void> {
    for (let count = 1; !this.#stopped; count++) {
      if (this.#credits <= 0 || !this.#outlet.writable) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      // A source that is always ready, and a reader that always grants, would keep everybody else from their turn.
      if (count % ITEMS_PER_TURN === 0) await new Promise<void>((resolve) => nextTurn(resolve));
      const next = this.#source.next();
      const step = next instanceof Promise ? await next : next;
      if (this.#stopped) return;
      if (step.done === true) {
        this.#stopped = true;
        this.#outlet.ended(undefined);
        return;
      }
      this.#credits--;
      this.#outlet.emit(step.value);
    }
  }
}

const ITEMS_PER_TURN = 1024;

/** Closes a source. One that fails while it is being closed has nobody left to tell. */
async function closed(source: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await source.return?.();
  } catch {
    // See above.
  }
}

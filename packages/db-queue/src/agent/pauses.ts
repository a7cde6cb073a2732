import { type Clock, RpcError } from "@rpc/core";
import { MAX_TIMER_MS } from "@rpc/core/transport";

/** A wait that ends by itself or is ended. Asked for again, it can only become shorter. */
export class Countdown {
  readonly done: Promise<void>;
  readonly #clock: Clock;
  #resolve: () => void = () => undefined;
  #timer: unknown = undefined;
  #endsAt: number = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  within(ms: number): void {
    const endsAt = this.#clock.now() + ms;
    if (this.#isOver || endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    this.#clock.clearTimeout(this.#timer);
    if (ms <= 0) return this.finish();
    this.#timer = this.#clock.setTimeout(() => this.finish(), Math.min(ms, MAX_TIMER_MS));
  }

  finish(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#isOver = true;
    this.#resolve();
  }
}

/** Whether it has settled, however it did, before the time was over. */
export async function settlesWithin(promise: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  const countdown = new Countdown(clock);
  countdown.within(ms);
  let hasSettled = false;
  const settle = (): void => {
    hasSettled = true;
    countdown.finish();
  };
  promise.then(settle, settle);
  await countdown.done;
  return hasSettled;
}

/**
 * What a verb of the store gives, or UNAVAILABLE when it has not answered in time: a connection that is dead without anybody having been
 * told must not stop an agent. An answer that waits to be read when the time is over, because this process stood still, counts.
 */
export function answeredWithin<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => {
      const message = `the database has not answered for ${Math.round(ms)} ms`;
      reject(new RpcError("UNAVAILABLE", message, { reason: "NO_ANSWER", delivered: "unknown" }));
    };
    const timer = clock.setTimeout(() => void setImmediate(late), Math.min(ms, MAX_TIMER_MS));
    promise.then(resolve, reject).finally(() => clock.clearTimeout(timer));
  });
}

/** Lets promises and input have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

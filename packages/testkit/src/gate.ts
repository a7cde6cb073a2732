import { fail } from "./assert.ts";
import type { FakeClock } from "./fake-clock.ts";

/** An event that a case awaits: opened once, by whoever saw it happen. */
export interface Gate<T = void> {
  readonly passed: Promise<T>;
  readonly isOpen: boolean;
  open(value: T): void;
}

/** A gate, closed. */
export function createGate<T = void>(): Gate<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  let isOpen = false;
  return {
    passed: promise,
    get isOpen() {
      return isOpen;
    },
    open(value) {
      isOpen = true;
      resolve(value);
    },
  };
}

/** Lets everything that is ready run: some turns of the event loop, so that sockets get theirs as well. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 0);
    });
  }
}

/** Waits for something that gives no event, turn by turn. The suite's patience is the bound. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i += 1) {
    if (i > 5_000) fail(`never happened: ${what}`);
    await turns(1);
  }
}

/**
 * Lets time pass, a little each turn, until a promise has settled: for what waits between tries. Sockets get their turn in between, so
 * that nobody takes a peer for lost that answers.
 */
export async function passing<T>(clock: FakeClock, promise: Promise<T>, what: string, stepMs = 100): Promise<T> {
  const watched = watch(promise);
  for (let i = 0; !watched.settled; i += 1) {
    if (i > 3_000) fail(`never happened, though ${i * stepMs} ms passed: ${what}`);
    await turns(1);
    if (!watched.settled) clock.advance(stepMs);
  }
  return promise;
}

/** Proves that nothing is left on the clock. A socket may need some turns to say that it is closed, but no time. */
export async function noTimersLeft(clock: { readonly pendingCount: number }, place: string): Promise<void> {
  for (let turn = 0; clock.pendingCount > 0 && turn < 100; turn += 1) await turns(1);
  if (clock.pendingCount > 0) fail(`${place}: ${clock.pendingCount} timers are left`);
}

/** Whether a promise has settled by now. */
export interface Watched {
  readonly settled: boolean;
}

/** Watches a promise without taking its result; its rejection counts as handled. */
export function watch(promise: PromiseLike<unknown>): Watched {
  const watched = { settled: false };
  const settle = (): void => {
    watched.settled = true;
  };
  promise.then(settle, settle);
  return watched;
}

/** Reads an iterable to its end. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

import type { Clock } from "@rpc/core";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that moves only when a test moves it: the monotonic clock and the wall's go together. */
export class TestClock implements Clock {
  #now = 0;
  #lastHandle = 0;
  readonly #timers = new Map<number, Timer>();
  readonly #start: number;

  /** 2026-01-01T00:00:00Z unless said otherwise. */
  constructor(start = 1_767_225_600_000) {
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  get wall(): number {
    return this.#start + this.#now;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size;
  }

  setTimeout(run: () => void, delayMs: number): unknown {
    this.#lastHandle += 1;
    this.#timers.set(this.#lastHandle, { at: this.#now + Math.max(0, delayMs), run });
    return this.#lastHandle;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Runs what falls due, in order. What those timers begin is not waited for. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= until)
        .toSorted(([, one], [, other]) => one.at - other.at);
      const [first] = due;
      if (first === undefined) break;
      this.#timers.delete(first[0]);
      this.#now = Math.max(this.#now, first[1].at);
      first[1].run();
    }
    this.#now = until;
  }
}

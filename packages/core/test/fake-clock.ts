import { type Clock, MAX_TIMER_MS } from "../src/words/clock.ts";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that moves only when a test moves it. Like a real timer, one that is set for longer than a timer keeps fires at once. */
export class FakeClock implements Clock {
  #now: number;
  #lastHandle = 0;
  readonly #timers = new Map<number, Timer>();

  // Far from zero, because a clock's zero means nothing.
  constructor(startMs = 1_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, delayMs: number): unknown {
    const delay = delayMs >= 0 && delayMs <= MAX_TIMER_MS ? delayMs : 1;
    this.#timers.set(++this.#lastHandle, { at: this.#now + delay, run });
    return this.#lastHandle;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Timers that have neither run nor been cleared. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Moves time on; every timer that falls due runs at its own instant, and everything that follows from it comes to rest. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (let due = this.#nextDue(until); due !== undefined; due = this.#nextDue(until)) {
      const timer = this.#timers.get(due);
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, timer?.at ?? 0);
      timer?.run();
      await settled();
    }
    this.#now = until;
  }

  /** Time passes while nothing of this process runs; what fell due in the meantime runs once, late, afterwards. */
  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    const late = [...this.#timers].filter(([, timer]) => timer.at <= this.#now);
    for (const [handle, timer] of late.toSorted(([, a], [, b]) => a.at - b.at)) {
      if (!this.#timers.delete(handle)) continue;
      timer.run();
      await settled();
    }
  }

  #nextDue(until: number): number | undefined {
    let found: number | undefined;
    let at = until;
    for (const [handle, timer] of this.#timers) {
      if (timer.at < at || (timer.at === at && found === undefined)) {
        found = handle;
        at = timer.at;
      }
    }
    return found;
  }
}

/** Waits until everything that needs no time has happened: memory channels deliver in microtasks, and all of those run before this. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

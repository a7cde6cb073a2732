import type { Clock } from "@rpc/core/transport";

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Moves time on and runs what falls due, each timer at its own instant, timers set on the way included. */
  advance(ms: number): void;
  /** Moves time on at once and then runs what fell due, all of it late: a blocked event loop, a suspended machine. */
  jump(ms: number): void;
  /** Timers that have neither run nor been cleared. */
  readonly pendingCount: number;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

// As in Node and browsers: a delay that does not fit 31 bits fires at once. Code that forgets to clamp must not pass here.
const LONGEST_DELAY_MS = 2_147_483_647;

/** Time for tests: nothing in a suite waits for the wall clock. It starts far from zero, because its zero means nothing. */
export function createFakeClock(startMs = 1_000_000): FakeClock {
  let now = startMs;
  let lastHandle = 0;
  const timers = new Map<number, Timer>();

  function nextDue(until: number): number | undefined {
    let found: number | undefined;
    let at = until;
    for (const [handle, timer] of timers) {
      // Maps keep the order of insertion, so of two timers at one instant the older runs first.
      if (timer.at < at || (timer.at === at && found === undefined)) {
        found = handle;
        at = timer.at;
      }
    }
    return found;
  }

  return {
    now: () => now,
    setTimeout(run, delayMs) {
      const delay = delayMs >= 1 && delayMs <= LONGEST_DELAY_MS ? delayMs : 1;
      lastHandle += 1;
      timers.set(lastHandle, { at: now + delay, run });
      return lastHandle;
    },
    clearTimeout(handle) {
      if (typeof handle === "number") timers.delete(handle);
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const handle = nextDue(until);
        if (handle === undefined) break;
        const timer = timers.get(handle);
        timers.delete(handle);
        if (timer === undefined) break;
        now = Math.max(now, timer.at);
        timer.run();
      }
      now = until;
    },
    jump(ms) {
      const until = now + ms;
      now = until;
      // Only what was due by now: a timer that a late one sets is not late itself.
      const late = [...timers].filter(([, timer]) => timer.at <= until).toSorted(([, a], [, b]) => a.at - b.at);
      for (const [handle, timer] of late) if (timers.delete(handle)) timer.run();
    },
    get pendingCount() {
      return timers.size;
    },
  };
}

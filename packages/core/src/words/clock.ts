/** Where time comes from. Tests hand in their own; the default is {@link systemClock}. */
export interface Clock {
  /** Milliseconds on a scale that only goes forward. Its zero means nothing; jumps of the wall clock do not move it. */
  now(): number;
  /** Runs `run` once after `delayMs`; the handle is for {@link Clock.clearTimeout} alone. */
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** Longest delay a JavaScript timer keeps; a longer one would fire at once (2^31 − 1 ms). */
export const MAX_TIMER_MS = 2_147_483_647;

/** The process's monotonic clock and its timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (run, delayMs) => setTimeout(run, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

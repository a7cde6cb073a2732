const FIRST_MS = 1000;
const LONGEST_MS = 300_000;

/** How long a command rests after its `attempts`-th try failed: 1 s, doubled each time, 5 min at most, spread from half to one and a half. */
export function retryDelayMs(attempts: number, random: () => number): number {
  return Math.round(Math.min(FIRST_MS * 2 ** (attempts - 1), LONGEST_MS) * (0.5 + random()));
}

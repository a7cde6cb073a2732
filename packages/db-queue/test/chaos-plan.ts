import * as fc from "fast-check";

export interface PlannedCommand {
  readonly name: string;
  /** 1: at most once. */
  readonly maxAttempts: number;
  readonly workMs: number;
  readonly key: string | undefined;
  readonly expiresMs: number | undefined;
  readonly delayMs: number | undefined;
  readonly priority: number;
}

export interface PlannedHarm {
  /** After the one before. */
  readonly afterMs: number;
  readonly agent: number;
  /** `freeze`: it stands still, and its successor is there before it goes on. */
  readonly how: "kill" | "freeze";
  /** Until the next incarnation is started. */
  readonly awayMs: number;
}

const KEYS = 12;
/** Enough for any number of kills: at least once. */
const MANY = 100;

const anyCommand = fc.record({
  maxAttempts: fc.constantFrom(1, MANY),
  workMs: fc.constantFrom(0, 0, 0, 1, 5, 20, 100),
  key: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat({ max: KEYS - 1 }) }),
  expiresMs: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(1, 50, 400) },
  ),
  delayMs: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(20, 300) },
  ),
  priority: fc.constantFrom(0, 0, 0, 5),
});

/** The same commands for the same seed. */
export function plannedCommands(seed: number, count: number): readonly PlannedCommand[] {
  return fc.sample(anyCommand, { seed, numRuns: count }).map((command, index) => {
    const { key, expiresMs, delayMs, maxAttempts, workMs, priority } = command;
    return {
      name: `c${index}`,
      maxAttempts,
      workMs,
      key: key === undefined ? undefined : `k${key}`,
      delayMs,
      // It has to outlive its delay.
      expiresMs: expiresMs === undefined ? undefined : expiresMs + (delayMs ?? 0),
      priority,
    };
  });
}

/** Without end: asked for in portions. */
export function* plannedHarm(seed: number, agents: number): Generator<PlannedHarm> {
  const anyHarm = fc.record({
    afterMs: fc.integer({ min: 50, max: 500 }),
    agent: fc.nat({ max: agents - 1 }),
    how: fc.constantFrom("kill" as const, "kill" as const, "kill" as const, "freeze" as const),
    awayMs: fc.constantFrom(0, 0, 200, 1000),
  });
  for (let portion = 0; ; portion += 1) yield* fc.sample(anyHarm, { seed: seed + portion, numRuns: 64 });
}

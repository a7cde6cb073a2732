import * as fc from "fast-check";
import { createFakeClock } from "@rpc/testkit";
import { expect, it } from "vitest";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { Answer } from "../src/store/store-words.ts";
import { ADDRESS, refusal } from "./store-rig.ts";
import { type Held, StoreModel } from "./store-model.ts";

const AGENTS = ["a", "b", "c"] as const;

type Step = (store: QueueStore, model: StoreModel, advance: (ms: number) => void) => Promise<void>;

const agent = fc.constantFrom(...AGENTS);
const span = fc.constantFrom(0, 500, 1000, 5000, 20_000);
const maybe = <T>(some: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight, arbitrary: some }, { weight: 2, arbitrary: fc.constant(undefined) });

const insert: fc.Arbitrary<Step> = fc
  .record({
    priority: fc.integer({ min: -1, max: 1 }),
    orderingKey: maybe(fc.constantFrom("k", "k", "k", "l"), 3),
    targetAgent: maybe(agent),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    delayMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: span }),
    expiresMs: maybe(span),
    broadcast: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    notification: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  })
  .map((command) => async (store, model) => {
    const [row] = await store.insert([{ address: ADDRESS, method: "m", ...command }]);
    agree(row, model.insert(command));
  });

const claim: fc.Arbitrary<Step> = fc
  .record({
    agent,
    max: fc.integer({ min: 1, max: 4 }),
    leaseMs: fc.constantFrom(1000, 10_000),
    stale: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ agent, max, leaseMs, stale }) => async (store, model) => {
    const incarnation = stale === 0 ? "0" : model.incarnation(agent);
    const [claimed] = await store.claim([{ address: ADDRESS, agent, incarnation, max, leaseMs }]);
    if (stale === 0) return agree(refusal(claimed), "ABORTED FENCED");
    if (claimed === undefined || claimed instanceof Error) throw new Error("a claim", { cause: claimed });
    const expected = model.claim(agent, max, leaseMs, claimed.claims);
    agree(
      claimed.claims.map(({ id, attempt }) => ({ id, attempt })),
      expected.claims,
    );
    agree(claimed.nextDueMs, expected.nextDueMs);
  });

/** Of a claim that is still held, or was once. */
const settle: fc.Arbitrary<Step> = fc
  .record({
    pick: fc.nat(),
    outcome: fc.constantFrom("done", "failed", "again", "cancelled", "released"),
    retryDelayMs: maybe(span),
  })
  .map(({ pick, outcome, retryDelayMs }) => async (store, model) => {
    const held = model.anyClaim(pick);
    if (held === undefined) return;
    const [settled] = await store.settle([answer(held, outcome, retryDelayMs)]);
    const expected = model.settle(held, outcome, retryDelayMs);
    if (expected === undefined) agree(refusal(settled), "UNAVAILABLE LEASE_LOST");
    else agree(settled, expected);
  });

const extend: fc.Arbitrary<Step> = fc.nat().map((pick) => async (store, model) => {
  const held = model.anyClaim(pick);
  if (held === undefined) return;
  const [extended] = await store.extend([{ ...held, leaseMs: 10_000 }]);
  const expected = model.extend(held, 10_000);
  if (expected === undefined) agree(refusal(extended), "UNAVAILABLE LEASE_LOST");
  else agree(extended, expected);
});

const cancel: fc.Arbitrary<Step> = fc.nat().map((pick) => async (store, model) => {
  const id = model.anyId(pick);
  if (id === undefined) return;
  const [cancelled] = await store.cancel([{ id, reason: "why" }]);
  const expected = model.cancel(id);
  if (expected === undefined) agree(refusal(cancelled), "NOT_FOUND NO_COMMAND");
  else agree(cancelled, { state: expected });
});

const pass: fc.Arbitrary<Step> = span.map((ms) => async (_store, model, advance) => {
  advance(ms);
  model.now += ms;
});

const reap: fc.Arbitrary<Step> = fc.constant(async (store: QueueStore, model: StoreModel) => {
  agree(await store.reap(), model.reap());
});

const resubscribe: fc.Arbitrary<Step> = agent.map((agent) => async (store, model) => {
  const incarnation = model.resubscribe(agent);
  await store.subscribe({ address: ADDRESS, agent, incarnation });
});

const pause: fc.Arbitrary<Step> = fc.boolean().map((paused) => async (store, model) => {
  await store.pauseAddress(ADDRESS, paused);
  model.paused = paused;
});

const step = fc.oneof(
  { weight: 6, arbitrary: insert },
  { weight: 6, arbitrary: claim },
  { weight: 6, arbitrary: settle },
  { weight: 1, arbitrary: extend },
  { weight: 2, arbitrary: cancel },
  { weight: 4, arbitrary: pass },
  { weight: 2, arbitrary: reap },
  { weight: 1, arbitrary: resubscribe },
  { weight: 1, arbitrary: pause },
);

it("Q10 Q50 Q54 Q55 Q58 does what the model of a queue does, whatever is asked of it in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50, size: "max" }), async (steps) => {
      const clock = createFakeClock(1_800_000_000_000);
      // Half a spread is none: pauses are what the model says.
      const store = createSqliteStore({ file: ":memory:", clock, wallClock: () => clock.now(), random: () => 0.5 });
      await store.migrate();
      await store.ensureAddress(ADDRESS);
      const model = new StoreModel(clock.now(), AGENTS);
      for (const agent of AGENTS)
        await store.subscribe({ address: ADDRESS, agent, incarnation: model.incarnation(agent) });
      for (const run of steps) {
        await run(store, model, (ms) => clock.advance(ms));
        const rows = await store.list({ limit: 1000 });
        expect(rows.map((row) => model.view(row)).toReversed()).toEqual(model.rows());
      }
      await store.close();
    }),
    { numRuns: 300 },
  );
});

function answer(held: Held, outcome: string, retryDelayMs: number | undefined): Answer {
  switch (outcome) {
    case "done":
      return { ...held, outcome, result: "1" };
    case "failed":
    case "cancelled":
      return { ...held, outcome, error: "{}" };
    case "again":
      return { ...held, outcome: "failed", error: "{}", retryable: true, retryDelayMs };
    default:
      return { ...held, outcome: "released" };
  }
}

function agree(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}

import { dynamicRouter, type HandlerContext } from "@rpc/core";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { DbQueueAgent } from "../src/agent/serve-db-queue.ts";
import { type AgentRig, LEASE_MS, openAgentRig, turns } from "./agent-rig.ts";
import { away, type FaultyStore, faultyStore, silent } from "./faulty-store.ts";

const VERBS = ["claim", "settle", "extend", "appendEvents", "keepAlive"] as const;

type Step =
  | { readonly do: "insert"; readonly maxAttempts: number; readonly workMs: number; readonly key: boolean }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "break"; readonly agent: number; readonly verb: (typeof VERBS)[number]; readonly isSilent: boolean }
  | { readonly do: "repair" | "close" | "kill" | "restart"; readonly agent: number }
  | { readonly do: "cancel" | "reap" };

const agentIndex = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("insert" as const),
      maxAttempts: fc.constantFrom(1, 1, 3),
      workMs: fc.constantFrom(0, 0, 1000, 40_000),
      key: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 500, 11_000, 45_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("break" as const),
      agent: agentIndex,
      verb: fc.constantFrom(...VERBS),
      isSilent: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("repair" as const, "close" as const, "kill" as const, "restart" as const),
      agent: agentIndex,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "reap" as const) }) },
);

interface Run {
  readonly key: string | undefined;
  readonly attempt: number;
  readonly by: string;
}

/** Agents whose databases fail, which are killed, restarted and closed. */
class World {
  readonly rig: AgentRig;
  readonly runs = new Map<string, Run[]>();
  readonly ids: number[] = [];
  readonly #agents: ({ readonly faulty: FaultyStore; readonly agent: Promise<DbQueueAgent> } | undefined)[] = [];
  #count = 0;

  constructor(rig: AgentRig) {
    this.rig = rig;
  }

  async start(index: number): Promise<void> {
    const faulty = faultyStore(this.rig.store);
    const by = `agent${index}#${++this.#count}`;
    const router = dynamicRouter();
    const run = async (context: HandlerContext, name: string, workMs: number): Promise<string> => {
      this.runs.set(name, [...(this.runs.get(name) ?? []), { key: undefined, attempt: context.attempt, by }]);
      context.log("started");
      if (workMs > 0) await this.#pause(workMs, context.signal);
      return `${by}/${context.attempt}`;
    };
    router.register({ run }.run, { passContext: true });
    const options = { store: faulty.store, name: `agent${index}`, incarnation: by, concurrency: 2, prefetch: 1 };
    const agent = this.rig.begin(router, { ...options, reaper: false, drainMs: 0 });
    this.#agents[index] = { faulty, agent };
    await turns(10);
  }

  async do(each: Step): Promise<void> {
    const { rig } = this;
    switch (each.do) {
      case "insert": {
        const name = `c${this.ids.length}`;
        const args = JSON.stringify([name, each.workMs]);
        this.ids.push(
          await rig.insert("run", {
            args,
            maxAttempts: each.maxAttempts,
            orderingKey: each.key ? "k" : undefined,
          }),
        );
        return turns(4);
      }
      case "wait":
        return each.ms === 0 ? turns(3) : rig.advance(each.ms, 500);
      case "break":
        this.#agents[each.agent]?.faulty.break(each.verb, each.isSilent ? silent : away);
        return undefined;
      case "repair":
        for (const verb of VERBS) this.#agents[each.agent]?.faulty.break(verb)();
        return undefined;
      case "kill":
        // Nothing of it reaches the database any more.
        this.#agents[each.agent]?.faulty.break([...VERBS, "unsubscribe", "read", "findAddress"], silent);
        this.#agents[each.agent] = undefined;
        return undefined;
      case "close":
        void this.#agents[each.agent]?.agent.then((agent) => agent.close());
        return turns(5);
      case "restart":
        return this.start(each.agent);
      case "cancel": {
        const id = this.ids.at(-1);
        if (id !== undefined) await rig.store.cancel([{ id }]);
        return turns(4);
      }
      case "reap":
        await rig.store.reap();
        return turns(3);
    }
  }

  /** Who is left gets a healthy database; one more agent comes, and a reaper. */
  async heal(): Promise<void> {
    for (const index of [0, 1, 2]) for (const verb of VERBS) this.#agents[index]?.faulty.break(verb)();
    await this.start(3);
    for (let round = 0; round < 40; round++) {
      await this.rig.advance(20_000, 1000);
      await this.rig.store.reap();
      const rows = await this.rig.store.outcomes(this.ids);
      if (rows.every((row) => row !== undefined && row.state !== "queued" && row.state !== "claimed")) return;
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.rig.clock.setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        this.rig.clock.clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
  }
}

it("keeps its word whatever fails: each try runs once, no stale result stays, no row is stuck", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const rig = await openAgentRig();
      try {
        const world = new World(rig);
        for (const index of [0, 1]) await world.start(index);
        for (const each of steps) await world.do(each);
        await world.heal();
        const rows = await rig.store.read(world.ids);
        for (const [index, row] of rows.entries()) {
          const runs = world.runs.get(`c${index}`) ?? [];
          const attempts = runs.map(({ attempt }) => attempt);
          expect(new Set(attempts).size, "no try runs twice").toBe(attempts.length);
          expect(attempts.length).toBeLessThanOrEqual(row?.maxAttempts ?? 0);
          expect(["done", "failed", "cancelled"], "no row is stuck").toContain(row?.state);
          if (row?.state !== "done") continue;
          const last = runs.find(({ attempt }) => attempt === row.attempts);
          expect(row.result, "of the last try").toBe(JSON.stringify(`${last?.by}/${last?.attempt}`));
          expect(row.incarnation).toBe(last?.by);
        }
      } finally {
        await closed(rig);
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);

/** Agents whose databases are silent need the time of a lease to end. */
async function closed(rig: AgentRig): Promise<void> {
  const closing = rig.close().then(() => true);
  for (let round = 0; round < 200; round++) {
    if (await Promise.race([closing, turns(1).then(() => false)])) return;
    await rig.advance(LEASE_MS / 10, 1000);
  }
  await closing;
}

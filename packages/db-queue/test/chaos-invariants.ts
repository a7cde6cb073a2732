import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { RpcError } from "@rpc/core";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { ChaosVerdict } from "./chaos-judge.ts";
import { type PlannedHarm, plannedCommands, plannedHarm } from "./chaos-plan.ts";
import { execute } from "./chaos-sql.ts";
import { ChaosWorld } from "./chaos-world.ts";

export interface InvariantsOptions {
  /** The same one does the same harm to the same commands; what falls together is the machine's. */
  readonly seed: number;
  readonly commands: number;
  readonly agents: number;
  readonly at: { readonly url: string } | { readonly file: string };
}

interface StaleClaim {
  readonly id: number;
  readonly token: string;
}

const IN_FLIGHT = 200;
const THAW_MS = 2000;
/** Agents that are killed, away or frozen. */
const MOST_AT_ONCE = 3;

/** Commands of all kinds, and agents that are killed and frozen at random until all commands are over. */
export async function runInvariants({ seed, commands, agents, at }: InvariantsOptions): Promise<ChaosVerdict> {
  const store = "file" in at ? createSqliteStore(at) : createPostgresStore({ connection: at.url });
  await store.migrate();
  const world = await ChaosWorld.open({
    store,
    agentStore: "file" in at ? at : { connection: at.url },
    agents,
    agentOptions: { concurrency: 3, prefetch: 1, leaseMs: 10_000, reaper: { everyMs: 300 } },
  });
  const violations: string[] = [];
  let kills = 0;
  let refused = 0;
  const run = { isOver: false };
  /** What the dead held: whoever answers with that is late. */
  const answerForTheDead = async (claims: readonly StaleClaim[]): Promise<void> => {
    // Its successor has ended the leases; now they are taken back.
    await store.reap();
    const answers = await store.settle(
      claims.map((claim) => ({ ...claim, outcome: "done", result: '"stale"' }) as const),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer instanceof RpcError && answer.reason === "LEASE_LOST") refused += 1;
      else violations.push(`command ${claims[index]?.id} took the answer of a dead agent`);
    }
  };
  const harmOne = async ({ agent, how, awayMs }: PlannedHarm): Promise<void> => {
    kills += 1;
    const incarnation = world.incarnation(agent);
    if (how === "freeze") return world.freeze(agent, THAW_MS);
    await world.kill(agent);
    const stale = await claimsOf(at, incarnation);
    await sleep(awayMs);
    await world.start(agent);
    return stale.length > 0 ? answerForTheDead(stale) : undefined;
  };
  const harm = async (): Promise<void> => {
    const under = new Map<number, Promise<void>>();
    for (const planned of plannedHarm(seed, agents)) {
      await sleep(planned.afterMs);
      while (!run.isOver && (under.size >= MOST_AT_ONCE || under.has(planned.agent)))
        await Promise.race(under.values());
      if (run.isOver) break;
      under.set(
        planned.agent,
        harmOne(planned).finally(() => under.delete(planned.agent)),
      );
    }
    await Promise.all(under.values());
  };
  try {
    const harming = harm();
    for (const command of plannedCommands(seed, commands)) {
      while (world.inFlight >= IN_FLIGHT) await sleep(2);
      void world.issue(command);
    }
    await world.allTold();
    run.isOver = true;
    await harming;
    const verdict = await world.judge();
    return { counts: { ...verdict.counts, kills, refused }, violations: [...violations, ...verdict.violations] };
  } finally {
    run.isOver = true;
    await world.close();
  }
}

/** Beside the store, which tells no tokens. */
async function claimsOf(at: InvariantsOptions["at"], incarnation: string): Promise<readonly StaleClaim[]> {
  const text = "SELECT id, claim_token AS token FROM rpc_command WHERE state = 'claimed' AND agent_incarnation = ";
  if ("url" in at) {
    const rows = await execute<{ id: string; token: string }>(at.url, `${text}$1`, [incarnation]);
    return rows.map(({ id, token }) => ({ id: Number(id), token }));
  }
  const database = new DatabaseSync(at.file);
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    return database.prepare(`${text}?`).all(incarnation) as unknown as readonly StaleClaim[];
  } finally {
    database.close();
  }
}

import { type DynamicRouter, dynamicRouter } from "@rpc/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { AGENT_ADDRESS, type AgentRig, openAgentRig, turns } from "./agent-rig.ts";
import { away, type FaultyStore, faultyStore } from "./faulty-store.ts";

// Long outages make long pauses between tries. What is to follow is that nobody waits for their end once the database is back and says so.
let rig: AgentRig;
let faulty: FaultyStore;
beforeEach(async () => {
  rig = await openAgentRig();
  faulty = faultyStore(rig.store);
});
afterEach(() => rig.close());

const OUTAGE_MS = 600_000;

function router(run: () => unknown = () => 1): DynamicRouter {
  const made = dynamicRouter();
  made.register(run, { name: "run" });
  return made;
}

it("H190 a wake-up ends the pause after failed claims, a second after the last of them", async () => {
  await rig.serve(router(), { store: faulty.store });
  await turns(5);
  const repair = faulty.break(["claim"]);
  await rig.insert("run");
  await rig.advance(OUTAGE_MS);
  repair();
  const id = await rig.insert("run");
  await rig.advance(1000);
  expect((await rig.row(id)).state).toBe("done");
});

it("H190 swarms of wake-ups are no reason to try more often than once a second", async () => {
  await rig.serve(router(), { store: faulty.store });
  await turns(5);
  faulty.break(["claim"]);
  faulty.calls.clear();
  for (let count = 0; count < 200; count += 1) {
    await rig.insert("run");
    await rig.advance(50, 50);
  }
  expect(faulty.calls.get("claim")).toBeLessThanOrEqual(12);
});

it("H190 a wake-up ends the pause after answers that could not be stored", async () => {
  await rig.serve(router(), { store: faulty.store });
  await turns(5);
  const repair = faulty.break(["settle"]);
  const id = await rig.insert("run");
  await rig.advance(OUTAGE_MS);
  expect((await rig.row(id)).state).toBe("claimed");
  repair();
  await rig.insert("run");
  await rig.advance(1000);
  expect((await rig.row(id)).state).toBe("done");
});

it("H190 a wake-up ends the pause of an issuer that could not read its outcomes", async () => {
  const queue = createDbQueue(faulty.store, { clock: rig.clock, random: () => 0.9, pollMs: 100_000 });
  const handle = queue.send(AGENT_ADDRESS, "run");
  const id = await handle.accepted;
  let result: unknown = undefined;
  void handle.then((value) => (result = value));
  const repair = faulty.break(["outcomes"]);
  await rig.advance(OUTAGE_MS);
  const other = rig.another();
  await other.subscribe({ address: AGENT_ADDRESS, agent: "a", incarnation: "a-1" });
  const [claimed] = await other.claim([
    { address: AGENT_ADDRESS, agent: "a", incarnation: "a-1", max: 1, leaseMs: 1000 },
  ]);
  if (claimed === undefined || !("claims" in claimed)) throw new Error("nothing was claimed");
  repair();
  await other.settle(claimed.claims.map(({ token }) => ({ id, token, outcome: "done" as const, result: "7" })));
  // For the look at other processes' commits, and for the least pause.
  await rig.advance(200, 5);
  expect(result).toBe(7);
  await queue.close();
});

it("an agent whose claims failed when its address was removed claims again when that is back", async () => {
  const agent = await rig.serve(router(), { store: faulty.store, waitForAddress: true });
  await turns(5);
  const repair = faulty.break(["claim"], away);
  await rig.insert("run");
  await rig.advance(40_000);
  await rig.store.removeAddress(agent.address);
  // Its sign of life tells it, in the middle of a pause.
  await rig.advance(16_000);
  repair();
  await rig.store.ensureAddress(agent.address);
  await rig.advance(31_000);
  const id = await rig.insert("run");
  await rig.advance(60_000);
  expect((await rig.row(id)).state).toBe("done");
});

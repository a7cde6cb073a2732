import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { resultTopic } from "../src/store/store.ts";
import { type SqliteRig, openSqliteRig } from "./sqlite-rig.ts";
import { agentRef, good, inserted, stateOf, subscribed } from "./store-rig.ts";

const PEER = fileURLToPath(new URL("./sqlite-peer.ts", import.meta.url));
const LONG_MS = 60_000;

let rig: SqliteRig;
let peers: ChildProcess[];

// The processes have the machine's clock: so has this one.
beforeEach(async () => {
  peers = [];
  rig = await openSqliteRig({ migrated: false }, { wallClock: Date.now, clock: undefined });
});
afterEach(async () => {
  for (const peer of peers) {
    if (peer.exitCode !== null || peer.signalCode !== null) continue;
    peer.kill("SIGKILL");
    await once(peer, "exit");
  }
  await rig.close();
});

function start(mode: string, agent = ""): ChildProcess {
  const peer = fork(PEER, [mode, rig.file, agent], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  peers.push(peer);
  return peer;
}

/** What a process says first; rejects when it ends without a word. */
async function word(peer: ChildProcess): Promise<Record<string, unknown>> {
  const ended = once(peer, "exit").then(([code]) => {
    throw new Error(`the process ended with ${code} and said nothing`);
  });
  const [said] = await Promise.race([once(peer, "message"), ended]);
  return said as Record<string, unknown>;
}

it("Q10 gives each of 2000 commands to one of eight processes", { timeout: LONG_MS }, async () => {
  await rig.store.migrate();
  const agents = Array.from({ length: 8 }, (_, i) => `agent${i}`);
  await subscribed(rig.store, ...agents);
  const ids = await inserted(rig.store, ...Array.from({ length: 2000 }, () => ({})));
  const drained = await Promise.all(agents.map((agent) => word(start("drain", agent))));
  const given = drained.flatMap((said) => said["ids"] as number[]);
  expect(given.toSorted((a, b) => a - b)).toEqual(ids);
  expect(await rig.query("SELECT count(*) AS n FROM rpc_command WHERE state = 'done' AND attempts = 1")).toEqual([
    { n: 2000 },
  ]);
  expect(await rig.query("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
});

it(
  "Q21 wakes an agent in another process, and the issuer in this one, with nothing but wake-ups",
  { timeout: LONG_MS },
  async () => {
    await rig.store.migrate();
    await subscribed(rig.store, "bot");
    let look: (topic?: string) => void = () => undefined;
    await rig.store.watch({ wake: (topic) => look(topic), wakeAll: () => look() }).ready;
    await word(start("serve", "bot"));
    const answered: (string | undefined)[] = [];
    for (let round = 0; round < 50; round += 1) {
      const [id] = await inserted(rig.store, { args: `[${round}]` });
      await new Promise<void>((resolve, reject) => {
        look = (topic) => {
          if (topic !== undefined && topic !== resultTopic(id ?? 0)) return;
          rig.store.outcomes([id ?? 0]).then(([outcome]) => {
            if (outcome?.state !== "done") return;
            answered[round] = outcome.result;
            resolve();
          }, reject);
        };
        // Between the insert and this line it may have been woken already.
        look();
      });
    }
    expect(answered).toEqual(Array.from({ length: 50 }, (_, round) => `[${round}]`));
  },
);

it("Q50 takes back what a killed process had claimed", { timeout: LONG_MS }, async () => {
  await rig.store.migrate();
  await subscribed(rig.store, "victim");
  const [id] = await inserted(rig.store, { maxAttempts: 2 });
  const peer = start("hold", "victim");
  expect(await word(peer)).toEqual({ ids: [id] });
  peer.kill("SIGKILL");
  await once(peer, "exit");
  expect(await stateOf(rig.store, id ?? 0)).toBe("claimed");
  const { replaced } = await rig.store.subscribe({ ...agentRef("victim"), incarnation: "victim-2" });
  expect(replaced).toBe("victim-1");
  expect((await rig.store.reap()).requeued).toBe(1);
  expect(await rig.query("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
});

it("Q62 makes an empty file by one of eight processes that begin at once", { timeout: LONG_MS }, async () => {
  const reports = await Promise.all(Array.from({ length: 8 }, () => word(start("migrate"))));
  expect(reports.filter((report) => (report["applied"] as number[]).length > 0)).toHaveLength(1);
  await subscribed(rig.store, "bot");
  expect(good((await rig.store.insert([{ ...agentRef("bot"), method: "ping" }]))[0]).state).toBe("queued");
});

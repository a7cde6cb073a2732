import { type DynamicRouter, dynamicRouter, type HandlerContext, RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENT_ADDRESS, type AgentRig, gate, LEASE_MS, openAgentRig, turns } from "./agent-rig.ts";
import type { QueueStore } from "../src/store/store.ts";
import { type FaultyStore, faultyStore, lostAnswer, silent } from "./faulty-store.ts";

let rig: AgentRig;
let faulty: FaultyStore;
beforeEach(async () => {
  rig = await openAgentRig();
  faulty = faultyStore(rig.store);
});
afterEach(() => rig.close());

function running(run: (context: HandlerContext, input: unknown) => unknown): DynamicRouter {
  const router = dynamicRouter();
  router.register(run, { name: "run", passContext: true });
  return router;
}

/** Tells of each claim what it asks for beside new ones. */
function watchingClaims(store: QueueStore, asked: unknown[]): QueueStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name !== "claim") return Reflect.get(target, name, target) as unknown;
      return (requests: Parameters<QueueStore["claim"]>[0]) => {
        asked.push(...requests.map(({ held }) => held));
        return target.claim(requests);
      };
    },
  });
}

const reasons = (): (string | undefined)[] => rig.errors.map(({ reason }) => reason);
const claimed = (id: number): Promise<void> => rig.until(async () => (await rig.row(id)).state === "claimed");

describe("a database that is away", () => {
  it("is waited for when the agent starts", async () => {
    const repair = faulty.break(["findAddress", "subscribe"]);
    const starting = rig.begin(
      running(() => 1),
      { store: faulty.store },
    );
    await rig.advance(120_000);
    expect(reasons()).toContain("DATABASE_AWAY");
    repair();
    await rig.advance(31_000);
    expect((await starting).name).toBe("bot");
  });

  it("is not waited for when no other try can help", async () => {
    faulty.break("findAddress", async () => {
      throw new RpcError("FAILED_PRECONDITION", "the tables are not there", { reason: "NOT_MIGRATED" });
    });
    await expect(
      rig.serve(
        running(() => 1),
        { store: faulty.store },
      ),
    ).rejects.toMatchObject({ reason: "NOT_MIGRATED" });
  });

  it("never ends the agent: claims go on after pauses that grow, and what came meanwhile runs (Q19)", async () => {
    const agent = await rig.serve(
      running(() => 1),
      { store: faulty.store },
    );
    await turns(5);
    const repair = faulty.break(["claim", "keepAlive", "extend", "settle", "reap"]);
    const before = faulty.calls.get("claim") ?? 0;
    const id = await rig.insert("run");
    await rig.advance(600_000);
    const tries = (faulty.calls.get("claim") ?? 0) - before;
    expect(tries).toBeGreaterThan(20);
    expect(tries).toBeLessThan(80);
    repair();
    await rig.advance(31_000);
    expect((await rig.row(id)).state).toBe("done");
    expect(agent.running).toBe(0);
  });

  it("gets the answer when it is back; the handler is not asked again", async () => {
    let runs = 0;
    await rig.serve(
      running(() => ++runs),
      { store: faulty.store },
    );
    const repair = faulty.break("settle");
    const id = await rig.insert("run", { maxAttempts: 5 });
    await rig.advance(3 * LEASE_MS);
    expect((await rig.row(id)).state).toBe("claimed");
    repair();
    await rig.advance(31_000);
    expect(await rig.row(id)).toMatchObject({ state: "done", result: "1" });
    expect(runs).toBe(1);
  });

  it("gets what a handler said before its answer, once", async () => {
    await rig.serve(
      running((context) => {
        context.log("one");
        context.log("two");
      }),
      { store: faulty.store },
    );
    const repair = faulty.break("appendEvents");
    const id = await rig.insert("run");
    await rig.advance(5000);
    expect((await rig.row(id)).state).toBe("claimed");
    repair();
    await rig.advance(31_000);
    expect((await rig.row(id)).state).toBe("done");
    expect((await rig.store.readEvents(id)).map(({ data }) => data)).toEqual([
      '{"level":"info","message":"one"}',
      '{"level":"info","message":"two"}',
    ]);
  });

  it("gives back what it has given without an answer (H191): it runs once, and no lease is lost", async () => {
    let runs = 0;
    const repair = faulty.break("claim", lostAnswer);
    const id = await rig.insert("run");
    await rig.serve(
      running(() => ++runs),
      { store: faulty.store },
    );
    await claimed(id);
    await turns(5);
    repair();
    await rig.advance(3000);
    expect(await rig.row(id)).toMatchObject({ state: "done", result: "1", attempts: 1 });
    expect(runs).toBe(1);
  });

  it("is asked again for claims that were still on their way when their connection was lost", async () => {
    const away = gate();
    let isLost = false;
    faulty.break("claim", async (run) => {
      if (isLost) return run();
      isLost = true;
      void away.promise.then(run);
      throw new RpcError("UNAVAILABLE", "the connection was lost", { delivered: "unknown" });
    });
    await rig.store.pauseAddress(AGENT_ADDRESS, true);
    const id = await rig.insert("run");
    await rig.serve(
      running(() => 1),
      { store: faulty.store },
    );
    await rig.advance(5000);
    // As another process, so that this one does not look before time goes on.
    await rig.another().pauseAddress(AGENT_ADDRESS, false);
    away.open();
    await claimed(id);
    await rig.advance(LEASE_MS - 1000);
    expect(await rig.row(id)).toMatchObject({ state: "done", attempts: 1 });
  });

  it("gets an answer to a claim that comes too late, and is not asked for it meanwhile", async () => {
    let runs = 0;
    const open = gate();
    let isLate = false;
    const asked: unknown[] = [];
    const store = watchingClaims(faulty.store, asked);
    const repair = faulty.break("claim", async (run) => {
      if (isLate) return run();
      isLate = true;
      const answer = await run();
      await open.promise;
      return answer;
    });
    const id = await rig.insert("run");
    await rig.serve(
      running(() => ++runs),
      { store },
    );
    await claimed(id);
    await rig.advance(LEASE_MS + 2000);
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.every((held) => held === undefined)).toBe(true);
    open.open();
    repair();
    await rig.advance(2000);
    expect(runs).toBe(0);
  });

  it("gets once what it has taken without an answer (H191)", async () => {
    await rig.serve(
      running((context) => {
        context.log("one");
        context.progress(1);
      }),
      { store: faulty.store },
    );
    const repair = faulty.break("appendEvents", lostAnswer);
    const id = await rig.insert("run");
    await rig.advance(5000);
    repair();
    await rig.advance(31_000);
    expect((await rig.row(id)).state).toBe("done");
    expect((await rig.store.readEvents(id)).map(({ kind }) => kind)).toEqual(["log", "progress"]);
  });

  it("does not hold up the end of an agent for longer than a lease", async () => {
    const agent = await rig.serve(
      running(() => 1),
      { store: faulty.store },
    );
    faulty.break(["settle", "unsubscribe"], silent);
    const id = await rig.insert("run");
    await claimed(id);
    await turns(5);
    let isClosed = false;
    void agent.close().then(() => (isClosed = true));
    await rig.advance(LEASE_MS - 1000);
    expect(isClosed).toBe(false);
    await rig.advance(2000);
    expect(isClosed).toBe(true);
    expect(rig.errors.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/could not be stored before the agent was closed/),
    );
  });

  it("ends the agent when it was closed in this process", async () => {
    const store = rig.another();
    const agent = await rig.serve(
      running(() => 1),
      { store, reaper: false },
    );
    await turns(5);
    await store.close();
    await rig.advance(31_000);
    expect(await agent.closed).toMatchObject({ reason: "CLOSED" });
  });

  it("is not felt through reports that fail", async () => {
    await rig.serve(
      running(() => 1),
      {
        store: faulty.store,
        onError: () => {
          throw new Error("no disk for the log");
        },
      },
    );
    const repair = faulty.break("settle");
    const id = await rig.insert("run");
    await rig.advance(2000);
    repair();
    await rig.advance(31_000);
    expect((await rig.row(id)).state).toBe("done");
  });
});

describe("a lost lease", () => {
  it("aborts the handler's signal; the late answer is refused and reported, the row stays as it was given away", async () => {
    const open = gate();
    let reason: unknown;
    await rig.serve(
      running(async ({ signal }) => {
        signal.addEventListener("abort", () => (reason = signal.reason));
        await open.promise;
        return "late";
      }),
      { store: faulty.store, reaper: false },
    );
    const repair = faulty.break(["extend", "keepAlive"], silent);
    const id = await rig.insert("run");
    await claimed(id);
    rig.clock.advance(LEASE_MS + 1);
    await rig.store.reap();
    expect((await rig.row(id)).state).toBe("failed");
    repair();
    await rig.advance(3 * LEASE_MS);
    expect(reason).toMatchObject({ code: "ABORTED", reason: "LEASE_LOST" });
    open.open();
    await rig.advance(1000);
    expect(await rig.row(id)).toMatchObject({ state: "failed", result: undefined });
    expect(rig.errors.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/its answer \(done\) came too late and was refused/),
    );
  });

  it("is heard of by the next renewal", async () => {
    const open = gate();
    let reason: unknown;
    const agent = await rig.serve(
      running(async ({ signal }) => {
        signal.addEventListener("abort", () => (reason = signal.reason));
        await open.promise;
      }),
      { store: faulty.store, reaper: false },
    );
    const id = await rig.insert("run");
    await claimed(id);
    faulty.break("extend", async (run) => {
      await rig.store.reap();
      return run();
    });
    rig.clock.jump(LEASE_MS + 1);
    await turns(10);
    expect(reason).toMatchObject({ code: "ABORTED", reason: "LEASE_LOST" });
    open.open();
    await rig.until(() => agent.running === 0);
    expect(reasons()).toContain("LEASE_LOST");
  });

  it("is assumed when the database has not answered for as long as it was; what the handler makes of it still counts while nobody has the row", async () => {
    for (const isRefused of [false, true]) {
      let reason: unknown;
      const agent = await rig.serve(
        running(
          ({ signal }) =>
            new Promise((resolve) => {
              signal.addEventListener("abort", () => {
                reason = signal.reason;
                resolve("finished all the same");
              });
            }),
        ),
        { store: faulty.store, reaper: false, name: `bot${isRefused}` },
      );
      const id = await rig.insert("run");
      await claimed(id);
      const repair = faulty.break(["extend", "keepAlive", "settle"]);
      await rig.advance(LEASE_MS - 2000);
      expect(reason).toBeUndefined();
      await rig.advance(LEASE_MS);
      expect(reason).toMatchObject({ code: "ABORTED", reason: "LEASE_LOST" });
      if (isRefused) await rig.store.reap();
      repair();
      await rig.advance(31_000);
      expect((await rig.row(id)).state).toBe(isRefused ? "failed" : "done");
      await agent.close();
    }
  });

  it("is not assumed of a process that stood still, before it has asked", async () => {
    const open = gate();
    let isAborted = false;
    await rig.serve(
      running(async ({ signal }) => {
        signal.addEventListener("abort", () => (isAborted = true));
        await open.promise;
      }),
      { reaper: false },
    );
    const id = await rig.insert("run");
    await claimed(id);
    rig.clock.jump(5 * LEASE_MS);
    await turns(10);
    await rig.advance(1000);
    expect(isAborted).toBe(false);
    open.open();
    try {
      expect((await rig.ended(id)).state).toBe("done");
    } catch (e) {
      console.log(rig.clock.now(), await rig.row(id), await rig.store.listAgents(), rig.errors);
      throw e;
    }
  });

  it("before the start means no start: the command goes back and comes again", async () => {
    const held = gate();
    let runs = 0;
    await rig.serve(
      running(() => ++runs),
      { store: faulty.store, reaper: false },
    );
    await turns(5);
    const repair = faulty.break("claim", async (run) => {
      const result = await run();
      await held.promise;
      return result;
    });
    // By another process: one of this one would be claimed as it is inserted.
    const [inserted] = await rig.another().insert([{ address: AGENT_ADDRESS, method: "run" }]);
    if (inserted === undefined || inserted instanceof RpcError) throw new Error("not inserted");
    const { id } = inserted;
    await rig.advance(10, 10);
    await claimed(id);
    const { claimedAt } = await rig.row(id);
    rig.clock.jump(LEASE_MS + 1);
    repair();
    held.open();
    await rig.ended(id);
    expect(runs).toBe(1);
    expect(await rig.row(id)).toMatchObject({ state: "done", attempts: 1 });
    expect((await rig.row(id)).claimedAt).toBeGreaterThan(claimedAt ?? 0);
  });
});

describe("answers", () => {
  it("of one turn go together, and so do claims", async () => {
    await rig.serve(
      running(() => 1),
      { store: faulty.store, concurrency: 50 },
    );
    await turns(5);
    const commands = Array.from({ length: 200 }, () => ({ address: "software_dev.buildbot:7", method: "run" }));
    faulty.calls.clear();
    const inserted = await rig.store.insert(commands);
    const last = inserted.at(-1);
    if (last === undefined || last instanceof RpcError) throw new Error("not inserted");
    await rig.ended(last.id);
    expect(faulty.calls.get("settle")).toBeLessThanOrEqual(6);
    expect(faulty.calls.get("claim")).toBeLessThanOrEqual(8);
  });

  it("that the database cannot hold are replaced by one that it can", async () => {
    await rig.serve(
      running(() => "\u0000"),
      { store: faulty.store },
    );
    let isFirst = true;
    faulty.break("settle", async (run) => {
      if (!isFirst) return run();
      isFirst = false;
      return [new RpcError("INVALID_ARGUMENT", "no text with NUL")];
    });
    const id = await rig.insert("run");
    const row = await rig.ended(id);
    expect(row.state).toBe("failed");
    expect(JSON.parse(row.error ?? "")).toMatchObject({ code: "RESULT_UNSERIALIZABLE" });
  });

  it("larger than allowed fail the command", async () => {
    await rig.serve(
      running(() => "x".repeat(2000)),
      { maxResultBytes: 1000 },
    );
    const row = await rig.ended(await rig.insert("run"));
    expect(JSON.parse(row.error ?? "")).toMatchObject({ code: "RESULT_UNSERIALIZABLE", status: "RESOURCE_EXHAUSTED" });
  });

  it("are no reason to take more than one round ahead while the database is slow", async () => {
    let runs = 0;
    await rig.serve(
      running(() => ++runs),
      { store: faulty.store, concurrency: 2 },
    );
    const repair = faulty.break("settle");
    await Promise.all(Array.from({ length: 20 }, () => rig.insert("run")));
    await rig.advance(20_000);
    expect(runs).toBeLessThanOrEqual(4);
    repair();
    await rig.advance(60_000);
    expect(runs).toBe(20);
  });
});

describe("wake-ups", () => {
  it("between an empty claim and the wait is not lost", async () => {
    const held = gate();
    let claims = 0;
    const repair = faulty.break("claim", async (run) => {
      const result = await run();
      claims++;
      await held.promise;
      return result;
    });
    await rig.serve(
      running(() => 1),
      { store: faulty.store },
    );
    await rig.until(() => claims === 1);
    const id = await rig.insert("run");
    await turns(5);
    repair();
    held.open();
    // Time stands still: neither poll nor timer helps.
    try {
      expect((await rig.ended(id)).state).toBe("done");
    } catch (e) {
      console.log(rig.clock.now(), await rig.row(id), await rig.store.listAgents(), rig.errors);
      throw e;
    }
  });

  it("that never come are made up for by looking", async () => {
    faulty.break("watch" as never, (() => ({ ready: Promise.resolve(), close: () => undefined })) as never);
    await rig.serve(
      running(() => 1),
      { store: faulty.store },
    );
    await turns(5);
    const id = await rig.insert("run");
    await rig.advance(15_000);
    expect((await rig.row(id)).state).toBe("queued");
    await rig.advance(6000);
    expect((await rig.row(id)).state).toBe("done");
  });

  it("of a key's next command come with the end of the one before, to any agent", async () => {
    const open = gate();
    const seen: unknown[] = [];
    const handler = running(async (_context, input) => {
      seen.push(input);
      await open.promise;
    });
    await rig.serve(handler, { concurrency: 4 });
    await rig.serve(handler, { name: "other", concurrency: 4 });
    const ids = await Promise.all(
      [1, 2, 3].map((number) => rig.insert("run", { args: `[${number}]`, orderingKey: "k" })),
    );
    await rig.until(() => seen.length === 1);
    await turns(10);
    expect(seen).toEqual([1]);
    open.open();
    for (const id of ids) await rig.ended(id);
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe("an address that is removed", () => {
  it("ends its agents, and they say so", async () => {
    const agent = await rig.serve(running(() => 1));
    await turns(5);
    await rig.store.removeAddress(agent.address);
    expect(await agent.closed).toMatchObject({ reason: "NO_ADDRESS" });
  });

  it("is waited for when the agent was told to", async () => {
    const agent = await rig.serve(
      running(() => 1),
      { waitForAddress: true },
    );
    await turns(5);
    await rig.store.removeAddress(agent.address);
    await rig.advance(40_000);
    await rig.store.ensureAddress(agent.address);
    await rig.advance(31_000);
    const id = await rig.insert("run");
    try {
      expect((await rig.ended(id)).state).toBe("done");
    } catch (e) {
      console.log(rig.clock.now(), await rig.row(id), await rig.store.listAgents(), rig.errors);
      throw e;
    }
    await rig.advance(10 * LEASE_MS);
    expect((await rig.store.listAgents())[0]?.unseenMs).toBeLessThanOrEqual(LEASE_MS / 2);
  });

  it("costs no claim after claim while it is away", async () => {
    const agent = await rig.serve(
      running(() => 1),
      { waitForAddress: true, store: faulty.store },
    );
    await turns(5);
    faulty.calls.clear();
    await rig.store.removeAddress(agent.address);
    await rig.advance(120_000);
    expect(faulty.calls.get("claim") ?? 0).toBeLessThanOrEqual(2);
    expect(rig.errors.filter(({ reason }) => reason === "FENCED")).toEqual([]);
  });
});

it("shows that it lives every 15 s, however long its leases are", async () => {
  await rig.serve(
    running(() => 1),
    { leaseMs: 3_600_000 },
  );
  for (let seconds = 0; seconds < 60; seconds += 10) {
    await rig.advance(10_000);
    const [agent] = await rig.store.listAgents();
    expect(agent?.unseenMs).toBeLessThanOrEqual(15_000);
  }
});

it("takes up at once what its incarnation before has left behind", async () => {
  await rig.store.subscribe({ address: AGENT_ADDRESS, agent: "bot", incarnation: "dead" });
  const id = await rig.insert("run", { maxAttempts: 2 });
  await rig.store.claim([{ address: AGENT_ADDRESS, agent: "bot", incarnation: "dead", max: 1, leaseMs: LEASE_MS }]);
  await rig.serve(running(() => 1));
  // Until it is seen, and the back-off of a second try, 1.5 s at most: far less than the lease.
  await rig.advance(4000);
  expect((await rig.ended(id)).state).toBe("done");
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentRig, gate, LEASE_MS, openAgentRig, turns } from "./agent-rig.ts";
import { agentSuite, bot } from "./agent-suite.ts";
import { faultyStore } from "./faulty-store.ts";

describe("over SQLite", () => {
  agentSuite(() => openAgentRig());
});

// What takes so long, and so many calls of the store, and no more: where one clock is all the time there is.

let rig: AgentRig;
beforeEach(async () => {
  rig = await openAgentRig();
});
afterEach(() => rig.close());

describe("what an agent does with commands", () => {
  it("wakes for a delayed command at its time, and by itself when no wake-up came", async () => {
    const times: number[] = [];
    const begin = rig.clock.now();
    await rig.serve(bot(() => void times.push(rig.clock.now() - begin)));
    await rig.insert("run", { delayMs: 3000 });
    await rig.advance(4000, 100);
    expect(times).toHaveLength(1);
    expect(times[0]).toBeGreaterThanOrEqual(3000);
    expect(times[0]).toBeLessThan(3300);
  });
});

describe("leases and cancellation", () => {
  it("keeps a long command's lease, and shows that it lives (Q27, Q50)", async () => {
    const open = gate();
    await rig.serve(bot(() => open.promise));
    const id = await rig.insert("run");
    await rig.until(async () => (await rig.row(id)).state === "claimed");
    await rig.advance(10 * LEASE_MS, LEASE_MS / 6);
    expect((await rig.row(id)).state).toBe("claimed");
    expect((await rig.store.listAgents())[0]?.unseenMs).toBeLessThan(LEASE_MS * 0.6);
    open.open();
    expect((await rig.ended(id)).state).toBe("done");
  });

  it("asks about all that were cancelled together at once, and reads nothing of rows but that", async () => {
    const faulty = faultyStore(rig.store);
    let ended = 0;
    await rig.serve(
      bot((_input, { signal }) => {
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => {
          ended++;
          reject(signal.reason as Error);
        });
        return promise;
      }),
      { store: faulty.store, concurrency: 50 },
    );
    const ids: number[] = [];
    for (let count = 0; count < 50; count++) ids.push(await rig.insert("run"));
    await rig.until(async () => (await rig.row(ids.at(-1) ?? 0)).state === "claimed");
    await rig.store.cancel(ids.slice(0, 40).map((id) => ({ id })));
    await rig.until(() => ended === 40);
    expect(faulty.calls.get("extend")).toBe(1);
    // From another process, which tells only that something has changed.
    await rig.another().cancel(ids.slice(40).map((id) => ({ id })));
    await rig.advance(600, 10);
    expect(ended).toBe(50);
    expect(faulty.calls.get("extend")).toBe(1);
    expect(faulty.calls.get("read")).toBeUndefined();
  });
});

describe("progress and log (Q53)", () => {
  it("come at once, then in batches of 250 ms, and all of it before the answer", async () => {
    const steps = [gate(), gate()];
    await rig.serve(
      bot(async (_input, context) => {
        context.progress(1);
        context.log("one");
        await steps[0]?.promise;
        context.progress(2);
        await steps[1]?.promise;
        context.log("two", { part: "b" }, "warning");
        context.progress(3);
        return "done";
      }),
    );
    const id = await rig.insert("run");
    await rig.until(async () => (await rig.row(id)).state === "claimed");
    await turns(10);
    const said = async (): Promise<unknown> => (await rig.store.readEvents(id)).map(({ kind, data }) => [kind, data]);
    const first = [
      ["progress", "1"],
      ["log", '{"level":"info","message":"one"}'],
    ];
    expect(await said()).toEqual(first);
    steps[0]?.open();
    await turns(10);
    expect(await said()).toEqual(first);
    await rig.advance(250, 50);
    expect(await said()).toEqual([...first, ["progress", "2"]]);
    steps[1]?.open();
    expect((await rig.ended(id)).progress).toBe("3");
    expect((await rig.store.readEvents(id)).map(({ kind, data }) => [kind, data]).slice(3)).toEqual([
      ["log", '{"level":"warning","message":"two","fields":{"part":"b"}}'],
      ["progress", "3"],
    ]);
  });
});

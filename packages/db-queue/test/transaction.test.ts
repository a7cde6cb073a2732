import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue } from "../src/issuer/db-queue.ts";
import type { QueueTransaction } from "../src/issuer/transaction.ts";
import { turns } from "./agent-rig.ts";
import { Bot, BOT, botOf } from "./issuer-rig.ts";
import { openPostgresRig } from "./postgres-rig.ts";
import { openSqliteRig } from "./sqlite-rig.ts";
import type { StoreRig } from "./store-rig.ts";

interface Opened {
  readonly rig: StoreRig;
  readonly clock: FakeClock;
  readonly queue: DbQueue;
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const STORES = [
  {
    store: "SQLite",
    openRig: async () => {
      const rig = await openSqliteRig();
      return { rig, clock: rig.clock };
    },
  },
  { store: "PostgreSQL", openRig: async () => ({ rig: await openPostgresRig(), clock: createFakeClock() }) },
];

describe.each(STORES)("in the caller's own transaction, $store", ({ openRig }) => {
  async function open(): Promise<Opened> {
    const { rig, clock } = await openRig();
    const queue = createDbQueue(rig.store, { clock, random: () => 0.5 });
    closers.push(
      () => rig.close(),
      () => queue.close(),
    );
    await queue.ensureAddress(BOT);
    return { rig, clock, queue };
  }

  it("Q03 ties an address to its record: both are made, both go, and neither when the transaction is rolled back", async () => {
    const { rig, queue } = await open();
    const created = await rig.begin();
    await queue.inTransaction(created.handle, (transaction) => transaction.ensureAddress("shop:1"));
    await created.rollback();
    await expect(queue.send("shop:1", "ping")).rejects.toMatchObject({ reason: "NO_ADDRESS" });

    const again = await rig.begin();
    await queue.inTransaction(again.handle, async (transaction) => {
      expect(await transaction.ensureAddress("shop:1")).toMatchObject({ name: "shop:1" });
      await transaction.send("shop:1", "open");
    });
    await again.commit();
    const handle = queue.send("shop:1", "ping");
    await handle.accepted;

    const kept = await rig.begin();
    expect(await queue.inTransaction(kept.handle, (transaction) => transaction.removeAddress("shop:1"))).toBe(true);
    await kept.rollback();
    expect((await queue.list({ address: "shop:1" })).map(({ method }) => method)).toEqual(["ping", "open"]);

    const removed = await rig.begin();
    expect(await queue.inTransaction(removed.handle, (transaction) => transaction.removeAddress("shop:1"))).toBe(true);
    expect(await queue.inTransaction(removed.handle, (transaction) => transaction.removeAddress("shop:1"))).toBe(false);
    await removed.commit();
    await expect(handle).rejects.toMatchObject({ reason: "NO_COMMAND" });
    await expect(queue.send("shop:1", "ping")).rejects.toMatchObject({ reason: "NO_ADDRESS" });
  });

  it("Q07 is there, and runs, when that commits", async () => {
    const { rig, clock, queue } = await open();
    const agent = await serveDbQueue(botOf(), { queue, address: BOT, clock, random: () => 0.5 });
    closers.push(() => agent.close());
    await turns(10);
    const own = await rig.begin();
    const ids = await queue.inTransaction(own.handle, async (transaction) => [
      await transaction.issue(BOT, Bot.build, { branch: "main" }),
      await transaction.send(BOT, "echo", ["by name"], {}, { priority: 5 }),
    ]);
    await own.commit();
    const both = Promise.all([queue.handle(ids[0] ?? 0, Bot.build), queue.handle(ids[1] ?? 0)]);
    const watched = { isOver: false };
    void both.finally(() => (watched.isOver = true));
    for (let n = 0; n < 1000 && !watched.isOver; n++) await rig.tick();
    expect(await both).toEqual([{ number: 7n }, "by name"]);
  });

  it("Q07 never was when that is rolled back: no row, no wake-up", async () => {
    const { rig, queue } = await open();
    const woken: string[] = [];
    const watch = rig.store.watch({ wake: (topic) => woken.push(topic), wakeAll: () => woken.push("all") });
    await watch.ready;
    const own = await rig.begin();
    await queue.inTransaction(own.handle, async (transaction) => {
      await transaction.ensureAddress("new:1");
      await transaction.send("new:1", "ping");
      await transaction.notify(BOT, "ping");
      await transaction.broadcast(BOT, "ping");
      await transaction.publish("topic");
    });
    await own.rollback();
    await rig.store.publish(["after"]);
    for (let n = 0; n < 1000 && !woken.includes("after"); n++) await rig.tick();
    expect(await queue.list()).toEqual([]);
    expect(woken).toEqual(["after"]);
    watch.close();
  });

  it("waits for what was issued without being awaited, and rejects with its refusal", async () => {
    const { rig, queue } = await open();
    const own = await rig.begin();
    await queue.inTransaction(own.handle, (transaction) => void transaction.send(BOT, "ping"));
    const refused = queue.inTransaction(own.handle, (transaction) => void transaction.send("nowhere", "ping"));
    await expect(refused).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    const wrong = queue.inTransaction(own.handle, (transaction) => transaction.send(BOT, "ping", [() => 1]));
    await expect(wrong).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await own.commit();
    expect((await queue.list()).map(({ method }) => method)).toEqual(["ping"]);
  });

  it("Q07 leaves nothing when the function throws with a verb under way", async () => {
    const { rig, queue } = await open();
    for (const fail of [
      (): Promise<never> => Promise.reject(new Error("changed my mind")),
      (transaction: QueueTransaction): Promise<unknown> =>
        Promise.all([transaction.send("nowhere", "ping"), transaction.send(BOT, "one"), transaction.send(BOT, "two")]),
    ]) {
      const own = await rig.begin();
      const run = queue.inTransaction(own.handle, async (transaction) => {
        void transaction.send(BOT, "later").catch(() => undefined);
        await fail(transaction);
      });
      await expect(run).rejects.toThrow(/changed my mind|no address/);
      await own.rollback();
      expect(await queue.list()).toEqual([]);
    }
  });

  it("refuses commands after the function has ended", async () => {
    const { rig, queue } = await open();
    const own = await rig.begin();
    const kept = await queue.inTransaction(own.handle, (transaction) => [transaction]);
    await expect(kept[0]?.send(BOT, "ping")).rejects.toMatchObject({ reason: "NO_TRANSACTION" });
    await own.commit();
    expect(await queue.list()).toEqual([]);
  });

  it("cancels with the transaction", async () => {
    const { rig, queue } = await open();
    const id = await queue.send(BOT, "ping").accepted;
    const first = await rig.begin();
    expect(await queue.inTransaction(first.handle, (transaction) => transaction.cancel(id, "no"))).toBe("cancelled");
    await first.rollback();
    expect((await queue.handle(id).row()).state).toBe("queued");
    const second = await rig.begin();
    await queue.inTransaction(second.handle, (transaction) => transaction.cancel(id, "no"));
    await second.commit();
    expect((await queue.handle(id).row()).state).toBe("cancelled");
  });

  it("refuses what is no transaction", async () => {
    const { rig, queue } = await open();
    const run = (): Promise<void> => Promise.resolve();
    await expect(queue.inTransaction({}, run)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    const own = await rig.begin();
    await own.commit();
    await expect(queue.inTransaction(own.handle, run)).rejects.toMatchObject({
      reason: "NO_TRANSACTION",
    });
  });
});

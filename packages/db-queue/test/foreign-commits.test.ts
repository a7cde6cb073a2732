import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, it, vi } from "vitest";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue } from "../src/issuer/db-queue.ts";
import type { QueueStore } from "../src/store/store.ts";
import { turns, until } from "./agent-rig.ts";
import { BOT, type IssuerRig, openIssuerRig } from "./issuer-rig.ts";
import { openSqliteRig, type SqliteRig } from "./sqlite-rig.ts";

const open: (IssuerRig | SqliteRig | DbQueue)[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

it("reads what another process has ended, and not all that is awaited, whenever that process commits", async () => {
  const rig = await openIssuerRig();
  let rowsRead = 0;
  const store = new Proxy(rig.store, {
    get: (target, name, self): unknown =>
      name === "outcomes"
        ? (ids: readonly number[]) => {
            rowsRead += ids.length;
            return target.outcomes(ids);
          }
        : Reflect.get(target, name, self),
  }) satisfies QueueStore;
  const queue = createDbQueue(store, { clock: rig.clock, random: () => 0.5, name: "many" });
  open.push(queue, rig);
  await rig.store.ensureAddress(BOT);
  const bot = queue.proxy(BOT);
  const calls = Array.from({ length: 500 }, async (_, index) => {
    const value: unknown = await bot["ping"]?.(index);
    return value;
  });
  for (const call of calls) call.catch(() => undefined);
  const foreign = rig.another();
  const agent = { address: BOT, agent: "a", incarnation: "a-1" };
  await until(async () => (await foreign.list({ address: BOT, limit: 1000 })).length === 500, "the commands");
  await foreign.subscribe(agent);
  await rig.advance(100, 20);
  rowsRead = 0;
  const [answer] = await foreign.claim([{ ...agent, max: 1, leaseMs: 30_000 }]);
  if (answer === undefined || answer instanceof Error) throw new Error("no claim");
  const [claim] = answer.claims;
  if (claim === undefined) throw new Error("nothing claimed");
  for (let commit = 0; commit < 20; commit++) {
    await foreign.publish(["else"]);
    await rig.advance(100, 20);
  }
  expect(rowsRead).toBe(0);
  await foreign.settle([{ id: claim.id, token: claim.token, outcome: "done", result: '"pong"' }]);
  await rig.advance(100, 20);
  expect(await calls[0]).toBe("pong");
  expect(rowsRead).toBeLessThan(20);
  await turns(2);
});

it("looks at a locked database each millisecond at first, so that a busy process leaves it a gap, and seldom later", async () => {
  const rig = await openSqliteRig();
  open.push(rig);
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  const tries = (): number => exec.mock.calls.filter(([sql]) => sql === "BEGIN IMMEDIATE").length;
  const other = new DatabaseSync(rig.file);
  other.exec("BEGIN IMMEDIATE");
  exec.mockClear();
  const answer = rig.store.ensureAddress("late");
  for (let ms = 0; ms < 40; ms++) await rig.advance(1);
  // Pauses are spread from half to one and a half.
  expect(tries()).toBeGreaterThan(18);
  await rig.advance(500);
  exec.mockClear();
  for (let ms = 0; ms < 200; ms++) await rig.advance(1);
  expect(tries()).toBeLessThan(45);
  other.exec("ROLLBACK");
  other.close();
  await rig.advance(20);
  expect((await answer).name).toBe("late");
  exec.mockRestore();
});

it("leaves others a gap now and then while it commits without a pause, where others write as well", async () => {
  const rig = await openSqliteRig();
  open.push(rig);
  await rig.store.ensureAddress("first");
  /** One commit each millisecond, as fast as this clock can tell; how many it took until one had to wait. */
  const untilGap = async (): Promise<number> => {
    for (let count = 1; count <= 200; count++) {
      let isDone = false;
      const commit = rig.store.publish(["x"]).then(() => (isDone = true));
      await turns(2);
      if (!isDone) {
        await rig.advance(2);
        await commit;
        return count;
      }
      await rig.advance(1);
    }
    return Infinity;
  };
  // Alone it needs none.
  expect(await untilGap()).toBe(Infinity);
  const other = rig.another();
  await other.ensureAddress("second");
  expect(await untilGap()).toBeLessThan(50);
  await other.ensureAddress("third");
  expect(await untilGap()).toBeLessThan(50);
  await rig.advance(5000);
  expect(await untilGap()).toBe(Infinity);
});

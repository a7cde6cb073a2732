import { RpcError, systemClock } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { expect, it } from "vitest";
import { type Insertion, Inserts } from "../src/issuer/inserts.ts";
import type { Inserted, NewCommand } from "../src/store/store-words.ts";
import { type QueueStore } from "../src/store/store.ts";
import { openSqliteRig } from "./sqlite-rig.ts";
import { turns } from "./agent-rig.ts";

const NOBODY = { began: (): void => undefined, ended: (): void => undefined };

class Told implements Insertion {
  readonly command: NewCommand = { address: "a", method: "m" };
  readonly isDropped = false;
  error: RpcError | undefined = undefined;
  leaving(): void {}
  inserted(): void {}
  refused(error: RpcError): void {
    this.error = error;
  }
}

async function holed(insert: () => Promise<never>, run: (store: QueueStore) => Promise<void>): Promise<void> {
  const rig = await openSqliteRig();
  try {
    await run(
      new Proxy(rig.store, {
        get: (target, name, self): unknown => (name === "insert" ? insert : Reflect.get(target, name, self)),
      }),
    );
  } finally {
    await rig.close();
  }
}

const away = (): RpcError =>
  new RpcError("UNAVAILABLE", "no connection", { reason: "CONNECTION_LOST", delivered: "no", retryable: true });

it("tells all that wait when no connection was made for long, not one batch after the other", async () => {
  const clock = createFakeClock();
  const lost = Promise.withResolvers<never>();
  await holed(
    () => lost.promise,
    async (store) => {
      const inserts = new Inserts(store, NOBODY, { clock, maxUnsent: 100_000 });
      const all = Array.from({ length: 5000 }, () => new Told());
      for (const each of all) inserts.add(each);
      await turns(2);
      const late = new Told();
      inserts.add(late);
      clock.advance(10_000);
      lost.reject(away());
      await lost.promise.catch(() => undefined);
      await Promise.resolve();
      expect(all.filter(({ error }) => error?.reason === "CONNECTION_LOST")).toHaveLength(5000);
      // It has not waited as long.
      expect(late.error).toBeUndefined();
      expect(inserts.count).toBe(1);
    },
  );
});

it("refuses more than may wait, and says so", async () => {
  await holed(
    () => new Promise<never>(() => undefined),
    async (store) => {
      const inserts = new Inserts(store, NOBODY, { clock: systemClock, maxUnsent: 3 });
      const all = Array.from({ length: 5 }, () => new Told());
      for (const each of all) inserts.add(each);
      await turns(1);
      expect(all.map(({ error }) => error?.reason)).toEqual([
        undefined,
        undefined,
        undefined,
        "maxUnsent",
        "maxUnsent",
      ]);
      expect(all[4]?.error).toMatchObject({ code: "RESOURCE_EXHAUSTED", delivered: "no", retryable: true });
    },
  );
});

it("has the store make a full batch ready while one is under way, and sends that next, in the order of the calls", async () => {
  const rig = await openSqliteRig();
  const asked: { readonly commands: readonly NewCommand[]; readonly answer: (from: number) => void }[] = [];
  const readied: (readonly NewCommand[])[] = [];
  const verbs = {
    insert: (commands: readonly NewCommand[]): Promise<readonly Inserted[]> =>
      new Promise((resolve) => {
        const answer = (from: number): void =>
          resolve(commands.map((_, index) => ({ id: from + index, state: "queued", existing: false, copies: 0 })));
        asked.push({ commands, answer });
      }),
    readyInsert: (commands: readonly NewCommand[]): void => void readied.push(commands),
  };
  const store = new Proxy(rig.store, {
    get: (target, name, self): unknown => Reflect.get(verbs, name) ?? Reflect.get(target, name, self),
  });
  const inserts = new Inserts(store, NOBODY, { clock: systemClock, maxUnsent: 100_000 });
  const ids: number[] = [];
  const add = (count: number): void => {
    for (let n = 0; n < count; n += 1) {
      const told = Object.assign(new Told(), { inserted: ({ id }: Inserted) => void ids.push(id) });
      inserts.add(told);
    }
  };
  add(2500);
  await turns(3);
  expect(asked.map(({ commands }) => commands.length)).toEqual([1000]);
  expect(readied.map(({ length }) => length)).toEqual([1000]);
  expect(inserts.count).toBe(1500);
  asked[0]?.answer(1);
  await turns(3);
  expect(asked[1]?.commands).toBe(readied[0]);
  // What is not full is not closed yet.
  expect(readied).toHaveLength(1);
  add(10);
  asked[1]?.answer(1001);
  await turns(3);
  expect(asked[2]?.commands).toHaveLength(510);
  asked[2]?.answer(2001);
  await inserts.idle();
  expect(ids).toEqual(Array.from({ length: 2510 }, (_, index) => index + 1));
  await rig.close();
});

import { afterEach, beforeEach, expect, it } from "vitest";
import type { NewCommand } from "../src/store/store-words.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { ADDRESS, good, refusal } from "./store-rig.ts";

let rig: PostgresRig;
beforeEach(async () => {
  rig = await openPostgresRig();
  await rig.store.ensureAddress(ADDRESS);
});
afterEach(() => rig.close());

const lists: readonly (readonly [string, readonly Omit<NewCommand, "address">[]])[] = [
  [
    "alike",
    [{ method: "m", args: '["é\\u0000\\"{},"]' }, { method: "m" }, { method: "m", meta: '{"a":1}', args: "[3]" }],
  ],
  ["of different methods", [{ method: "m" }, { method: "n", args: "[2]" }]],
  ["with an idempotency key", [{ method: "m", idempotencyKey: "k" }, { method: "m" }]],
  ["of one", [{ method: "m", args: "[1]" }]],
  ["with one that cannot be", [{ method: "" }, { method: "m" }]],
];

it.for(lists)("inserts a list that was announced, %s, as one that was not", async ([, commands]) => {
  const rows = async (isReady: boolean): Promise<unknown[]> => {
    const list = commands.map((command) => ({ address: ADDRESS, ...command }));
    if (isReady) rig.store.readyInsert?.(list);
    const inserted = await rig.store.insert(list);
    const ids = inserted.flatMap((each) => (each instanceof Error ? [] : [each.id]));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    const read = await rig.store.read(ids);
    await rig.query("DELETE FROM rpc_command");
    return [
      inserted.map((each) => (each instanceof Error ? refusal(each) : good(each).state)),
      read.map((row) => [row?.method, row?.args, row?.kwargs, row?.meta, row?.state, row?.idempotencyKey]),
    ];
  };
  expect(await rows(true)).toEqual(await rows(false));
});

it("refuses a list that was announced for an address that is not there", async () => {
  const list = [1, 2].map(() => ({ address: "nowhere", method: "m" }));
  rig.store.readyInsert?.(list);
  expect((await rig.store.insert(list)).map(refusal)).toEqual(["NOT_FOUND NO_ADDRESS", "NOT_FOUND NO_ADDRESS"]);
});

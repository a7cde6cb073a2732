import { expect, test } from "vitest";
import { getBuild, insertRequest } from "../src/server/store/index.ts";
import { openDeskRig } from "./desk-rig.ts";
import { configure } from "./store-rig.ts";

test("bots may have any clock", async () => {
  let now = 1_800_000_000_000;
  await using house = await openDeskRig({ wallClock: () => now });
  await configure(house.store, { pack: {} });
  const year = 31_536_000_000;
  for (const [index, off] of [-50 * year, -3_600_000, 0, 3_600_000, year].entries()) {
    const name = `bot-${index}`;
    await house.addBot(name);
    const desk = house.desk(name);
    const begun = now;
    await insertRequest(house.store.db, { builder: "pack", reason: "", by: "ada", at: now });
    await desk.hello({ incarnation: "anna-1", about: {}, running: [] });
    const [order] = await desk.claim({ incarnation: "anna-1", max: 1 });
    const writer = { build: order?.build ?? 0, incarnation: "anna-1" };
    await desk.stepBegan({ ...writer, seq: 1, name: "test", at: now + off });
    now += 5_000;
    await desk.stepEnded({ ...writer, seq: 1, at: now + off, results: "success", summary: "" });
    now += 1_000;
    await desk.finished({ ...writer, at: now + off, results: "success", summary: "" });
    expect(await getBuild(house.store.db, writer.build)).toMatchObject({
      startedAt: begun,
      finishedAt: begun + 6_000,
      steps: [{}, { startedAt: begun, finishedAt: begun + 5_000 }],
    });
  }
});

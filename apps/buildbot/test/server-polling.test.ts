import { expect, test } from "vitest";
import type { Commands } from "../src/server/commands/index.ts";
import { Polling } from "../src/server/polling.ts";
import { setPolled } from "../src/server/store/index.ts";
import { configure, openRig } from "./store-rig.ts";

test("one bot that listens is asked for what is due, in turn, and none when none listens", async () => {
  await using rig = await openRig("sqlite");
  const { store, clock } = rig;
  await configure(store, { walls: {} });
  const asked: [string, readonly string[]][] = [];
  const present = new Map<string, number>();
  const commands: Pick<Commands, "present" | "pollSources"> = {
    present: () => Promise.resolve(present),
    pollSources: (bot, repositories) => {
      asked.push([bot, repositories]);
      return Promise.resolve(asked.length);
    },
  };
  const failures: unknown[] = [];
  const polling = new Polling({ store, commands, failed: (error) => failures.push(error) });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    // Until it sleeps again.
    while (clock.timers === 0) await new Promise(setImmediate);
  };

  await pass(5_000);
  expect(asked).toEqual([]);
  present.set("b", 0).set("a", 0);
  await pass(5_000);
  expect(asked).toEqual([["a", ["house", "other"]]]);
  await pass(5_000);
  expect(asked).toHaveLength(1);
  // A webhook's bot has just looked at one of them.
  await setPolled(store.db, { repository: "house", at: clock.wall + 50_000 });
  for (let at = 0; at < 60_000; at += 5_000) await pass(5_000);
  expect(asked.slice(1)).toEqual([["b", ["other"]]]);
  await polling.close();
  expect(clock.timers).toBe(0);
  expect(failures).toEqual([]);
});

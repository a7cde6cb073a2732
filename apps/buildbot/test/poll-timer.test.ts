import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { startPollTimer } from "../src/server/git/index.ts";
import { saveConfiguration } from "../src/server/config/index.ts";
import { listRepositories } from "../src/server/store/index.ts";
import { openRig, type Rig } from "./store-rig.ts";

async function house(rig: Rig): Promise<void> {
  const text = `repositories:
  often: { url: /srv/often.git, pollSeconds: 5 }
  seldom: { url: /srv/seldom.git, pollSeconds: 60 }
  never: { url: /srv/never.git, pollSeconds: 0 }
`;
  const save = { text, version: 0, author: "ann", note: "", at: 1 };
  expect(await rig.store.transaction((tx) => saveConfiguration(tx, save))).toMatchObject({ outcome: "saved" });
}

async function advance(rig: Rig, seconds: number): Promise<void> {
  for (let second = 0; second <= seconds; second += 1) {
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    if (second < seconds) rig.clock.advance(1000);
  }
}

it("has each repository looked at as often as it is wished, one look at a time", async () => {
  await using rig = await openRig("sqlite");
  await house(rig);
  const asked: string[] = [];
  const slow = Promise.withResolvers<void>();
  const timer = startPollTimer({
    store: rig.store,
    ask: async (repository) => {
      asked.push(repository);
      if (repository === "seldom") await slow.promise;
      return "polled";
    },
  });
  await advance(rig, 11);
  expect(asked).toEqual(["often", "seldom", "often", "often"]);
  slow.reject(new Error("git: no such place"));
  await advance(rig, 1);
  const [often, seldom] = await listRepositories(rig.store.db);
  expect(often?.problem).toBeUndefined();
  expect(seldom).toMatchObject({ problem: "git: no such place", polledAt: rig.clock.wall - 1000 });
  await timer.close();

  // It is remembered over a restart.
  asked.length = 0;
  const again = startPollTimer({ store: rig.store, ask: async (name) => (asked.push(name), "polled") });
  await advance(rig, 2);
  expect(asked).toEqual([]);
  await advance(rig, 60);
  expect(asked.filter((name) => name === "seldom")).toHaveLength(1);
  expect((await listRepositories(rig.store.db))[1]?.problem).toBeUndefined();
  await again.close();
});

it("waits for a bot, and asks at once when one has come", async () => {
  await using rig = await openRig("sqlite");
  await house(rig);
  const asked: string[] = [];
  let bots = 0;
  const timer = startPollTimer({
    store: rig.store,
    ask: async (repository) => {
      asked.push(repository);
      return bots === 0 ? "nobody" : "polled";
    },
  });
  await advance(rig, 9);
  expect(asked).toEqual(["often", "seldom", "often"]);
  expect((await listRepositories(rig.store.db))[0]?.polledAt).toBeUndefined();
  bots = 1;
  timer.wake();
  await advance(rig, 1);
  expect(asked.slice(3)).toEqual(["often", "seldom"]);
  await timer.close();
});

import { join } from "node:path";
import { expect, test } from "vitest";
import { Sessions } from "../src/server/auth/index.ts";
import { createBus } from "../src/server/bus.ts";
import { createBot, createUser, openStore, removeBot, removeUser } from "../src/server/store/index.ts";
import { ServerRig } from "./server-rig.ts";
import { openRig } from "./store-rig.ts";

test.each(["ws", "tcp"] as const)("what streams to somebody who is removed ends at once, over %s", async (over) => {
  await using rig = await ServerRig.start({ anonymous: "none" });
  await rig.configure();
  const { build, token } = await rig.runningBuild();
  const admin = rig.people(rig.admin);
  const eve = rig.people(await rig.newUser("eve", "developer"), over);
  const stays = rig.people(await rig.newUser("ann", "viewer"), over);
  const follow = async (who: typeof eve): Promise<void> => {
    for await (const _ of who.builds.follow({ build, step: 1 })) continue;
  };
  const hers = follow(eve);
  let isOver = false;
  const others = follow(stays).finally(() => (isOver = true));
  others.catch(() => undefined);
  expect(await eve.users.whoami()).toMatchObject({ name: "eve" });
  expect(await stays.users.whoami()).toMatchObject({ name: "ann" });
  const ended = hers.then(
    () => undefined,
    (error: unknown) => error,
  );
  await admin.users.remove({ name: "eve" });
  expect(await ended).toMatchObject({ message: expect.stringContaining("has been removed") as string });
  await expect(eve.users.whoami()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  expect(isOver).toBe(false);
  // Who has removed himself is answered first.
  const last = rig.people(await rig.newUser("bob", "admin"), over);
  expect(await last.users.remove({ name: "bob" })).toEqual({});
  // A bot's session as well.
  const { transport, desk } = rig.bot(token);
  await desk.repositories();
  const gone = new Promise<void>((resolve) => void transport.on("disconnected", () => resolve()));
  await admin.bots.remove({ name: "one" });
  await gone;
});

test("whom another server's process has removed is found by looking", async () => {
  await using rig = await openRig("sqlite");
  const { store, clock } = rig;
  const { db } = store;
  await createUser(db, { name: "eve", role: "viewer", tokenHash: "1", at: 1 });
  await createUser(db, { name: "ann", role: "viewer", tokenHash: "2", at: 1 });
  await createBot(db, { name: "one", secret: "", maxBuilds: 1, at: 1 });
  const ended: string[] = [];
  const identities = ["user:eve#1", "user:ann#2", "user:ann#7", "anonymous:", "one", "two", undefined];
  const peers = identities.map((identity) => ({ identity, disconnect: () => void ended.push(identity ?? "") }));
  const failures: unknown[] = [];
  const sessions = new Sessions({
    listeners: [{ peers } as never],
    store,
    bus: createBus(),
    clock,
    failed: (error) => failures.push(error),
  });
  const look = async (): Promise<string[]> => {
    ended.length = 0;
    clock.advance(15_000);
    for (let turns = 0; turns < 100; turns += 1) await new Promise((resolve) => void setImmediate(resolve));
    return [...ended];
  };
  expect(await look()).toEqual(["user:ann#7", "two"]);
  await removeUser(db, "eve");
  await removeBot(db, "one");
  expect(await look()).toEqual(["user:eve#1", "user:ann#7", "one", "two"]);
  // Made anew between two looks.
  peers.push({ identity: "new", disconnect: () => void ended.push("new") });
  await createBot(db, { name: "new", secret: "", maxBuilds: 1, at: 1 });
  expect(await look()).not.toContain("new");
  await removeBot(db, "new");
  await createBot(db, { name: "new", secret: "", maxBuilds: 1, at: 1 });
  expect(await look()).toContain("new");
  await sessions.close();
  expect(await look()).toEqual([]);
  expect(failures).toEqual([]);
});

test("a session is not that of a bot that another server's process has made anew under its name", async () => {
  await using rig = await ServerRig.start();
  const { token } = await rig.people(rig.admin).bots.create({ name: "new", maxBuilds: 1 });
  const { desk } = rig.bot(token);
  expect(await desk.repositories()).toEqual([]);
  const other = await openStore(join(rig.dataDir, "buildbot.db"));
  await removeBot(other.db, "new");
  await createBot(other.db, { name: "new", secret: "", maxBuilds: 1, at: 1 });
  await other.close();
  await expect(desk.repositories()).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
});

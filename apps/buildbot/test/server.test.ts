import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Builds, Settings } from "../src/contracts/page.ts";
import { ServerRig } from "./server-rig.ts";

describe("a server", () => {
  test("tells the admin's token at its first start, and never again", async () => {
    await using rig = await ServerRig.start();
    expect(rig.admin).toMatch(/^[\w-]{43}$/);
    expect(await rig.people(rig.admin).users.whoami()).toEqual({ name: "admin", role: "admin" });
    await rig.restart();
    expect(rig.server.adminToken).toBeUndefined();
    expect(await rig.people(rig.admin, "tcp").users.whoami()).toEqual({ name: "admin", role: "admin" });
    expect(readFileSync(join(rig.dataDir, "buildbot.db")).includes(rig.admin)).toBe(false);
    expect(rig.messages).toEqual([]);
  });

  test("serves the page's contracts, and a bot's desk", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const viewer = rig.people("anonymous");
    const seen = viewer.builds.changed.subscribe({ pattern: "*.1" });
    await seen.ready;
    const { build, desk, incarnation } = await rig.runningBuild();
    await desk.stepBegan({ build, incarnation, seq: 1, name: "brick", at: 5 });
    await desk.appendLog({ build, incarnation, seq: 1, offset: 0, pieces: [{ stream: "out", text: "one\ntwo\n" }] });
    await desk.stepEnded({ build, incarnation, seq: 1, at: 9, results: "success", summary: "" });
    await desk.finished({ build, incarnation, at: 10, results: "success", summary: "done" });

    const results: (string | undefined)[] = [];
    for await (const { results: result } of seen) {
      results.push(result);
      if (result !== undefined) break;
    }
    expect(results.at(-1)).toBe("success");
    expect(await viewer.builds.get({ id: build })).toMatchObject({ builder: "walls", number: 1, results: "success" });
    const window = await viewer.builds.lines({ build, step: 1, firstLine: 0 });
    expect(window.lines.map(({ text }) => text)).toEqual(["one", "two"]);
    expect(window.ended).toBe(true);
    const [walls] = await viewer.house.builders();
    expect(walls).toMatchObject({ name: "walls", pending: 0, running: [] });
    expect(walls?.recent).toHaveLength(1);
    const [bot] = await viewer.bots.list();
    expect(bot).toMatchObject({ name: "one", about: { os: "test" }, incarnation: "first", running: [] });
    expect(await viewer.bots.commands({})).toMatchObject([
      { bot: "one", method: "triggerMasterRequests", createdBy: "admin" },
    ]);
  });

  test("keeps the passwords of repositories from viewers", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const repositories = await rig.people("anonymous").house.repositories();
    expect(repositories.map(({ url }) => url)).toEqual(["https://ann:***@git.example.com/house.git", "/srv/shed.git"]);
  });

  test("says what is wrong in its own words", async () => {
    await using rig = await ServerRig.start();
    const { builds, settings } = rig.people(rig.admin);
    const unbuilt: unknown = await builds.get({ id: 7 }).catch((error: unknown) => error);
    expect(Builds.get.isError(unbuilt, "NoSuchBuild") && unbuilt.details.id).toBe(7);
    const unknown: unknown = await builds.force({ builder: "cellar" }).catch((error: unknown) => error);
    expect(Builds.force.isError(unknown, "NoSuchBuilder") && unknown.details.builder).toBe("cellar");
    const invalid: unknown = await settings.save({ text: "builders: 3", version: 0 }).catch((error: unknown) => error);
    expect(Settings.save.isError(invalid, "Invalid") && invalid.details.problems.length).toBeGreaterThan(0);
    await rig.configure();
    const stale: unknown = await settings.save({ text: "", version: 0 }).catch((error: unknown) => error);
    expect(Settings.save.isError(stale, "Stale") && stale.details).toEqual({ version: 1, author: "admin" });
  });

  test("cancels a build, a request and a command", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const { build, desk, incarnation } = await rig.runningBuild();
    const { builds, bots } = rig.people(rig.admin);
    await builds.cancel({ id: build, reason: "wrong wall" });
    expect(await builds.get({ id: build })).toMatchObject({ cancelRequested: true, state: "running" });
    const [stop] = await bots.commands({ bot: "one" });
    expect(stop).toMatchObject({ method: "stopBuild", state: "queued", createdBy: "admin" });
    await desk.finished({ build, incarnation, at: 10, results: "cancelled", summary: "wrong wall" });

    const again = await builds.rebuild({ id: build });
    expect(again).toMatchObject({ state: "pending", builder: "walls", revision: "a".repeat(40), submittedBy: "admin" });
    expect(await builds.cancelRequest({ id: again.id, reason: "twice" })).toMatchObject({
      results: "cancelled",
      cancelReason: "twice (admin)",
    });
    await expect(builds.cancelRequest({ id: again.id, reason: "" })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
    });
    const [ping] = await bots.command({ bot: "one", method: "ping" });
    expect(ping).toMatchObject({ state: "queued", method: "ping" });
    expect(await bots.cancelCommand({ id: ping?.id ?? 0 })).toMatchObject({ state: "cancelled" });
  });

  test("puts a removed bot's builds back, and lets it in no more", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const { build, desk, incarnation, token } = await rig.runningBuild();
    const { bots, builds } = rig.people(rig.admin);
    await bots.remove({ name: "one" });
    expect(await builds.get({ id: build })).toMatchObject({ state: "finished", results: "retry" });
    expect(await builds.requests({})).toMatchObject([{ builder: "walls", state: "pending" }]);
    await expect(desk.claim({ incarnation, max: 1 })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await bots.create({ name: "one" });
    await expect(rig.bot(token).desk.repositories()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("ends what follows the log of a build whose bot is removed", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const { build, desk, incarnation } = await rig.runningBuild();
    const { bots, builds } = rig.people(rig.admin);
    await desk.stepBegan({ build, incarnation, seq: 1, name: "brick", at: 1 });
    await desk.appendLog({ build, incarnation, seq: 1, offset: 0, pieces: [{ stream: "out", text: "one\n" }] });
    const seen: boolean[] = [];
    for await (const { ended } of builds.follow({ build, step: 1 })) {
      seen.push(ended);
      if (!ended) await bots.remove({ name: "one" });
    }
    expect(seen.at(-1)).toBe(true);
  });

  test("takes no wish that no message to a bot could hold", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const { builds } = rig.people(await rig.newUser("dora", "developer"));
    const large = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, "x".repeat(9_000)]));
    await expect(builds.force({ builder: "walls", properties: large(3) })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("20000 characters together") as string,
    });
    await expect(builds.force({ builder: "walls", branch: "b".repeat(501) })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(builds.force({ builder: "walls", revision: "f".repeat(501) })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await builds.force({ builder: "walls", properties: large(2) })).toMatchObject({ state: "pending" });
  });

  test("closes what it has opened when a port is taken", async () => {
    await using rig = await ServerRig.start();
    const port = Number(new URL(rig.server.httpUrl).port);
    await expect(ServerRig.start({ http: { host: "127.0.0.1", port } })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(existsSync(rig.dataDir)).toBe(true);
  });

  test("ends follows when it closes, and again when it is closed twice", async () => {
    await using rig = await ServerRig.start();
    await rig.configure();
    const { build } = await rig.runningBuild();
    const lines = rig.people("anonymous").builds.follow({ build });
    const ended = (async () => {
      for await (const _ of lines);
    })().catch((error: unknown) => error);
    await rig.people("anonymous").builds.get({ id: build });
    await rig.server.close();
    await rig.server.close();
    await rig[Symbol.asyncDispose]();
    expect(await ended).toBeDefined();
  });
});

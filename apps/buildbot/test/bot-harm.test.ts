import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeskRig, until } from "./bot-rig.ts";
import { TestClock } from "./test-clock.ts";

let rig: DeskRig;
beforeEach(async () => {
  rig = new DeskRig();
  await rig.open();
  rig.repository?.commit("first", { "a.txt": "a", "sub/b.txt": "b" });
});
afterEach(() => rig.close());

describe("a bot in trouble", () => {
  it("goes on while the server is away, and tells it all when it is back", async () => {
    await rig.start();
    const build = rig.order([
      {
        name: "one",
        command: "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done; echo x > kept.txt",
        artefacts: ["kept.txt"],
      },
      { name: "two", command: "seq 1 100000; touch ../../end" },
    ]);
    await until(() => rig.builds.get(build)?.steps.get(1) !== undefined);
    await rig.hangUp();
    await until(() => existsSync(join(rig.folder, "bot", "end")));
    await rig.listen();
    expect(await rig.finished(build)).toMatchObject({ results: "success" });
    expect(rig.log(build, 1, "out")).toBe("1\n2\n3\n4\n5\n6\n7\n8\n");
    expect(rig.log(build, 2, "out").split("\n").length).toBe(100_001);
    expect(rig.told(build).artefacts.get("kept.txt")?.toString()).toBe("x\n");
    expect(rig.hellos.at(-1)?.running).toEqual([build]);
    expect(await rig.bot.ping()).toBe("pong");
  });

  it("tells again what may not have been heard", async () => {
    const calls = new Map<string, number>();
    rig.trouble = (method, when) => {
      const count = (calls.get(method) ?? 0) + 1;
      calls.set(method, count);
      // Of each: after the first call, before the fourth, and so on.
      if (count % 5 === 2) throw new RpcError("UNAVAILABLE", `the database is away ${when} it`);
    };
    await rig.start();
    const build = rig.order([
      {
        name: "one",
        command: "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done; echo x > kept.txt",
        artefacts: ["kept.*"],
      },
    ]);
    expect(await rig.finished(build)).toMatchObject({ results: "success" });
    expect(rig.log(build, 1, "out")).toBe("1\n2\n3\n4\n5\n6\n");
    expect([...rig.told(build).artefacts.keys()]).toEqual(["kept.txt"]);
  });

  it("stops a build that was given to another, and says nothing more of it", async () => {
    await rig.start();
    const build = rig.order([
      { name: "x", command: "while true; do echo x; sleep 0.05; done" },
      { name: "always", command: "touch ../../always", alwaysRun: true },
    ]);
    await until(() => rig.builds.has(build) && rig.log(build, 1, "out") !== "");
    rig.lose(build);
    await until(() => rig.said.some((message) => message.includes("has ended")));
    expect(rig.told(build).results).toBeUndefined();
    expect(existsSync(join(rig.folder, "bot", "always"))).toBe(false);
    const next = rig.order([{ name: "x", command: "true" }]);
    await rig.finished(next);
  });

  it("takes refusals of the server as they are, and ends what it can", async () => {
    rig.trouble = (method, when) => {
      if (when === "before" && (method === "appendLog" || method === "uploadArtefact")) {
        throw new RpcError("INVALID_ARGUMENT", "this cannot be right");
      }
    };
    await rig.start({ maxUnsentBytes: 1_000 });
    const build = rig.order([{ name: "x", command: "seq 1 100000; echo > kept", artefacts: ["kept"] }]);
    const told = await rig.finished(build);
    expect(told.results).toBe("warnings");
    expect(told.summary).toContain("not delivered: log of checkout: ");
    expect(told.summary).toContain("artefact kept");
  });

  it("tells its end whatever it says of it", async () => {
    await rig.start();
    const names = Array.from({ length: 100 }, (_, at) => `${"\u{1F600}".repeat(10)}${at}`);
    const build = rig.order([{ name: "x", command: "true", artefacts: names, flunkOnFailure: false }]);
    const told = await rig.finished(build);
    expect(told.results).toBe("warnings");
    expect(told.steps.get(1)).toMatchObject({
      results: "warnings",
      summary: expect.stringContaining("no file fits") as string,
    });
    const other = rig.order([{ name: "x", command: "true", artefacts: names.map((name) => `x${name}`) }]);
    expect((await rig.finished(other)).results).toBe("warnings");
  });

  it("waits for a server that is not there, and ends when it is told to", async () => {
    await rig.hangUp();
    const bot = await rig.start();
    await until(() => rig.said.some((message) => message.startsWith("hello: ")));
    await rig.listen();
    const build = rig.order([{ name: "x", command: "true" }]);
    await rig.finished(build);
    await rig.hangUp();
    await bot.close({ graceful: true });
    expect(await bot.closed).toBeUndefined();
    const alone = await rig.start();
    await alone.close();
  });

  it("ends without a server that stays away, a minute after all is on the disk, and says of which build it could not tell", async () => {
    const clock = new TestClock();
    let tickMs = 50;
    const ticking = setInterval(() => clock.advance(tickMs), 2);
    try {
      const bot = await rig.start({ clock });
      const gate = join(rig.folder, "gate");
      const build = rig.order([{ name: "x", command: `until test -e ${gate}; do sleep 0.02; done` }]);
      await until(() => rig.builds.get(build)?.steps.get(1) !== undefined);
      await rig.hangUp();
      const closed = bot.close({ graceful: true });
      const since = clock.now();
      writeFileSync(gate, "");
      tickMs = 2_000;
      await closed;
      expect(clock.now() - since).toBeGreaterThanOrEqual(60_000);
      expect(clock.now() - since).toBeLessThan(600_000);
      expect(await bot.closed).toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringContaining("a minute") as string,
      });
      expect(rig.said.join("\n")).toContain(
        `build ${build} (tests ${build}) has ended as success, and the server was not told`,
      );
    } finally {
      clearInterval(ticking);
    }
  });

  it("ends at once when it is told to, though nobody is there to take its builds back", async () => {
    const clock = new TestClock();
    const ticking = setInterval(() => clock.advance(50), 2);
    try {
      const bot = await rig.start({ clock });
      const build = rig.order([{ name: "x", command: "echo begun; sleep 100" }]);
      await until(() => rig.builds.has(build) && rig.log(build, 1, "out") !== "");
      await rig.hangUp();
      const since = clock.now();
      await bot.close();
      expect(clock.now() - since).toBeLessThan(10_000);
      expect(rig.said.join("\n")).toContain("has ended as retry, and the server was not told");
    } finally {
      clearInterval(ticking);
    }
  });

  it("gives a build back that comes while it ends", async () => {
    const bot = await rig.start();
    await rig.bot.ping();
    const given = Promise.withResolvers<void>();
    const isEnding = Promise.withResolvers<void>();
    rig.slow = () => {
      given.resolve();
      return isEnding.promise;
    };
    const build = rig.order([{ name: "x", command: "sleep 100" }]);
    await given.promise;
    const closed = bot.close({ graceful: true });
    isEnding.resolve();
    await closed;
    expect(rig.builds.get(build)).toMatchObject({ results: "retry" });
  });

  it("ends when another bot has come under its name, and shares its folder with none", async () => {
    const bot = await rig.start();
    await rig.bot.ping();
    await expect(rig.start()).rejects.toThrow("give this one another folder");
    const other = await rig.start({ dir: join(rig.folder, "other") });
    expect(await bot.closed).toMatchObject({ code: "ABORTED" });
    expect(await rig.bot.ping()).toBe("pong");
    await other.close();
  });

  it("refuses a token of another form, and ends when the server does not know it", async () => {
    await expect(rig.start({ token: "no colon" })).rejects.toThrow("name:secret");
    const bot = await rig.start({ token: "one:a guess that is wrong" });
    expect((await bot.closed)?.code).toBe("UNAUTHENTICATED");
  });
});

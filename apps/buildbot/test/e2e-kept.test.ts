// A build that ended while the server was away, and whose bot was killed before it was back: the bot's next start tells of it.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startPostgres, type TestServer } from "../../../packages/db-queue/test/embedded-postgres.ts";
import type { BuildDetail, BuildRequest } from "../src/contracts/values.ts";
import { House, type Program, until } from "./e2e-rig.ts";
import { DATABASES } from "./store-rig.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

describe.each(DATABASES)("on %s", (kind) => {
  let postgres: TestServer | undefined;
  let house: House;

  beforeAll(async () => {
    if (kind === "postgres") postgres = await startPostgres();
    house = await House.start({ databaseUrl: postgres?.url() });
    const step = (gate: string) => [
      {
        name: "talk",
        command: `echo before; ${house.gate(gate)}; seq 1 20000; cp hello.txt made.txt`,
        artefacts: ["made.*"],
      },
      { name: "fail", command: "echo last; exit 3", flunkOnFailure: false, warnOnFailure: true },
    ];
    await house.configure({
      told: { steps: step("told") },
      refused: { steps: step("refused") },
      next: { steps: [{ name: "x", command: "true" }] },
    });
  });

  afterAll(async () => {
    await house[Symbol.asyncDispose]();
    await postgres?.stop();
  });

  const kept = (build: number): string[] => {
    const spool = join(house.folder, "bots", "one", "spool");
    return readdirSync(spool)
      .filter((name) => name.startsWith(`${build}-`))
      .map((name) => join(spool, name));
  };

  /** The build has ended, the server is away, and the bot is dead. */
  async function endUnheard(builder: string): Promise<{ request: BuildRequest; id: number }> {
    const bot = await house.startBot("one", 1);
    const request = await house.force(builder);
    const { id } = await house.running(request);
    await until(async () => (await house.log(id, 1)).includes("before"));
    await house.stopServer("SIGKILL");
    house.open(builder);
    await until(() => kept(id).some((folder) => existsSync(join(folder, "outcome.json"))));
    await bot.end("SIGKILL");
    return { request, id };
  }

  async function expectWhole({ id, results, steps, artefacts }: BuildDetail): Promise<void> {
    expect(results).toBe("warnings");
    expect(steps.map((each) => each.results)).toEqual(["success", "success", "failure"]);
    const lines = (await (await fetch(`${house.pageUrl}/raw/${id}/1`)).text()).split("\n");
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(Array.from({ length: 20_000 }, (_, at) => `${at + 1}`));
    expect(await house.log(id, 2)).toContain("last");
    expect(artefacts.map(({ name }) => name)).toEqual(["made.txt"]);
    expect(await (await fetch(`${house.pageUrl}/artefacts/${id}/made.txt`)).text()).toBe("hello\n");
  }

  test("its end, the rest of its log and what it kept come, and until then another build has no place", async () => {
    const { request, id } = await endUnheard("told");
    // It starts before the server does, and is killed once more.
    const token = house.tokenOf("one");
    const args = ["bot", "--server", house.tcpUrl, "--dir", join(house.folder, "bots", "one"), "--min-free-mib", "0"];
    const early: Program = house.run(args, { BUILDBOT_TOKEN: token });
    await early.says(/^bot (\S+)/m);
    await early.end("SIGKILL");
    await house.startServer();
    const next = await house.force("next");
    const bot = await house.startBot("one");
    const build = await house.ended(request);
    expect(build.id).toBe(id);
    await expectWhole(build);
    const after = await house.ended(next);
    expect(after.startedAt).toBeGreaterThanOrEqual(build.finishedAt ?? 0);
    expect(bot.out).toContain("the server has heard of its end");
    await until(() => kept(id).length === 0);
    await bot.end("SIGTERM");
  });

  test("it is given up where the server has given it to another", async () => {
    const { request, id } = await endUnheard("refused");
    await house.startServer();
    // The same bot from another folder has nothing of it.
    const elsewhere = join(house.folder, "elsewhere");
    const args = ["bot", "--server", house.tcpUrl, "--dir", elsewhere, "--claim-seconds", "1", "--min-free-mib", "0"];
    const other = house.run(args, { BUILDBOT_TOKEN: house.tokenOf("one") });
    const again = await house.ended(request);
    expect(again.id).not.toBe(id);
    await expectWhole(again);
    expect(await house.people.builds.get({ id })).toMatchObject({ results: "retry", artefacts: [] });
    await other.end("SIGTERM");
    const bot = await house.startBot("one");
    await bot.says(/(does not take its end any more: .*)/);
    await until(() => readdirSync(join(house.folder, "bots", "one", "spool")).length === 0);
    expect(await house.people.builds.get({ id })).toMatchObject({ results: "retry", artefacts: [] });
    expect((await house.ended(await house.force("next"))).results).toBe("success");
    await bot.end("SIGTERM");
  });
});

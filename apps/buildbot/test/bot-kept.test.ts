// What a bot keeps of builds that ended while nobody could be told, and the next bot in its folder tells.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeskRig, tokenOf, until } from "./bot-rig.ts";

let rig: DeskRig;
beforeEach(async () => {
  rig = new DeskRig();
  await rig.open();
  rig.repository?.commit("first", { "a.txt": "a" });
});
afterEach(() => rig.close());

const spool = (): string => join(rig.folder, "bot", "spool");

/** A build whose end nobody could be told of: what a bot that is killed then leaves stands in its folder, and the bot is gone. */
async function leave(command = "echo before; seq 1 3000; echo kept > kept.txt"): Promise<number> {
  const ended = (build: number): boolean =>
    readdirSync(spool()).some(
      (name) => name.split("-")[0] === String(build) && existsSync(join(spool(), name, "outcome.json")),
    );
  const bot = await rig.start();
  const gate = join(rig.folder, "gate");
  const build = rig.order([
    { name: "wait", command: `echo here; until test -e ${gate}; do sleep 0.02; done` },
    { name: "say", command, artefacts: ["kept.*"] },
  ]);
  await until(() => rig.builds.has(build) && rig.log(build, 1, "out") === "here\n");
  await rig.hangUp();
  writeFileSync(gate, "");
  await until(() => ended(build));
  // As a kill leaves it: the bot in this process removes nothing of it any more.
  const left = join(rig.folder, "left");
  cpSync(spool(), left, { recursive: true });
  await bot.close();
  rmSync(spool(), { recursive: true });
  renameSync(left, spool());
  return build;
}

describe("a build that ended unheard", () => {
  it("is told by the next bot in the folder, and until then stands where another would", async () => {
    rig.maxBuilds = 1;
    const build = await leave();
    const other = rig.order([{ name: "x", command: "true" }]);
    await rig.start();
    await until(() => rig.said.some((message) => message.startsWith("hello: ")));
    await rig.listen();
    await until(() => rig.said.some((message) => message.includes("had ended as success")));
    expect(rig.builds.has(other)).toBe(false);
    const told = await rig.finished(build);
    expect(told).toMatchObject({ results: "success", summary: "" });
    expect(rig.log(build, 1, "out")).toBe("here\n");
    expect(rig.log(build, 2, "out").split("\n")).toHaveLength(3002);
    expect(told.artefacts.get("kept.txt")?.toString()).toBe("kept\n");
    expect([...told.steps.values()].map(({ results }) => results)).toEqual(["success", "success", "success"]);
    expect(await rig.finished(other)).toMatchObject({ results: "success" });
    const { kept, incarnation } = rig.hellos.at(-1) ?? {};
    expect(kept).toEqual([{ build, incarnation: told.incarnation }]);
    expect(incarnation).not.toBe(told.incarnation);
    await until(() => readdirSync(spool()).length === 0);
    expect(rig.said.join("\n")).toContain("the server has heard of its end");
    expect(rig.builds.size).toBe(2);
  });

  it("that cannot be told keeps a place, and no more than that", async () => {
    const build = await leave();
    rig.trouble = (method) => {
      if (method === "uploadArtefact") throw new RpcError("INTERNAL", "the disk is full");
    };
    await rig.listen();
    await rig.start();
    const other = rig.order([{ name: "x", command: "true" }]);
    expect(await rig.finished(other)).toMatchObject({ results: "success" });
    expect(rig.told(build).results).toBeUndefined();
    rig.trouble = undefined;
    expect(await rig.finished(build)).toMatchObject({ results: "success", summary: "" });
  });

  it("is given up when the server has given it to another", async () => {
    const build = await leave();
    rig.lose(build);
    await rig.listen();
    await rig.start();
    await until(() => rig.said.some((message) => message.includes("it was given to another")));
    await until(() => readdirSync(spool()).length === 0);
    expect(rig.told(build).results).toBeUndefined();
    await rig.finished(rig.order([{ name: "x", command: "true" }]));
  });

  it("stays for the start after the next, when the server stays away", async () => {
    const build = await leave();
    const alone = await rig.start();
    await until(() => rig.said.some((message) => message.startsWith("hello: ")));
    await alone.close();
    expect(readdirSync(spool())).toEqual([String(build)]);
    await rig.listen();
    await rig.start();
    expect(await rig.finished(build)).toMatchObject({ results: "success" });
  });

  it("is told by no bot of another name", async () => {
    const build = await leave();
    await rig.listen();
    const two = await rig.start({ token: tokenOf("two") });
    await rig.finished(rig.order([{ name: "x", command: "true" }]));
    await two.close();
    expect(rig.hellos.at(-1)?.kept).toEqual([]);
    expect(rig.said.join("\n")).toContain("which is for the bot one: it stays where it is");
    expect(rig.told(build).results).toBeUndefined();
    expect(readdirSync(spool())).toEqual([String(build)]);
    await rig.start();
    expect(await rig.finished(build)).toMatchObject({ results: "success", summary: "" });
  });

  it("is told to no other server, and one that has a build of its number changes nothing of it", async () => {
    rig.server = "production";
    const build = await leave();
    const { order, incarnation } = rig.told(build);
    // A server that has begun to count anew, and knows nothing of the other one's builds.
    rig.server = "staging";
    const told = rig.told(build);
    rig.builds.delete(build);
    rig.order([{ name: "x", command: "true" }], { ...order, steps: order.steps.slice(0, 0) });
    await rig.listen();
    const bot = await rig.start();
    expect(await rig.finished(build)).toMatchObject({ results: "success" });
    expect(rig.told(build).incarnation).not.toBe(incarnation);
    expect(rig.told(build).artefacts.size).toBe(0);
    await until(() => readdirSync(spool()).length === 1);
    await bot.close();
    expect(rig.said.filter((message) => message.includes("for another server: it stays where it is"))).toHaveLength(1);
    expect(readdirSync(spool())).toEqual([`${build}-production`]);
    rig.server = "production";
    rig.builds.set(build, told);
    await rig.start();
    expect(await rig.finished(build)).toMatchObject({ results: "success", summary: "" });
    expect(told.artefacts.get("kept.txt")?.toString()).toBe("kept\n");
    expect(rig.hellos.at(-1)?.kept).toEqual([{ build, incarnation }]);
  });

  it("is not taken for none where it cannot be read", async () => {
    const folder = join(spool(), "7");
    mkdirSync(join(folder, "outcome.json"), { recursive: true });
    await expect(rig.start()).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining(folder) as string,
    });
    expect(existsSync(folder)).toBe(true);
  });

  it("is told as far as the disk has it, and the rest is said to be missing", async () => {
    const build = await leave();
    const folder = join(spool(), String(build));
    // A record that is cut, a line that is none, a copy that is gone.
    appendFileSync(join(folder, "2.log"), Buffer.from([0, 200, 0, 0, 0, 65]));
    appendFileSync(join(folder, "journal"), '{"what":"x","artefact":{"name":"x","file":"../../../secret"}}\nrubbish\n');
    rmSync(join(folder, "artefacts-2"), { recursive: true });
    await rig.listen();
    await rig.start();
    const told = await rig.finished(build);
    expect(told).toMatchObject({ results: "warnings", summary: expect.stringContaining("has damaged") as string });
    expect(rig.log(build, 2, "out").split("\n")).toHaveLength(3002);
    expect(told.artefacts.size).toBe(0);
  });

  it("has its end told where nothing else is left of it", async () => {
    const build = await leave();
    rmSync(join(spool(), String(build), "journal"));
    await rig.listen();
    await rig.start();
    expect(await rig.finished(build)).toMatchObject({ results: "warnings" });
    await until(() => readdirSync(spool()).length === 0);
  });

  it("is none without an end that can be read", async () => {
    for (const [name, text] of Object.entries({
      "1": "",
      "2": "{",
      "3": JSON.stringify({ build: 4, incarnation: "x", title: "", at: 1, results: "success", summary: "" }),
      "5": JSON.stringify({ build: 5, incarnation: "x", title: "", at: 1, results: "great", summary: "" }),
    })) {
      mkdirSync(join(spool(), name), { recursive: true });
      writeFileSync(join(spool(), name, "outcome.json"), text);
    }
    await rig.start();
    expect(readdirSync(spool())).toEqual([]);
    await rig.finished(rig.order([{ name: "x", command: "true" }]));
    expect(rig.hellos.at(-1)?.kept).toEqual([]);
  });

  it("has no secret on the disk, and no word more than the server is told", async () => {
    const bot = await rig.start({ env: { ...process.env, KEY: "hunter2" } });
    const gate = join(rig.folder, "gate");
    const tap = "printf 'TAP version 14\\nnot ok 1 - hunter2\\n1..1\\n'";
    const build = rig.order(
      [{ name: "x", command: `echo hunter2; ${tap}; until test -e ${gate}; do sleep 0.02; done`, tests: "tap" }],
      {
        secrets: ["KEY"],
      },
    );
    await until(() => rig.builds.has(build) && rig.log(build, 1, "out") !== "");
    await rig.hangUp();
    writeFileSync(gate, "");
    const folder = join(spool(), String(build));
    await until(() => existsSync(join(folder, "outcome.json")));
    for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name), "utf8")).not.toContain("hunter2");
    await bot.close();
    expect(rig.said.join("\n")).toContain("the next start in this folder tells it");
  });
});

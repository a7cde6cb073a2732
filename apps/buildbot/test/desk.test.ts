import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientOf, RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BuildOrder, Desk } from "../src/contracts/bot.ts";
import type { BuildRequest } from "../src/contracts/values.ts";
import { followLog } from "../src/server/logs/index.ts";
import { getBuild, getRequest, insertRequest, listCommits, listRequests } from "../src/server/store/index.ts";
import { type DeskRig, openDeskRig } from "./desk-rig.ts";
import { configure } from "./store-rig.ts";

let rig: DeskRig;
beforeEach(async () => {
  rig = await openDeskRig();
  await configure(rig.store, { pack: {}, after: { schedulers: [{ kind: "dependent", upstream: "pack" }] } });
  await rig.addBot("anna");
});
afterEach(() => rig[Symbol.asyncDispose]());

const HELLO = { incarnation: "anna-1", about: { os: "linux" }, running: [] };
const FOUND = { revision: "f00d", subject: "Fix it", author: "ada" };

async function wish(reason = "forced"): Promise<BuildRequest> {
  const request = await insertRequest(rig.store.db, { builder: "pack", reason, by: "ada", at: 1 });
  if (request === undefined) throw new Error("no such builder");
  return request;
}

/** A build that anna has claimed and begun. */
async function beginOne(desk: ClientOf<typeof Desk>, incarnation = "anna-1"): Promise<BuildOrder> {
  await wish();
  await desk.hello({ ...HELLO, incarnation });
  const [order] = await desk.claim({ incarnation, max: 1 });
  if (order === undefined) throw new Error("nothing to build");
  await desk.began({ build: order.build, incarnation, ...FOUND });
  return order;
}

const failure = (promise: Promise<unknown>): Promise<RpcError> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => RpcError.from(error),
  );

describe("a bot", () => {
  test("is told who it is, and where its commands wait", async () => {
    const { id } = await rig.addBot("berta", 5);
    expect(await rig.desk("berta").hello(HELLO)).toEqual({
      name: "berta",
      server: expect.stringMatching(/^[\w-]{36}$/) as string,
      address: `software_dev.buildbot:${id}`,
      maxBuilds: 5,
      paused: false,
      lost: [],
    });
    expect(rig.told).toContainEqual({ name: "botChanged", value: "berta" });
  });

  test("builds: every word of it counts once, and is told", async () => {
    const desk = rig.desk("anna");
    const order = await beginOne(desk);
    const writer = { build: order.build, incarnation: "anna-1" };
    const at = 2000;
    for (let times = 0; times < 2; times += 1) {
      await desk.began({ ...writer, ...FOUND });
      await desk.stepBegan({ ...writer, seq: 0, name: "checkout", at });
      const pieces = [{ stream: "head" as const, text: "git fetch\n" }];
      expect(await desk.appendLog({ ...writer, seq: 0, offset: 0, pieces })).toEqual({ size: 10 });
      await desk.stepEnded({ ...writer, seq: 0, at, results: "success", exitCode: 0, summary: "" });
      await desk.stepBegan({ ...writer, seq: 1, name: "test", at });
      await desk.addTests({ ...writer, part: 0, tests: [{ step: 1, suite: "s", name: "t", state: "pass" }] });
      await desk.setProperties({ ...writer, properties: { got: "it" } });
      await desk.stepEnded({ ...writer, seq: 1, at, results: "warnings", summary: "oh" });
      await desk.finished({ ...writer, at, results: "warnings", summary: "oh" });
    }
    expect(await getBuild(rig.store.db, order.build)).toMatchObject({
      state: "finished",
      results: "warnings",
      revision: "f00d",
      properties: { got: "it" },
      tests: { pass: 1 },
      steps: [
        { seq: 0, state: "finished", results: "success", logBytes: 10, logLines: 1 },
        { seq: 1, state: "finished", results: "warnings" },
      ],
    });
    expect((await listRequests(rig.store.db, { builder: "after", pendingOnly: true, limit: 9 })).length).toBe(1);
    const changes = rig.told.filter(({ name }) => name === "buildChanged").length;
    // Claimed, begun twice, two steps that begin and end, finished.
    expect(changes).toBe(8);
    // Whoever may build what depends on it is told, in the same transaction.
    expect(await rig.commands.list({ limit: 9 })).toMatchObject([{ bot: "anna", method: "triggerMasterRequests" }]);
    expect(rig.failures).toEqual([]);
  });

  test("that has lost the answer to a claim is given the same builds again", async () => {
    await wish();
    await wish();
    await wish();
    const desk = rig.desk("anna");
    await desk.hello(HELLO);
    const first = await desk.claim({ incarnation: "anna-1", max: 8 });
    expect(first.map(({ number }) => number)).toEqual([1, 2]);
    expect(await desk.claim({ incarnation: "anna-1", max: 8 })).toEqual(first);
  });

  test("is given no more at once than one message holds, and the rest at the next claim", async () => {
    const steps = [{ name: "long", command: "x".repeat(900_000) }];
    await configure(rig.store, { pack: { steps }, after: {} });
    await rig.addBot("berta", 8);
    const requests = [await wish(), await wish(), await wish(), await wish(), await wish()];
    const desk = rig.desk("berta");
    await desk.hello(HELLO);
    const given: BuildOrder[] = [];
    while (given.length < requests.length) {
      const orders = await desk.claim({ incarnation: "anna-1", max: 8 - given.length });
      expect(orders.length).toBeGreaterThan(0);
      for (const { build } of orders) await desk.began({ build, incarnation: "anna-1", ...FOUND });
      given.push(...orders);
    }
    expect(given.map(({ request }) => request.id)).toEqual(requests.map(({ id }) => id));
  });

  test("that comes back as the same goes on; as another one it begins anew", async () => {
    const order = await beginOne(rig.desk("anna"));
    const again = rig.desk("anna");
    expect((await again.hello({ ...HELLO, running: [order.build] })).lost).toEqual([]);
    const pieces = [{ stream: "out" as const, text: "on\n" }];
    expect(await again.appendLog({ build: order.build, incarnation: "anna-1", seq: 1, offset: 0, pieces })).toEqual({
      size: 3,
    });
    const next = rig.desk("anna");
    expect((await next.hello({ ...HELLO, incarnation: "anna-2", running: [order.build, 999] })).lost).toEqual([
      order.build,
      999,
    ]);
    expect(await getBuild(rig.store.db, order.build)).toMatchObject({ state: "finished", results: "retry" });
    expect(await getRequest(rig.store.db, order.request.id)).toMatchObject({ state: "pending" });
    expect(await rig.commands.list({ limit: 1 })).toMatchObject([{ method: "triggerMasterRequests" }]);
    // The one before gets nowhere any more, and does not take its place back.
    const writer = { build: order.build, incarnation: "anna-1" };
    expect(await failure(again.finished({ ...writer, at: 1, results: "success", summary: "" }))).toMatchObject({
      reason: "BuildLost",
      details: { build: order.build },
    });
    expect(await failure(again.claim({ incarnation: "anna-1", max: 1 }))).toMatchObject({ reason: "FENCED" });
    expect(await failure(again.hello(HELLO))).toMatchObject({ code: "FAILED_PRECONDITION", reason: "FENCED" });
    const [retried] = await next.claim({ incarnation: "anna-2", max: 1 });
    expect(retried).toMatchObject({ number: 2, request: { id: order.request.id } });
  });

  test("that is lost again and again takes others with it no longer: the request ends", async () => {
    const desk = rig.desk("anna");
    const { id } = await wish();
    for (let life = 1; life <= 10; life += 1) {
      expect(await getRequest(rig.store.db, id)).toMatchObject({ state: "pending" });
      const incarnation = `anna-${life}`;
      await desk.hello({ ...HELLO, incarnation });
      expect(await desk.claim({ incarnation, max: 8 })).toHaveLength(1);
      await desk.hello({ ...HELLO, incarnation: `anna-${life}-after` });
    }
    expect(await getRequest(rig.store.db, id)).toMatchObject({ state: "complete", results: "exception" });
  });

  test("wishes for a rebuild once, however often it says so", async () => {
    const desk = rig.desk("anna");
    const order = await beginOne(desk);
    const { request } = await desk.rebuild({ build: order.build });
    expect(await desk.rebuild({ build: order.build })).toEqual({ request });
    expect(await getRequest(rig.store.db, request)).toMatchObject({
      reason: "rebuild of #1",
      revision: "f00d",
      submittedBy: "anna",
    });
    expect(await failure(desk.rebuild({ build: 999 }))).toMatchObject({ code: "NOT_FOUND" });
  });

  test("tells of commits, and hears of repositories", async () => {
    const desk = rig.desk("anna");
    const commit = { branch: "main", author: "ada", at: 5, subject: "x".repeat(5000) };
    const commits = [{ ...commit, hash: "a".repeat(40) }];
    expect(await desk.addCommits({ repository: "house", commits })).toEqual({ added: 1 });
    expect(await desk.addCommits({ repository: "house", commits })).toEqual({ added: 0 });
    expect(rig.told.filter(({ name }) => name === "commitsAdded")).toHaveLength(1);
    expect((await desk.repositories())[0]).toEqual({
      name: "house",
      url: "/srv/house.git",
      branches: ["*"],
      heads: { main: "a".repeat(40) },
    });
    expect(await failure(desk.addCommits({ repository: "none", commits }))).toMatchObject({ code: "NOT_FOUND" });
    const odd = [{ ...commit, hash: "--upload-pack=x" }];
    expect(await failure(desk.addCommits({ repository: "house", commits: odd }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect((await listCommits(rig.store.db, { limit: 9 }))[0]?.subject).toHaveLength(1000);
  });

  test("uploads artefacts", async () => {
    const desk = rig.desk("anna");
    const { build } = await beginOne(desk);
    const bytes = Buffer.alloc(3_000_000, "artefact ");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const head = { build, incarnation: "anna-1", name: "dist/x.tgz", bytes: bytes.length, sha256 };
    let sent = 0;
    async function* upload() {
      yield head;
      for (let at = 0; at < bytes.length; at += 64 * 1024) {
        sent += 1;
        yield { chunk: bytes.subarray(at, at + 64 * 1024) };
      }
    }
    await desk.uploadArtefact(upload());
    expect((await getBuild(rig.store.db, build))?.artefacts).toMatchObject([
      { name: "dist/x.tgz", bytes: 3_000_000, sha256 },
    ]);
    expect(readFileSync(rig.artefacts.path(build, sha256)).equals(bytes)).toBe(true);
    // Sent again it is there: no more of it is read than was under way.
    sent = 0;
    await desk.uploadArtefact(upload());
    expect((await getBuild(rig.store.db, build))?.artefacts).toHaveLength(1);
  });
});

describe("a hostile bot", () => {
  test("gets nowhere near the builds of others, or of its own past", async () => {
    const { build } = await beginOne(rig.desk("anna"));
    await rig.addBot("eve");
    const eve = rig.desk("eve");
    await eve.hello({ ...HELLO, incarnation: "eve-1", running: [build] });
    const head = { name: "x", bytes: 1, sha256: "0".repeat(64) };
    const pieces = [{ stream: "out" as const, text: "lies\n" }];
    for (const [desk, incarnation] of [
      [eve, "eve-1"],
      [eve, "anna-1"],
      [rig.desk("anna"), "eve-1"],
      [rig.desk("anna"), ""],
    ] as const) {
      const writer = { build, incarnation };
      const attempts = [
        desk.began({ ...writer, ...FOUND }),
        desk.stepBegan({ ...writer, seq: 1, name: "x", at: 1 }),
        desk.stepEnded({ ...writer, seq: 1, at: 1, results: "success", summary: "" }),
        desk.appendLog({ ...writer, seq: 1, offset: 0, pieces }),
        desk.addTests({ ...writer, part: 0, tests: [] }),
        desk.setProperties({ ...writer, properties: { a: "b" } }),
        desk.finished({ ...writer, at: 1, results: "success", summary: "" }),
        desk.uploadArtefact([{ ...writer, ...head }, { chunk: Buffer.from("x") }]),
      ];
      for (const error of await Promise.all(attempts.map((attempt) => failure(attempt)))) {
        expect(error).toMatchObject({ reason: "BuildLost", details: { build } });
      }
    }
    expect(await failure(eve.began({ build: 999, incarnation: "eve-1", ...FOUND }))).toMatchObject({
      reason: "BuildLost",
    });
    expect((await getBuild(rig.store.db, build))?.steps.every(({ state }) => state === "waiting")).toBe(true);
    expect(existsSync(join(rig.folder, "logs"))).toBe(false);
    expect(readdirSync(join(rig.folder, "artefacts"))).toEqual(["incoming"]);
  });

  test("writes no file but its logs and artefacts", async () => {
    const desk = rig.desk("anna");
    const { build } = await beginOne(desk);
    const writer = { build, incarnation: "anna-1" };
    const sha256 = createHash("sha256").update("x").digest("hex");
    for (const name of ["../../x", "/etc/passwd", "a\u0000", String.raw`..\x`, "a/../b", "x\n"]) {
      const upload = desk.uploadArtefact([{ ...writer, name, bytes: 1, sha256 }, { chunk: Buffer.from("x") }]);
      expect(await failure(upload)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "ARTEFACT_NAME" });
    }
    for (const [head, ...chunks] of [
      [{ chunk: Buffer.from("x") }],
      [{ ...writer, name: "x", bytes: 1, sha256: "../../x" }, { chunk: Buffer.from("x") }],
      [{ ...writer, name: "x", bytes: 2, sha256 }, { chunk: Buffer.from("x") }],
      [{ ...writer, name: "x", bytes: 1, sha256 }, { chunk: Buffer.alloc(1000) }],
      [{ ...writer, name: "x", bytes: 1, sha256 }, { chunk: Buffer.from("y") }],
      [{ ...writer, name: "x", bytes: 1e12, sha256 }, { chunk: Buffer.from("x") }],
      [
        { ...writer, name: "x", bytes: 1, sha256 },
        { ...writer, name: "y", bytes: 1, sha256 },
      ],
    ] as const) {
      const codes = ["INVALID_ARGUMENT", "DATA_LOSS", "FAILED_PRECONDITION"];
      expect(codes).toContain((await failure(desk.uploadArtefact([head, ...chunks]))).code);
    }
    expect(await failure(desk.uploadArtefact([]))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await getBuild(rig.store.db, build))?.artefacts).toEqual([]);
    expect(readdirSync(join(rig.folder, "artefacts"), { recursive: true })).toEqual(["incoming"]);
    const out = (text: string) => [{ stream: "out" as const, text }];
    expect(await desk.appendLog({ ...writer, seq: 1, offset: 1e15, pieces: out("far") })).toEqual({ size: 0 });
    expect(
      await failure(desk.appendLog({ ...writer, seq: 1, offset: 0, pieces: out("x".repeat(1_100_000)) })),
    ).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure(desk.appendLog({ ...writer, seq: 1e9, offset: 0, pieces: out("x") }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await failure(desk.appendLog({ ...writer, seq: -1, offset: 0, pieces: out("x") }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const properties = Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`p${at}`, ""]));
    expect(await failure(desk.setProperties({ ...writer, properties }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(existsSync(join(rig.folder, "logs"))).toBe(false);
    // What it has finished stays as it is.
    await desk.appendLog({ ...writer, seq: 1, offset: 0, pieces: out("true") });
    await desk.finished({ ...writer, at: 1, results: "failure", summary: "true" });
    await desk.finished({ ...writer, at: 2, results: "success", summary: "false" });
    expect(await desk.appendLog({ ...writer, seq: 1, offset: 4, pieces: out("false") })).toEqual({ size: 4 });
    await desk.addTests({ ...writer, part: 0, tests: [{ step: 1, suite: "s", name: "t", state: "pass" }] });
    const late = desk.uploadArtefact([{ ...writer, name: "x", bytes: 1, sha256 }, { chunk: Buffer.from("x") }]);
    expect(await failure(late)).toMatchObject({ reason: "BuildLost" });
    expect(await getBuild(rig.store.db, build)).toMatchObject({
      results: "failure",
      summary: "true",
      tests: { pass: 0 },
    });
  });

  test("has no desk when it is none, or has been removed", async () => {
    const stranger = rig.desk("nobody");
    expect(await failure(stranger.hello(HELLO))).toMatchObject({ code: "NOT_FOUND", reason: "NO_BOT" });
    expect(await failure(stranger.repositories())).toMatchObject({ code: "NOT_FOUND" });
    expect(await failure(stranger.rebuild({ build: 1 }))).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("a log that is followed", () => {
  test("comes as it grows, to its end, and waits for its reader", async () => {
    const desk = rig.desk("anna");
    const { build } = await beginOne(desk);
    const writer = { build, incarnation: "anna-1" };
    const stop = new AbortController();
    const lines: string[] = [];
    const read = (async () => {
      for await (const window of followLog(rig, { build, step: 1, firstLine: 0 }, stop.signal)) {
        for (const [at, { text }] of window.lines.entries()) lines[window.firstLine + at] = text;
        if (window.ended) lines.push("ended");
      }
    })();
    await desk.stepBegan({ ...writer, seq: 1, name: "test", at: 1 });
    let offset = 0;
    for (const text of ["one\ntw", "o\n", "three", "!\n", "four"]) {
      const append = { ...writer, seq: 1, offset, pieces: [{ stream: "out" as const, text }] };
      ({ size: offset } = await desk.appendLog(append));
    }
    await desk.stepEnded({ ...writer, seq: 1, at: 2, results: "success", summary: "" });
    await read;
    expect(lines).toEqual(["one", "two", "three!", "four", "ended"]);
    const all: [number, number, boolean][] = [];
    const end = (async () => {
      for await (const { step, lines: some, ended } of followLog(rig, { build, firstLine: 1 }, stop.signal)) {
        all.push([step, some.length, ended]);
      }
    })();
    await desk.finished({ ...writer, at: 3, results: "success", summary: "" });
    await end;
    expect(all.at(-1)).toEqual([1, 3, true]);
    // Nobody reads: nothing is read for them.
    const lazy = followLog(rig, { build, step: 1, firstLine: 0 }, stop.signal);
    expect((await lazy.next()).value).toMatchObject({ firstLine: 0, totalLines: 4, ended: true });
    await lazy.return();
  });

  test("skips to its end for who looks at that alone", async () => {
    const desk = rig.desk("anna");
    const { build } = await beginOne(desk);
    const writer = { build, incarnation: "anna-1" };
    await desk.stepBegan({ ...writer, seq: 1, name: "test", at: 1 });
    const text = Array.from({ length: 5000 }, (_, at) => `line ${at}\n`).join("");
    await desk.appendLog({ ...writer, seq: 1, offset: 0, pieces: [{ stream: "out", text }] });
    await desk.stepEnded({ ...writer, seq: 1, at: 2, results: "success", summary: "" });
    const windows: [number, string | undefined, boolean][] = [];
    const tail = { build, step: 1, firstLine: 100, tail: true };
    for await (const { firstLine, lines, ended } of followLog(rig, tail, new AbortController().signal)) {
      windows.push([firstLine, lines.at(-1)?.text, ended]);
    }
    expect(windows).toEqual([
      [100, "line 399", false],
      [4700, "line 4999", true],
    ]);
  });

  test("lets its reader go", async () => {
    const { build } = await beginOne(rig.desk("anna"));
    const stop = new AbortController();
    const waiting = followLog(rig, { build, step: 1, firstLine: 0 }, stop.signal).next();
    const whole = followLog(rig, { build, firstLine: 0 }, stop.signal).next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await whole).toEqual({ done: true, value: undefined });
    const none = followLog(rig, { build: 999, firstLine: 0 }, new AbortController().signal);
    expect(await none.next()).toEqual({ done: true, value: undefined });
  });
});

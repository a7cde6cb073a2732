// A bot that wants more than its due, and strangers with raw sockets, against a server's process: they get nowhere, and everybody else notices nothing.
import { readdirSync, readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { createClient, type RpcError, type SessionTransport } from "@rpc/core";
import { createRemoteStore } from "@rpc/db-queue";
import { createTcpTransport } from "@rpc/tcp";
import { createWsTransport } from "@rpc/ws";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Desk } from "../src/contracts/bot.ts";
import { Bots, Builds, House as HouseContract, Settings, Users } from "../src/contracts/page.ts";
import type { BuildDetail, BuildRequest } from "../src/contracts/values.ts";
import { House, until } from "./e2e-rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MOST_GROWTH_MIB = 200;

let house: House;
let eve: SessionTransport;
/** An honest bot's, under way all the time. */
let request: BuildRequest;
let build: BuildDetail;
let incarnation = "";

function enter(token: string): SessionTransport {
  const [identity = "", secret = ""] = token.split(":");
  return createTcpTransport(house.tcpUrl, { identity, secret });
}

const failure = (promise: PromiseLike<unknown>): Promise<RpcError> =>
  Promise.resolve(promise).then(
    (value) => {
      throw new Error(`it was answered: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as RpcError,
  );

beforeAll(async () => {
  house = await House.start({ serverArgs: ["--anonymous", "none"] });
  await house.configure({
    honest: {
      bots: ["one"],
      steps: [{ name: "talk", command: `echo secret of the house; ${house.gate("over")}; echo bye` }],
    },
    eves: { bots: ["eve"], steps: [{ name: "talk", command: "true" }] },
  });
  await house.startBot("one");
  eve = enter(await house.addBot("eve"));
  request = await house.force("honest");
  build = await house.running(request);
  await until(async () => (await house.log(build.id, 1)).includes("secret of the house"));
  incarnation = (await house.people.bots.list()).find(({ name }) => name === "one")?.incarnation ?? "";
});

afterAll(async () => {
  await eve.close();
  await house[Symbol.asyncDispose]();
});

test("nobody comes in without the right secret", async () => {
  const right = house.tokenOf("one");
  const wrong = [
    "one:guess",
    `one:${right.slice(4, -1)}`,
    `eve:${right.slice(4)}`,
    `nobody:${right.slice(4)}`,
    `one:${house.admin}`,
  ];
  for (const token of wrong) {
    const transport = enter(token);
    const error = await failure(createClient(Desk, transport).hello({ incarnation, about: {}, running: [] }));
    expect([token, error.code]).toEqual([token, "UNAUTHENTICATED"]);
    await transport.close();
  }
  // A bot's secret is no token, the admin's token no bot, and no token nobody.
  for (const token of [right.slice(4), right, "anonymous", "undefined", "x".repeat(500)]) {
    const transport = createTcpTransport(house.tcpUrl, { token });
    expect((await failure(createClient(Users, transport).whoami())).code).toBe("UNAUTHENTICATED");
    await transport.close();
  }
  // The door of bots that only HTTP lets out knows bots alone, and nothing stands beside it.
  const door = house.pageUrl.replace("http", "ws");
  const person = createWsTransport(`${door}/ws/bots`, { token: house.admin });
  expect((await failure(createClient(Users, person).whoami())).code).toBe("UNAUTHENTICATED");
  await person.close();
  const guess = createWsTransport(`${door}/ws/bots`, { identity: "one", secret: "guess" });
  expect((await failure(createClient(Desk, guess).repositories())).code).toBe("UNAUTHENTICATED");
  await guess.close();
  const { host } = new URL(house.pageUrl);
  const upgrade = `GET /ws/other HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  expect((await raw(house.pageUrl, upgrade)).status).toBe(404);
  const admin = createClient(Desk, house.people.transport);
  expect((await failure(admin.claim({ incarnation, max: 64 }))).code).toBe("PERMISSION_DENIED");
});

test("a bot has neither the page's nor an admin's words", async () => {
  const refused = [
    createClient(Builds, eve).list({}),
    createClient(Builds, eve).lines({ build: build.id, step: 1, firstLine: 0 }),
    createClient(Builds, eve).searchLog({ build: build.id, step: 1, text: "secret" }),
    createClient(Builds, eve).force({ builder: "honest" }),
    createClient(Builds, eve).cancel({ id: build.id, reason: "eve" }),
    createClient(HouseContract, eve).builders(),
    createClient(Bots, eve).create({ name: "mallory" }),
    createClient(Bots, eve).command({ bot: "one", method: "shutdown" }),
    createClient(Settings, eve).get(),
    createClient(Users, eve).create({ name: "mallory", role: "admin" }),
  ];
  for (const attempt of refused) expect((await failure(attempt)).code).toBe("PERMISSION_DENIED");
  const follow = async (): Promise<void> => {
    for await (const _ of createClient(Builds, eve).follow({ build: build.id })) return;
  };
  expect((await failure(follow())).code).toBe("PERMISSION_DENIED");
  expect((await house.people.bots.list()).map(({ name }) => name).toSorted()).toEqual(["eve", "one"]);
});

test("a log, and what a build keeps, are nobody's who shows no token", async () => {
  for (const path of [`raw/${build.id}/1`, `artefacts/${build.id}/x`, "badge/honest.svg", "session"]) {
    const { status } = await fetch(`${house.pageUrl}/${path}`);
    expect([path, status]).toEqual([path, 401]);
    const bot = await fetch(`${house.pageUrl}/${path}`, {
      headers: { authorization: `Bearer ${house.tokenOf("eve")}` },
    });
    expect([path, bot.status]).toEqual([path, 401]);
  }
  const mine = await fetch(`${house.pageUrl}/raw/${build.id}/1`, {
    headers: { authorization: `Bearer ${house.admin}` },
  });
  expect(await mine.text()).toContain("secret of the house");
});

test("a bot sees no rows but its own, and writes none", async () => {
  const bots = await house.people.bots.list();
  const other = `software_dev.buildbot:${bots.find(({ name }) => name === "one")?.id}`;
  const own = `software_dev.buildbot:${bots.find(({ name }) => name === "eve")?.id}`;
  const [row] = await house.people.bots.command({ bot: "eve", method: "ping" });
  const store = createRemoteStore(eve);
  const agent = { agent: "one", incarnation: "eve-1" };
  // Each either rejects, or gives an error, or nothing, in the place of each item.
  const attempts: Record<string, () => Promise<unknown>> = {
    subscribe: () => store.subscribe({ ...agent, address: other }),
    unsubscribe: () => store.unsubscribe({ agent: "one", address: other }),
    claim: () => store.claim([{ ...agent, address: other, max: 10, leaseMs: 60_000 }]),
    keepAlive: () => store.keepAlive([{ ...agent, address: other }]),
    insert: () => store.insert([{ address: other, method: "shutdown", expiresMs: 60_000 }]),
    insertOwn: () => store.insert([{ address: own, method: "shutdown", expiresMs: 60_000 }]),
    cancel: () => store.cancel([{ id: row?.id ?? 0, reason: "eve" }]),
    list: () => store.list({}),
    read: () => store.read([row?.id ?? 0]),
    listAgents: () => store.listAgents(),
    pause: () => store.pauseAddress(other, true),
    remove: () => store.removeAddress(other),
    prune: () => store.prune({}),
    publish: () => store.publish([`command on: ${other}`]),
    migrate: () => store.migrate(),
  };
  for (const [verb, attempt] of Object.entries(attempts)) {
    const got = await attempt().catch((error: unknown) => error);
    const all: unknown[] = Array.isArray(got) ? got : [got];
    for (const each of all) {
      expect([verb, each instanceof Error || each === undefined ? "refused" : each]).toEqual([verb, "refused"]);
    }
  }
  await store.close();
  // Who is asked is still there, and hears.
  const [ping] = await house.people.bots.command({ bot: "one", method: "ping" });
  await until(async () =>
    (await house.people.bots.commands({})).some(({ id, state }) => id === ping?.id && state === "done"),
  );
});

test("a bot writes for no build but its own", async () => {
  const desk = createClient(Desk, eve);
  await desk.hello({
    incarnation: "eve-1",
    about: { os: "\u202Ehax", ["x".repeat(5000)]: "y".repeat(5000) },
    running: [build.id],
  });
  for (const shown of ["eve-1", incarnation]) {
    const writer = { build: build.id, incarnation: shown };
    const attempts = [
      desk.began({ ...writer, revision: "", subject: "eve", author: "eve" }),
      desk.stepEnded({ ...writer, seq: 1, at: 1, results: "success", summary: "eve" }),
      desk.appendLog({ ...writer, seq: 1, offset: 20, pieces: [{ stream: "out", text: "lies\n" }] }),
      desk.setProperties({ ...writer, properties: { eve: "was here" } }),
      desk.addTests({ ...writer, part: 0, tests: [{ step: 1, suite: "eve", name: "eve", state: "fail" }] }),
      desk.finished({ ...writer, at: 1, results: "failure", summary: "eve" }),
      desk.uploadArtefact([{ ...writer, name: "x", bytes: 1, sha256: "0".repeat(64) }, { chunk: Buffer.from("x") }]),
    ];
    for (const attempt of attempts) expect((await failure(attempt)).reason).toBe("BuildLost");
  }
  await house.force("honest");
  expect(await desk.claim({ incarnation: "eve-1", max: 64 })).toEqual([]);
});

test("names of artefacts lead nowhere", async () => {
  const desk = createClient(Desk, eve);
  await desk.hello({ incarnation: "eve-1", about: {}, running: [] });
  await house.force("eves");
  const [order] = await desk.claim({ incarnation: "eve-1", max: 1 });
  const writer = { build: order?.build ?? 0, incarnation: "eve-1" };
  await desk.began({ ...writer, revision: "f00d", subject: "", author: "" });
  const before = filesOf(house.folder);
  const sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
  for (const name of [
    "../../bots.key",
    "/etc/passwd",
    "a/../../b",
    "..",
    ".",
    "a//b",
    "a\0b",
    String.raw`..\..\b`,
    "C:/b",
    "\u202Eb",
    "x".repeat(501),
  ]) {
    const error = await failure(
      desk.uploadArtefact([{ ...writer, name, bytes: 1, sha256 }, { chunk: Buffer.from("x") }]),
    );
    expect([name, error.code]).toEqual([name, "INVALID_ARGUMENT"]);
  }
  for (const digest of [
    "../".repeat(20),
    "../../../../../../../../../../../../../../../../../../../../../a",
    "A".repeat(64),
  ]) {
    const error = await failure(
      desk.uploadArtefact([{ ...writer, name: "x", bytes: 1, sha256: digest }, { chunk: Buffer.from("x") }]),
    );
    expect(error.code).toBe("INVALID_ARGUMENT");
  }
  expect(filesOf(house.folder)).toEqual(before);
  await desk.uploadArtefact([{ ...writer, name: "a/..b/c", bytes: 1, sha256 }, { chunk: Buffer.from("x") }]);
  const get = async (path: string): Promise<number> => {
    const { status } = await raw(
      house.pageUrl,
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(house.pageUrl).host}\r\nAuthorization: Bearer ${house.admin}\r\nConnection: close\r\n\r\n`,
    );
    return status;
  };
  expect(await get(`/artefacts/${writer.build}/a/..b/c`)).toBe(200);
  const key = readFileSync(join(house.data, "bots.key"));
  expect(key).toHaveLength(32);
  for (const path of [
    `/artefacts/${writer.build}/../../bots.key`,
    `/artefacts/${writer.build}/..%2f..%2fbots.key`,
    `/artefacts/..%2f..%2fbots.key`,
    `/raw/..%2f..%2f/1`,
    `/raw/${writer.build}/%2e%2e`,
    `/%2e%2e/%2e%2e/etc/passwd`,
    `/assets/..%5c..%5cbots.key`,
  ]) {
    expect([path, [400, 404].includes(await get(path))]).toEqual([path, true]);
  }
  await desk.finished({ ...writer, at: 1, results: "success", summary: "" });
});

test("huge frames, garbage and silence end their own connections, and take no memory", async () => {
  const before = residentMib(house.server.pid);
  const huge = Buffer.alloc(4 + 64 * 1024, 0x41);
  const port = Number(new URL(house.tcpUrl).port);
  // Announced lengths that nobody is to believe; what follows is refused before it is kept.
  for (const length of [0xff_ff_ff_ff, 0x7f_ff_ff_ff, 5 * 1024 * 1024, 0]) {
    huge.writeUInt32BE(length, 0);
    const flood = await Promise.all(Array.from({ length: 25 }, () => flooded(port, huge, 200)));
    expect(flood.every((wasClosed) => wasClosed)).toBe(true);
  }
  // Many that say nothing: the server ends them by itself, after ten seconds; meanwhile others come in.
  const silent = await Promise.all(Array.from({ length: 200 }, () => opened(port)));
  expect((await house.people.users.whoami()).name).toBe("admin");
  const late = enter(house.tokenOf("eve"));
  expect((await createClient(Desk, late).hello({ incarnation: "eve-1", about: {}, running: [] })).name).toBe("eve");
  await late.close();
  for (const socket of silent) socket.destroy();
  // One message of more than the limit, from somebody who is let in: his call fails, at his end or ours.
  const desk = createClient(Desk, eve);
  await failure(desk.hello({ incarnation: "eve-1", about: { x: "y".repeat(8 * 1024 * 1024) }, running: [] }));
  expect((await desk.hello({ incarnation: "eve-1", about: {}, running: [] })).name).toBe("eve");
  const host = new URL(house.pageUrl).host;
  for (const [request, statuses] of [
    [`GET / HTTP/1.1\r\nHost: ${host}\r\nx: ${"y".repeat(1024 * 1024)}\r\n\r\n`, [431, 400]],
    [
      `POST /login HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n${"y".repeat(100_000)}`,
      [413],
    ],
    [
      `POST /webhook/source HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9999999999\r\n\r\n${"y".repeat(100_000)}`,
      [413],
    ],
    [
      `POST /RPC2 HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/xml\r\nContent-Length: 9999999999\r\n\r\n${"<".repeat(100_000)}`,
      [401, 413],
    ],
  ] as const) {
    const { status } = await raw(house.pageUrl, request);
    expect([request.slice(0, 30), status, (statuses as readonly number[]).includes(status)]).toEqual([
      request.slice(0, 30),
      status,
      true,
    ]);
  }
  const socket = new WebSocket(`${house.pageUrl.replace("http", "ws")}/ws`, "rpc.v1.json");
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  socket.addEventListener("open", () => socket.send("x".repeat(16 * 1024 * 1024)));
  expect(await closed).not.toBe(1000);
  expect(residentMib(house.server.pid) - before).toBeLessThan(MOST_GROWTH_MIB);
  expect(house.server.child.exitCode).toBeNull();
  expect((await fetch(`${house.pageUrl}/health`)).status).toBe(200);
});

test("whatever was tried, an honest build ends as if nothing had been", async () => {
  house.open("over");
  const ended = await house.ended(request);
  expect(ended).toMatchObject({ id: build.id, results: "success", bot: "one", artefacts: [] });
  expect((await house.log(build.id, 1)).split("\n").filter((line) => !line.startsWith("$"))).toEqual([
    "secret of the house",
    "bye",
    expect.stringMatching(/^success/) as string,
  ]);
});

/** All but what honest programs write meanwhile. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^bots\/one|^data\/(logs|buildbot\.db)/.test(name))
    .toSorted();
}

function residentMib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

/** Sends it again and again. Whether the other end has closed. */
async function flooded(port: number, bytes: Buffer, times: number): Promise<boolean> {
  const socket = await opened(port);
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(true));
    socket.resume();
    for (let count = 0; count < times && !socket.destroyed; count += 1) socket.write(bytes);
  });
}

/** One request as it stands, for what a client would not send. */
async function raw(url: string, text: string): Promise<{ status: number }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(port), hostname, () => socket.write(text));
    let got = "";
    const done = (): void => {
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(got)?.[1]);
      if (Number.isNaN(status)) return;
      socket.destroy();
      resolve({ status });
    };
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      got += chunk;
      done();
    });
    socket.on("error", (error) => (got === "" ? reject(error) : done()));
    socket.on("close", () => (got === "" ? reject(new Error("closed without an answer")) : done()));
  });
}

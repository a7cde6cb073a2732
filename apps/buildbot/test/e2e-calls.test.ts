// Bots that have nothing but HTTP requests, and bots whose better way is shut for a while: real processes, and rows of those who mean harm.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createClient, type RpcError, type Transport } from "@rpc/core";
import { createRemoteStore } from "@rpc/db-queue";
import { createXmlRpcTransport, xmlRpcProxy } from "@rpc/xmlrpc";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Desk } from "../src/contracts/bot.ts";
import type { CommandSummary } from "../src/contracts/values.ts";
import { sayingAllTexts } from "../src/contracts/xml-text.ts";
import { House, until } from "./e2e-rig.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let house: House;
const transports: Transport[] = [];

beforeAll(async () => {
  house = await House.start();
  const own = { bots: ["calls"] };
  await house.configure({
    whole: {
      ...own,
      steps: [
        {
          name: "colours",
          command: `printf '\\033[32mgreen\\033[0m\\n'; echo "\u001B[1mbold"; printf 'TAP version 14\\nok 1 - \\033[1ma\\n1..1\\n'`,
          tests: "tap",
        },
        { name: "much", command: "seq 1 200000" },
        {
          name: "make",
          command: "head -c 1500000 /dev/urandom > big.bin; sha256sum big.bin | cut -c 1-64; : > empty.bin",
          artefacts: ["*.bin"],
        },
      ],
    },
    stopped: { ...own, steps: [{ name: "sleep", command: "echo sleeping; sleep 600", killAfterSeconds: 1 }] },
    restart: {
      ...own,
      steps: [
        {
          name: "talk",
          command: `echo before; ${house.gate("restart")}; echo between; cp hello.txt made.txt`,
          artefacts: ["made.txt"],
        },
      ],
    },
    either: { bots: ["either"], steps: [{ name: "talk", command: "echo hello" }] },
    eves: { bots: ["eve"], steps: [{ name: "talk", command: "true" }] },
    honest: { bots: ["calls"], steps: [{ name: "talk", command: `echo mine; ${house.gate("honest")}` }] },
  });
  await house.startBot("calls", 4, house.pageUrl);
});

afterAll(async () => {
  for (const transport of transports) await transport.close();
  await house[Symbol.asyncDispose]();
});

async function pressed(bot: string, method: "ping" | "pause" | "resume" | "status"): Promise<CommandSummary> {
  const [{ id } = { id: 0 }] = await house.people.bots.command({ bot, method });
  const row = async () => (await house.people.bots.commands({ bot, limit: 100 })).find((each) => each.id === id);
  await until(async () => !["queued", "waiting", "claimed"].includes((await row())?.state ?? "queued"));
  const found = await row();
  if (found === undefined) throw new Error("the row has gone");
  return found;
}

describe("a bot that has nothing but HTTP requests", () => {
  test("builds, tells its log as it is, and keeps what it has made", async () => {
    const { id, results, steps, artefacts, tests } = await house.ended(await house.force("whole"));
    expect(results).toBe("success");
    expect(steps.map((step) => step.results)).toEqual(["success", "success", "success", "success"]);
    expect(await house.log(id, 1)).toContain("\u001B[32mgreen\u001B[0m\n\u001B[1mbold\n");
    expect(tests).toMatchObject({ pass: 1, fail: 0 });
    const much = await (await fetch(`${house.pageUrl}/raw/${id}/2`)).text();
    const lines = much.split("\n").filter((line) => /^\d+$/.test(line));
    expect(lines.length).toBe(200_000);
    expect(lines.every((line, at) => line === String(at + 1))).toBe(true);
    expect(Object.fromEntries(artefacts.map(({ name, bytes }) => [name, bytes]))).toEqual({
      "big.bin": 1_500_000,
      "empty.bin": 0,
    });
    const big = Buffer.from(await (await fetch(`${house.pageUrl}/artefacts/${id}/big.bin`)).arrayBuffer());
    expect(await house.log(id, 3)).toContain(createHash("sha256").update(big).digest("hex"));
  });

  test("hears commands at once, and stops what is to be stopped", async () => {
    const asked = performance.now();
    expect(await pressed("calls", "ping")).toMatchObject({ state: "done" });
    // It does not look every ten seconds, it waits.
    expect(performance.now() - asked).toBeLessThan(8_000);
    expect(await pressed("calls", "pause")).toMatchObject({ state: "done" });
    const request = await house.force("stopped");
    expect((await pressed("calls", "status")).outcome).toContain("true");
    expect((await house.people.builds.request({ id: request.id })).state).toBe("pending");
    expect(await pressed("calls", "resume")).toMatchObject({ state: "done" });
    const { id } = await house.running(request);
    await until(async () => (await house.log(id, 1)).includes("sleeping"));
    await house.people.builds.cancel({ id, reason: "nobody needs it" });
    expect(await house.ended(request)).toMatchObject({ id, results: "cancelled" });
  });

  test("goes on without the server, and tells it all when it is back", async () => {
    const request = await house.force("restart");
    const { id } = await house.running(request);
    await until(async () => (await house.log(id, 1)).includes("before"));
    await house.stopServer("SIGKILL");
    house.open("restart");
    await new Promise((resolve) => void setTimeout(resolve, 1_000));
    await house.startServer();
    const build = await house.ended(request);
    expect(build).toMatchObject({ id, results: "success" });
    expect(build.artefacts.map(({ name }) => name)).toEqual(["made.txt"]);
    expect(await house.log(id, 1)).toContain("before\nbetween\n");
    expect(await pressed("calls", "ping")).toMatchObject({ state: "done" });
  });

  test("is no more than a few lines of another language", async () => {
    await house.addBot("snake");
    const file = join(house.folder, "bot.py");
    writeFileSync(file, PYTHON);
    const url = house.pageUrl.replace("//", `//${house.tokenOf("snake")}@`);
    const [press] = await house.people.bots.command({ bot: "snake", method: "ping" });
    const out = execFileSync("python3", [file, `${url}/rpc/bots`], { encoding: "utf8" });
    expect(out).toBe("snake ping\n");
    const row = (await house.people.bots.commands({ bot: "snake" })).find(({ id }) => id === press?.id);
    expect(row).toMatchObject({ state: "done", outcome: expect.stringContaining("pong") as string });
  });
});

const PYTHON = `
import sys, xmlrpc.client
server = xmlrpc.client.ServerProxy(sys.argv[1], allow_none=True, use_builtin_types=True)
desk, queue = server.buildbot.v1.Desk, server.rpc.queue.v1.CommandService
me = desk.hello({"incarnation": "snake-1", "about": {}, "running": []})
agent = {"address": me["address"], "agent": me["name"], "incarnation": "snake-1"}
queue.subscribe(agent)
for command in queue.pop(agent):
    print(me["name"], command["method"])
    queue.pushResult({"id": command["id"], "token": command["token"], "result": "pong"})
`;

/** A way to the server that can be shut. */
class Gate {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #isShut = false;
  #answer = "";
  passed = 0;

  constructor(to: string) {
    const { hostname, port } = new URL(to);
    this.#server = createServer((near) => {
      if (this.#isShut) {
        near.on("error", () => undefined);
        near.once("data", () => void near.end(this.#answer));
        return;
      }
      this.passed += 1;
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) {
        this.#open.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => void this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get open(): number {
    return this.#open.size / 2;
  }

  /** `answer`: what somebody else says who listens there. */
  shut(answer = ""): void {
    this.#isShut = true;
    this.#answer = answer;
    for (const socket of this.#open) socket.destroy();
  }

  reopen(): void {
    this.#isShut = false;
  }

  close(): void {
    this.shut();
    this.#server.close();
  }
}

test.each(["tcp", "ws"] as const)("a bot whose %s is shut goes on by calls, and returns", async (wire) => {
  const gate = new Gate(wire === "tcp" ? house.tcpUrl : house.pageUrl);
  try {
    // As a proxy says that knows nothing of us.
    gate.shut("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    const better = `${wire}://127.0.0.1:${await gate.listen()}`;
    const bot = await house.startBot("either", 2, better, house.pageUrl);
    expect(await house.ended(await house.force("either"))).toMatchObject({ results: "success" });
    expect(gate.passed).toBe(0);
    gate.reopen();
    await until(() => gate.open > 0);
    expect(await house.ended(await house.force("either"))).toMatchObject({ results: "success" });
    expect(await pressed("either", "ping")).toMatchObject({ state: "done" });
    gate.shut();
    expect(await house.ended(await house.force("either"))).toMatchObject({ results: "success" });
    expect(await pressed("either", "ping")).toMatchObject({ state: "done" });
    gate.reopen();
    await until(() => gate.open > 0);
    expect(await bot.end("SIGTERM")).toBe(0);
  } finally {
    gate.close();
  }
});

describe("over calls, who means harm", () => {
  const failure = (promise: PromiseLike<unknown>): Promise<RpcError> =>
    Promise.resolve(promise).then(
      (value) => {
        throw new Error(`it was answered: ${JSON.stringify(value)}`);
      },
      (error: unknown) => error as RpcError,
    );
  function enter(token: string, path = "/rpc/bots"): Transport {
    const [user = "", password = ""] = token.split(":");
    const transport = sayingAllTexts(createXmlRpcTransport(house.pageUrl + path, { auth: { user, password } }));
    transports.push(transport);
    return transport;
  }

  test("comes in with no wrong token, and by no other's door", async () => {
    await house.addBot("eve");
    const right = house.tokenOf("calls");
    const wrong = [
      "calls:guess",
      `eve:${right.slice(6)}`,
      `calls:${house.admin}`,
      `admin:${house.admin}`,
      `:${right.slice(6)}`,
    ];
    for (const token of [...wrong, ...Array.from({ length: 200 }, (_, at) => `calls:guess-${at}`)]) {
      const error = await failure(createClient(Desk, enter(token)).repositories());
      expect([token, error.code]).toEqual([token, "UNAUTHENTICATED"]);
    }
    const bare = await fetch(`${house.pageUrl}/rpc/bots`, {
      method: "POST",
      headers: { "content-type": "text/xml" },
      body: "<x/>",
    });
    expect(bare.status).toBe(401);
    expect((await fetch(`${house.pageUrl}/rpc/bots`)).status).toBe(405);
    const other = xmlRpcProxy(`${house.pageUrl}/RPC2?db=buildbot`, {
      auth: { user: "calls", password: right.slice(6) },
    });
    expect((await failure(other.$call("software_dev.build.search", [], [[]]))).code).toBe("UNAUTHENTICATED");
    await other.$close();
    // The right one is let in all the same.
    expect(await createClient(Desk, enter(right)).repositories()).toHaveLength(1);
  });

  test("has no words but a bot's, and no rows but its own", async () => {
    const transport = enter(house.tokenOf("eve"));
    const { endpoint } = transport;
    const eve = xmlRpcProxy(endpoint, { auth: { user: "eve", password: house.tokenOf("eve").slice(4) } });
    for (const method of ["buildbot.v1.Builds.list", "buildbot.v1.Users.create", "software_dev.build.search"]) {
      expect([
        method,
        ["UNIMPLEMENTED", "NOT_FOUND", "PERMISSION_DENIED"].includes((await failure(eve.$call(method, {}))).code),
      ]).toEqual([method, true]);
    }
    await eve.$close();
    const bots = await house.people.bots.list();
    const other = `software_dev.buildbot:${bots.find(({ name }) => name === "calls")?.id}`;
    const store = createRemoteStore(transport);
    const agent = { agent: "calls", incarnation: "eve-1", address: other };
    const [claimed] = await store.claim([{ ...agent, max: 10, leaseMs: 60_000 }]).catch((error: unknown) => [error]);
    expect(claimed).toBeInstanceOf(Error);
    await expect(store.subscribe(agent)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(await store.list({})).toEqual([]);
    await store.close();
  });

  test("writes for no build but its own, under no name that leads elsewhere, and no more than it may", async () => {
    const request = await house.force("honest");
    const { id: build } = await house.running(request);
    await until(async () => (await house.log(build, 1)).includes("mine"));
    const incarnation = (await house.people.bots.list()).find(({ name }) => name === "calls")?.incarnation ?? "";
    const eve = createClient(Desk, enter(house.tokenOf("eve")));
    await eve.hello({ incarnation: "eve-1", about: {}, running: [build], kept: [{ build, incarnation }] });
    const sha256 = createHash("sha256").update("x").digest("hex");
    const chunk = Buffer.from("x");
    const head = { name: "x", bytes: 1, sha256, offset: 0, chunk };
    for (const shown of ["eve-1", incarnation]) {
      const writer = { build, incarnation: shown };
      for (const attempt of [
        eve.appendLog({ ...writer, seq: 1, offset: 0, pieces: [{ stream: "out", text: "lies\u001B[2J\n" }] }),
        eve.appendArtefact({ ...writer, ...head }),
        eve.finished({ ...writer, at: 1, results: "failure", summary: "eve" }),
      ]) {
        expect((await failure(attempt)).reason).toBe("BuildLost");
      }
    }
    await house.force("eves");
    const [order] = await eve.claim({ incarnation: "eve-1", max: 1 });
    const own = { build: order?.build ?? 0, incarnation: "eve-1", ...head };
    const lies = [
      { ...own, name: "../../bots.key" },
      { ...own, name: "a\u0000b" },
      { ...own, sha256: "../".repeat(20) },
      { ...own, bytes: -1 },
      { ...own, bytes: 0 },
      { ...own, offset: -1 },
      { ...own, offset: 1 },
      { ...own, offset: 2 ** 52 },
      { ...own, bytes: 2 ** 22, chunk: Buffer.alloc(1024 * 1024 + 1) },
      { ...own, bytes: 2 ** 31 },
    ];
    for (const lie of lies) {
      const { code } = await failure(eve.appendArtefact(lie));
      expect([lie.name, lie.offset, lie.bytes, ["INVALID_ARGUMENT", "FAILED_PRECONDITION"].includes(code)]).toEqual([
        lie.name,
        lie.offset,
        lie.bytes,
        true,
      ]);
    }
    expect((await failure(eve.appendArtefact({ ...own, chunk: Buffer.from("y") }))).code).toBe("DATA_LOSS");
    expect((await failure(eve.appendArtefact({ ...own, bytes: 2 ** 24, chunk: Buffer.alloc(2 ** 24) }))).code).toBe(
      "RESOURCE_EXHAUSTED",
    );
    expect(await eve.appendArtefact(own)).toEqual({ size: 1 });
    await eve.finished({ build: own.build, incarnation: "eve-1", at: 1, results: "success", summary: "" });
    house.open("honest");
    expect(await house.ended(request)).toMatchObject({ id: build, results: "success", artefacts: [] });
  });

  test("a bot that is removed is out at the next call, and its old secret with it", async () => {
    await house.addBot("mayfly");
    const before = house.tokenOf("mayfly");
    const desk = createClient(Desk, enter(before));
    expect(await desk.repositories()).toHaveLength(1);
    await house.people.bots.remove({ name: "mayfly" });
    expect((await failure(desk.repositories())).code).toBe("UNAUTHENTICATED");
    await house.people.bots.create({ name: "mayfly" });
    expect((await failure(desk.repositories())).code).toBe("UNAUTHENTICATED");
  });

  test("a bot shows its secret to no other machine without TLS", async () => {
    const bot = house.run([
      "bot",
      "--server",
      "http://192.0.2.7:8010",
      "--token",
      "x:y",
      "--dir",
      join(house.folder, "x"),
    ]);
    expect(await bot.ended).not.toBe(0);
    expect(bot.err).toContain("only over https://");
  });
});

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import { curveKeyPair, Dealer } from "zeromq";
import { readConfig, UsageError } from "../src/broker/command/config.ts";

const PROGRAM = join(import.meta.dirname, "..", "bin", "rpc-mdp-broker.js");
const folder = mkdtempSync(join(tmpdir(), "rpc-mdp-broker-"));

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const { PATH = "" } = process.env;
  return spawn(process.execPath, [PROGRAM, ...args], { env: { PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] });
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; out: string; error: string }> {
  let out = "";
  let error = "";
  child.stdout?.on("data", (text: Buffer) => (out += text.toString()));
  child.stderr?.on("data", (text: Buffer) => (error += text.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, error };
}

/** The next lines of what a program says, as many as wanted. */
async function lines(child: ChildProcess, count: number): Promise<string[]> {
  const said: string[] = [];
  if (child.stdout === null) throw new Error("There is no pipe.");
  const reader = createInterface({ input: child.stdout });
  for await (const line of reader) {
    said.push(line);
    if (said.length === count) break;
  }
  return said;
}

describe("rpc-mdp-broker", () => {
  it("serves until a signal ends it, and says goodbye to its workers", async () => {
    const keys = curveKeyPair();
    const friend = curveKeyPair();
    const child = start([
      "tcp://127.0.0.1:*",
      "--curve-key",
      file("broker.key", `${keys.secretKey}\n`),
      "--admit-keys",
      file("friends", `# who may come in\n${friend.publicKey}\n`),
      "--rule",
      "echo=register,request",
      "--client-endpoint",
      "tcp://127.0.0.1:*",
    ]);
    const [first = "", second = ""] = await lines(child, 2);
    expect(first).toMatch(/^listening at tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(second).not.toBe(first);
    const worker = new Dealer({
      linger: 0,
      curveServerKey: keys.publicKey,
      curvePublicKey: friend.publicKey,
      curveSecretKey: friend.secretKey,
    });
    worker.connect(first.replace("listening at ", ""));
    await worker.send([Buffer.alloc(0), "MDPW01", Buffer.of(1), "else"]);
    expect((await worker.receive()).at(-1)).toEqual(Buffer.of(5));
    await worker.send([Buffer.alloc(0), "MDPW01", Buffer.of(1), "echo"]);
    await worker.send([Buffer.alloc(0), "MDPC01", "mmi.service", "echo"]);
    expect((await worker.receive()).at(-1)?.toString()).toBe("200");
    const ended = outcome(child);
    child.kill("SIGTERM");
    expect((await worker.receive()).at(-1)).toEqual(Buffer.of(5));
    expect((await ended).code).toBe(0);
    worker.close();
  });

  it.each([
    [["--max-queue", "many"], "whole number", 2],
    [["--dialect", "zmq"], "Allowed choices are auto, rfc7", 2],
    [["--rule", "echo"], "service=register,request", 2],
    [["--config", join(folder, "nowhere")], "cannot read", 2],
    [["--curve-key", "x"], "belong together", 2],
    [["tcp://0.0.0.0:*"], "allowInsecure", 1],
    [["tcp://127.0.0.1:99999999"], "cannot listen", 1],
  ])("%j: one line that says what is wrong", async (args, text, code) => {
    const { code: ended, out, error } = await outcome(start(args));
    expect([ended, out]).toEqual([code, ""]);
    expect(error).toContain(text);
    expect(error).toMatch(/^[^\n]+\n$/);
  });

  it("takes its endpoint from the environment, and a password file", async () => {
    const env = { RPC_MDP_ENDPOINT: "tcp://127.0.0.1:*" };
    const child = start(["--passwords", file("passwords", "igor:se:same\n"), "--stats", "0.05"], env);
    const [where, stats] = await lines(child, 2);
    expect(where).toContain("tcp://127.0.0.1:");
    expect(JSON.parse(stats ?? "")).toMatchObject({ workers: 0, counters: { received: 0 } });
    const ended = outcome(child);
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
  });

  it("says what it can do", async () => {
    expect(await outcome(start(["--help"]))).toMatchObject({
      code: 0,
      out: expect.stringContaining("--client-endpoint"),
    });
    expect(await outcome(start(["--version"]))).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("a file with options", () => {
  it("may be Domogik's", () => {
    const ini =
      "# the bus\n[domogik]\nip = 10.9.9.9\n\n[mq]\nip = 10.1.2.3\nreq_rep_port: 40499\n; ends\npub_port = 1\n[x]\nip=1";
    expect(readConfig(ini, "domogik.cfg")).toEqual({ endpoint: "tcp://10.1.2.3:40499" });
    expect(readConfig("[mq]\r\nip = *\r\n", "domogik.cfg").endpoint).toMatch(/^tcp:\/\/\d+\.\d+\.\d+\.\d+:40410$/);
  });

  it("may be JSON with the broker's own options", () => {
    const options = { endpoint: "ipc:///tmp/x", heartbeatMs: 500, services: { s: { maxQueue: 1 } } };
    expect(readConfig(JSON.stringify(options), "broker.json")).toEqual(options);
  });

  it.each([
    ["", "no section [mq]"],
    ["[other]\nip = 1", "no section [mq]"],
    ["[mq]\nis_master = False", "another machine"],
    ["[mq]\nreq_rep_port = many", "req_rep_port"],
    ["{", "no JSON"],
    ['{"heartbeat": 1}', '"heartbeat"'],
    ['{"heartbeatMs": "1"}', "to be a number"],
    ['{"services": null}', "to be a object"],
    ['{"__proto__": {}}', "__proto__"],
  ])("%j: what is wrong with it", (text, problem) => {
    expect(() => readConfig(text, "file")).toThrow(UsageError);
    expect(() => readConfig(text, "file")).toThrow(problem);
  });
});

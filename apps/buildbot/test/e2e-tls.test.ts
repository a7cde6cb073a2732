// A server with a certificate, as `--tls-cert` and `--tls-key` make it, and who comes to it over TLS: a bot, people, and those who should not.
import { readFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { House, type Program } from "./e2e-rig.ts";

// Processes start slowly where many others run.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const CERTIFICATES = join(import.meta.dirname, "..", "..", "..", "packages", "tcp", "test", "certificates");
const AUTHORITY = join(CERTIFICATES, "authority.pem");
const [CERT, KEY] = [join(CERTIFICATES, "server.pem"), join(CERTIFICATES, "server.key")];

let house: House;
beforeAll(async () => {
  house = await House.start({ serverArgs: ["--tls-cert", CERT, "--tls-key", KEY], caFile: AUTHORITY });
});
afterAll(() => house[Symbol.asyncDispose]());

const done = async (program: Program) => ({ code: await program.ended, out: program.out, err: program.err });
const command = (url: string, ...args: string[]): Program =>
  house.run([...args, "--url", url], { BUILDBOT_TOKEN: house.admin });

test("a build is wished for, run, kept and read over TLS alone", async () => {
  expect(house.tcpUrl).toMatch(/^tcps:\/\//);
  await house.startBot("one");
  await house.configure({
    tests: { steps: [{ name: "say", command: "cat hello.txt; cp hello.txt kept.txt", artefacts: ["kept.txt"] }] },
  });
  const wished = await done(command(house.tcpUrl, "trigger", "tests", "--wait", "--ca", AUTHORITY));
  expect([wished.code, wished.err]).toEqual([0, ""]);
  const { out } = await done(command(house.tcpUrl, "log", "tests", "--ca", AUTHORITY));
  expect(out.split("\n")).toContain("hello");
  const [build] = await house.people.builds.list({ limit: 1 });
  const { artefacts } = await house.people.builds.get({ id: build?.id ?? 0 });
  expect(artefacts).toMatchObject([{ name: "kept.txt", bytes: 6 }]);
});

test("who does not know the certificate, or does not ask for one, tells no token and is told why", async () => {
  const plain = house.tcpUrl.replace("tcps:", "tcp:");
  const bot = ["bot", "--token", await house.addBot("two"), "--dir", join(house.folder, "two")];
  for (const [program, code, message] of [
    [house.run([...bot, "--server", house.tcpUrl]), 3, /certificate.*--ca/],
    [
      house.run([...bot, "--server", house.tcpUrl, "--ca", join(house.folder, "none.pem")]),
      2,
      /none\.pem cannot be read/,
    ],
    [command(house.tcpUrl, "status"), 3, /certificate.*--ca/],
    [command(plain, "status"), 3, /./],
    [command(house.tcpUrl, "status", "--ca", join(CERTIFICATES, "elsewhere.pem")), 3, /certificate/],
    [command(house.tcpUrl, "status", "--ca", join(house.folder, "nothing.pem")), 2, /nothing\.pem cannot be read/],
  ] as const) {
    const ended = await done(program);
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(message)]);
    expect(ended.err).not.toContain(house.admin);
  }
});

test("a bot of plain HTTP comes by a proxy that speaks TLS, and ends where it does not know the proxy or the server not it", async () => {
  const { hostname, port } = new URL(house.pageUrl);
  const proxy = createServer({ cert: readFileSync(CERT), key: readFileSync(KEY) }, (near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const https = `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  await house.configure({
    called: {
      bots: ["called"],
      steps: [{ name: "say", command: "cat hello.txt; cp hello.txt kept.txt", artefacts: ["kept.txt"] }],
    },
  });
  const bot = await house.startBot("called", 2, https);
  const build = await house.ended(await house.force("called"));
  expect(build).toMatchObject({ results: "success", artefacts: [{ name: "kept.txt", bytes: 6 }] });
  expect(await bot.end("SIGTERM")).toBe(0);
  const args = ["bot", "--server", https, "--dir", join(house.folder, "bots", "called")];
  const right = { BUILDBOT_TOKEN: house.tokenOf("called") };
  const stranger = await done(house.run([...args, "--ca", AUTHORITY], { BUILDBOT_TOKEN: "called:guess" }));
  expect([stranger.code, stranger.err]).toEqual([3, expect.stringContaining("does not know this token")]);
  const unsure = await done(house.run(args, right));
  expect([unsure.code, unsure.err]).toEqual([3, expect.stringMatching(/certificate.*--ca/)]);
  proxy.close();
});

test("what is no certificate, or half of one, keeps the server from starting", async () => {
  const server = (...tls: string[]): Program =>
    house.run(["server", "--data", join(house.folder, "other"), "--http", ":0", "--tcp", ":0", ...tls]);
  for (const [program, code, message] of [
    [server("--tls-cert", CERT), 2, /go together/],
    [server("--tls-cert", CERT, "--tls-key", join(house.folder, "nothing")), 2, /nothing cannot be read/],
    [server("--tls-cert", CERT, "--tls-key", join(CERTIFICATES, "client.key")), 3, /tls.*is not usable/],
    [server("--tls-cert", join(house.folder, "source", "hello.txt"), "--tls-key", KEY), 3, /tls.*is not usable/],
  ] as const) {
    const ended = await done(program);
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(message)]);
    expect(ended.err).not.toContain(readFileSync(KEY, "utf8").split("\n")[1]);
  }
});

import { createHash, createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { duplexPair, PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bodies, Busy, TooLarge } from "../src/server/http/answers.ts";
import { type HttpParts, HttpServer } from "../src/server/http/http-server.ts";
import { ServerRig } from "./server-rig.ts";

let rig: ServerRig;
beforeAll(async () => {
  rig = await ServerRig.start();
  await rig.configure();
});
afterAll(() => rig[Symbol.asyncDispose]());

const get = (path: string, headers: Record<string, string> = {}) => fetch(rig.server.httpUrl + path, { headers });

/** As it stands: `fetch` would make paths straight first. */
async function raw(path: string, headers = "", method = "GET"): Promise<string> {
  const { host, hostname, port } = new URL(rig.server.httpUrl);
  const socket = connect(Number(port), hostname);
  const hostLine = /^host:/im.test(headers) ? "" : `Host: ${host}\r\n`;
  socket.write(`${method} ${path} HTTP/1.1\r\n${hostLine}Connection: close\r\n${headers}\r\n`);
  return text(socket);
}

describe("the page's files", () => {
  test("are served with a policy, for ever or not", async () => {
    const page = await get("/");
    expect(await page.text()).toContain("the page");
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    expect(page.headers.get("x-frame-options")).toBe("DENY");
    const script = await get("/assets/index-1a2b.js");
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(script.headers.get("cache-control")).toContain("immutable");
  });

  test("are packed for whoever can unpack them", async () => {
    const script = await raw("/assets/index-1a2b.js", "Accept-Encoding: br, gzip\r\n");
    expect(script).toMatch(/^content-encoding: gzip\r$/im);
    expect(script).toMatch(/^vary: accept-encoding\r$/im);
    const plain = await raw("/assets/index-1a2b.js", "Accept-Encoding: br, identity\r\n");
    expect(plain).not.toMatch(/^content-encoding:/im);
    expect(await (await get("/", { "accept-encoding": "gzip" })).text()).toContain("the page");
  });

  test("the page answers at all of its own addresses, and nothing at others", async () => {
    for (const path of ["/builders/walls", "/builds/7", "/bots/a.b"]) {
      expect(await (await get(path, { accept: "text/html" })).text()).toContain("the page");
    }
    for (const path of ["/assets/other.js", "/favicon.gif"])
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    expect((await fetch(`${rig.server.httpUrl}/`, { method: "DELETE" })).status).toBe(405);
    expect((await fetch(`${rig.server.httpUrl}/`, { method: "POST" })).status).toBe(405);
    expect(await raw("/", "", "HEAD")).toMatch(/\r\n\r\n$/);
  });

  test("a page that has not been built is a sentence", async () => {
    await using bare = await ServerRig.start({ webFolder: "/nowhere" });
    const answer = await fetch(`${bare.server.httpUrl}/`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain("has not been built");
    expect(await (await fetch(`${bare.server.httpUrl}/health`)).json()).toEqual({ status: "ok" });
  });

  test("no path leads out of them", async () => {
    const paths = [
      "/../bots.key",
      "/..%2fbots.key",
      "/%2e%2e/bots.key",
      "/assets/..%5c..%5cbots.key",
      "//bots.key",
      "/a%00b",
      "/%ff",
      "*",
      "http://x/",
    ];
    for (const path of paths) {
      const answer = await raw(path, "Accept: */*\r\n");
      expect(answer).toMatch(/^HTTP\/1\.1 (?:4\d\d |200 [^]*the page)/);
    }
  });
});

describe("logs and artefacts", () => {
  const script = "<script>alert(1)</script>\u001B[31mred\n";
  let build = 0;
  beforeAll(async () => {
    const run = await rig.runningBuild();
    ({ build } = run);
    const writer = { build, incarnation: run.incarnation };
    await run.desk.stepBegan({ ...writer, seq: 1, name: "brick", at: 5 });
    await run.desk.appendLog({ ...writer, seq: 1, offset: 0, pieces: [{ stream: "out", text: script }] });
    const bytes = Buffer.from("<html><script>alert(2)</script>");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await run.desk.uploadArtefact([
      { ...writer, name: "out/report é.html", bytes: bytes.length, sha256 },
      { chunk: bytes },
    ]);
    await run.desk.finished({ ...writer, at: 9, results: "failure", summary: "" });
  });

  test("a log is text, whatever stands in it", async () => {
    const answer = await get(`/raw/${build}/1`);
    expect(await answer.text()).toBe(script);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-security-policy")).toContain("sandbox");
    // Made by the order, and without a line so far.
    expect(await (await get(`/raw/${build}/0`)).text()).toBe("");
    for (const path of [
      `/raw/${build}/99`,
      "/raw/99/1",
      "/raw/1",
      "/raw/x/1",
      "/raw/-1/1",
      `/raw/${build}/1/2`,
      "/raw/1e9/1",
      "/raw",
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });

  test("an artefact is a file to be kept", async () => {
    const answer = await get(`/artefacts/${build}/out/report%20%C3%A9.html`);
    expect(await answer.text()).toContain("alert(2)");
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(answer.headers.get("content-disposition")).toMatch(/^attachment;/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    for (const path of ["/out", "/../../bots.key", "/..%2f..%2fbots.key", "/", ""]) {
      const refused = await raw(`/artefacts/${build}${path}`);
      expect(refused).toMatch(/^HTTP\/1\.1 40[04]/);
    }
  });

  test("a badge says how the last build ended, and nothing that its name says", async () => {
    const badge = await get("/badge/walls.svg");
    expect(badge.headers.get("content-type")).toBe("image/svg+xml");
    expect(await badge.text()).toContain("walls: failure");
    expect(await (await get("/badge/roof.svg")).text()).toContain("roof: unknown");
    for (const path of ["/badge/cellar.svg", "/badge/walls", "/badge/", "/badge/%3Cscript%3E.svg"]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });
});

describe("a webhook", () => {
  const commit = (digit: string) => ({
    id: digit.repeat(40),
    message: `Change ${digit}\n\nbecause`,
    timestamp: "2026-01-01T10:00:00+01:00",
    author: { name: "Ann", email: "ann@example.com" },
  });
  const push = (ref: string, digits: string) => ({
    ref,
    after: (digits.at(-1) ?? "0").repeat(40),
    commits: Array.from(digits, commit),
  });
  const send = (
    payload: unknown,
    options: { secret?: string; to?: string; headers?: Record<string, string>; gitea?: boolean } = {},
  ) => {
    const { secret = "mortar", to = "house", headers = {}, gitea = false } = options;
    const body = typeof payload === "string" ? payload : JSON.stringify(payload);
    const digest = createHmac("sha256", secret).update(body).digest("hex");
    const signature: Record<string, string> = gitea
      ? { "x-gitea-signature": digest, "x-gitea-event": "push" }
      : { "x-hub-signature-256": `sha256=${digest}`, "x-github-event": "push" };
    return fetch(`${rig.server.httpUrl}/webhook/${to}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...signature, ...headers },
      body,
    });
  };

  test("adds commits, and the schedulers see them", async () => {
    const { house, builds } = rig.people(rig.admin);
    const queued = builds.queueChanged.subscribe();
    await queued.ready;
    expect(await (await send(push("refs/heads/main", "123"))).json()).toEqual({ added: 3 });
    expect(await (await send(push("refs/heads/main", "123"))).json()).toEqual({ added: 0 });
    for await (const request of queued) {
      expect(request).toMatchObject({ builder: "walls", revision: "3".repeat(40), submittedBy: "scheduler" });
      break;
    }
    // Gitea names the newest first.
    const gitea = { ...push("refs/heads/main", "45"), commits: [commit("5"), commit("4")] };
    expect(await (await send(gitea, { gitea: true })).json()).toEqual({ added: 2 });
    const [newest] = await house.changes({ repository: "house", limit: 1 });
    expect(newest).toMatchObject({
      hash: "5".repeat(40),
      subject: "Change 5",
      author: "Ann <ann@example.com>",
      at: 1767258000000,
    });
  });

  test("passes over what is no branch that is looked at", async () => {
    for (const ref of ["refs/tags/v1", "refs/heads/playground", "main"]) {
      expect(await (await send(push(ref, "6"))).json()).toMatchObject({ added: 0 });
    }
    expect(await (await send({ ...push("refs/heads/main", "6"), deleted: true })).json()).toMatchObject({ added: 0 });
    expect(await (await send({ zen: "…" }, { headers: { "x-github-event": "ping" } })).json()).toMatchObject({
      added: 0,
    });
  });

  test("is refused without the right signature", async () => {
    const payload = push("refs/heads/main", "7");
    const wrong: Parameters<typeof send>[1][] = [
      { secret: "guess" },
      { to: "shed" },
      { to: "shed", secret: "" },
      { to: "cellar" },
      { to: "shed", secret: "none" },
      { headers: { "x-hub-signature-256": "" } },
      { headers: { "x-hub-signature-256": "sha256=ff" } },
      { headers: { "x-hub-signature-256": `sha256=${"é".repeat(32)}`.replaceAll("é", "zz") } },
    ];
    const statuses = await Promise.all(wrong.map(async (options) => (await send(payload, options)).status));
    expect(statuses).toEqual(wrong.map(() => 403));
    expect((await get("/webhook/house")).status).toBe(405);
  });

  test("says what is wrong with what is signed", async () => {
    expect((await send("{")).status).toBe(400);
    expect((await send({ ref: "refs/heads/main" })).status).toBe(400);
    const odd = { ...push("refs/heads/main", "8"), commits: [{ ...commit("8"), id: "../../etc" }] };
    expect((await send(odd)).status).toBe(400);
    expect((await send("{}", { headers: { "content-type": "text/plain" } })).status).toBe(415);
  });
});

describe("what comes from another machine", () => {
  /** What only who comes from here gets to: nobody has a token, and scripts are answered by anything. */
  const parts = {
    origins: [],
    webFolder: "",
    auth: { identityOf: () => Promise.resolve(undefined), callerOf: () => Promise.resolve(undefined) },
    xmlRpc: { node: (_: IncomingMessage, response: ServerResponse) => void response.end() },
  } as unknown as HttpParts;
  const other = async (words: string, remoteAddress: string): Promise<string> => {
    const { server } = new HttpServer(parts);
    const [near, far] = duplexPair();
    near.on("error", () => undefined);
    server.emit("connection", Object.assign(far, { remoteAddress }));
    near.write(words.replaceAll("\n", "\r\n"));
    const [first] = (await once(near, "data")) as [Buffer];
    near.destroy();
    return String(first).split("\r\n", 1)[0] ?? "";
  };
  const head = "Host: 192.0.2.7\nConnection: close\n";
  const LOGIN = `POST /login HTTP/1.1\n${head}Content-Type: application/json\nContent-Length: 16\n\n{"token":"abcd"}`;
  const WORDS: [string, string, string][] = [
    ["Bearer", `GET /raw/1/1 HTTP/1.1\n${head}Authorization: Bearer abcd\n\n`, "401"],
    ["Basic", `POST /RPC2 HTTP/1.1\n${head}Authorization: Basic YWRtaW46YWJjZA==\nContent-Length: 0\n\n`, "200"],
    ["a login", LOGIN, "401"],
    ["a login by another way", LOGIN.replace("login", "%6cogin"), "401"],
  ];

  test.each(WORDS)("without TLS has no token: %s", async (_, words, here) => {
    for (const address of ["192.0.2.8", "::ffff:192.0.2.8", "fd00::127.0.0.1", "::ffff:c000:208"]) {
      expect(await other(words, address)).toBe("HTTP/1.1 403 Forbidden");
    }
    for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      expect(await other(words, address)).toContain(here);
    }
  });
});

describe("bodies", () => {
  const request = (headers = {}): PassThrough & IncomingMessage =>
    Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;

  test("of all who come at the same time are no more than what is set", async () => {
    const bodies = new Bodies(10);
    const [first, second, third] = [request(), request(), request({ "content-length": "9" })];
    const kept = bodies.read(first, 8);
    first.write("12345678");
    await new Promise((resolve) => void setImmediate(resolve));
    const refused = bodies.read(second, 8);
    second.write("123");
    await expect(refused).rejects.toBeInstanceOf(Busy);
    await expect(bodies.read(third, 8)).rejects.toBeInstanceOf(TooLarge);
    first.end();
    expect(String(await kept)).toBe("12345678");
    const next = request();
    next.end("12345678");
    expect(String(await bodies.read(next, 8))).toBe("12345678");
  });
});

describe("a hostile page", () => {
  const upgrade = async (origin: string): Promise<string> => {
    const words = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: rpc.v1.json"];
    const key = `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`;
    const { host, hostname, port } = new URL(rig.server.httpUrl);
    const socket = connect(Number(port), hostname);
    const lines = [
      "GET /ws HTTP/1.1",
      `Host: ${host}`,
      "Connection: Upgrade",
      ...words,
      key,
      `Origin: ${origin}`,
      "",
      "",
    ];
    socket.write(lines.join("\r\n"));
    const [first] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return first.toString().slice("HTTP/1.1 ".length, "HTTP/1.1 ".length + 3);
  };

  test("of another origin gets no connection", async () => {
    expect(await upgrade(rig.server.httpUrl)).toBe("101");
    expect(await upgrade("http://evil.example")).toBe("403");
    expect(await upgrade("null")).toBe("403");
  });

  test("of a name that leads to this machine reads nothing", async () => {
    expect(await raw("/session", "Host: evil.example\r\n")).toMatch(/^HTTP\/1\.1 421/);
    expect(await raw("/raw/1/1", "Host: evil.example:80\r\n")).toMatch(/^HTTP\/1\.1 421/);
    const { port } = new URL(rig.server.httpUrl);
    expect(await raw("/session", `Host: localhost:${port}\r\n`)).toMatch(/^HTTP\/1\.1 200/);
  });

  test("behind a proxy, its own origin is the one that was said", async () => {
    await using proxied = await ServerRig.start({ origins: ["https://ci.example.com"] });
    const login = (origin: string) =>
      fetch(`${proxied.server.httpUrl}/login`, {
        method: "POST",
        headers: { "content-type": "application/json", origin, "x-forwarded-proto": "https" },
        body: JSON.stringify({ token: proxied.admin }),
      });
    const entered = await login("https://ci.example.com");
    expect(entered.status).toBe(200);
    expect(entered.headers.get("set-cookie")).toContain("Secure");
    expect((await login("https://evil.example.com")).status).toBe(403);
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, createRouter } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { Greeter, Phone, serving, transportTo } from "./greeter.ts";
import { AUTHORITY, bareServer, caught, certificate, freePort, SERVER, turns } from "./rig.ts";

const folder = mkdtempSync(join(tmpdir(), "rpc-tcp-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("calls", () => {
  it.each([
    ["IPv4", "tcp://127.0.0.1:0"],
    ["IPv6", "tcp://[::1]:0"],
    ["a name", "tcp://localhost:0"],
    ...(process.platform === "win32" ? [] : [["a Unix socket", `unix:${folder}/calls.sock`]]),
  ])("go over %s", async (_name, endpoint) => {
    const listener = await serving({ endpoint });
    const client = createClient(Greeter, transportTo(listener.endpoint));
    expect(await client.hello({ name: "Ada" })).toEqual({ text: "Hello Ada" });
    const numbers: number[] = [];
    for await (const number of client.count(500)) numbers.push(number);
    expect(numbers).toHaveLength(500);
  });

  it("go over mutual TLS", async () => {
    const tls = { ...SERVER, ca: AUTHORITY, requestCert: true };
    const listener = await serving({ endpoint: "tcps://127.0.0.1:0", tls });
    const own = { ca: AUTHORITY, key: certificate("client.key"), cert: certificate("client.pem") };
    const client = createClient(Greeter, transportTo(listener.endpoint, { tls: own }));
    expect(await client.hello({ name: "Ada" })).toEqual({ text: "Hello Ada" });
  });

  it("of one tick go out together and each gets its own answer", async () => {
    const listener = await serving();
    const client = createClient(Greeter, transportTo(listener.endpoint));
    const names = Array.from({ length: 200 }, (_, i) => `caller ${i}`);
    const replies = await Promise.all(names.map((name) => client.hello({ name })));
    expect(replies.map(({ text }) => text)).toEqual(names.map((name) => `Hello ${name}`));
  });

  it("of three megabytes come back", async () => {
    const listener = await serving();
    const client = createClient(Greeter, transportTo(listener.endpoint));
    const text = "x".repeat(3_000_000);
    expect(await client.echo(text)).toBe(text);
  });

  it("come back to the client that is called by its server", async () => {
    const listener = await serving();
    const serve = createRouter(Phone, { ring: () => "ring ring" });
    const client = createClient(Greeter, transportTo(listener.endpoint, { serve }));
    expect(await client.callBack()).toBe("ring ring");
  });
});

describe("createTcpTransport", () => {
  it("connects to nothing before the first call", async () => {
    let connections = 0;
    const endpoint = await bareServer(() => void connections++);
    transportTo(endpoint);
    await turns();
    expect(connections).toBe(0);
  });

  it.each(["http://127.0.0.1:1", "tcp://127.0.0.1:1?tls=1", "tcp://127.0.0.1"])(
    "C16 refuses %s when it is created",
    (endpoint) => {
      expect(() => transportTo(endpoint)).toThrow(/endpoint must be tcp:/);
    },
  );

  it("refuses an empty list, and TLS options without an endpoint for them", () => {
    expect(() => transportTo([])).toThrow(/list of endpoints is empty/);
    expect(() => transportTo("tcp://127.0.0.1:1", { tls: { ca: AUTHORITY } })).toThrow(/no endpoint is encrypted/);
  });

  it("names its endpoints", () => {
    expect(transportTo(["tcp://127.0.0.1:1", "unix:/run/bot.sock"]).endpoint).toBe(
      "tcp://127.0.0.1:1,unix:/run/bot.sock",
    );
  });

  it("C15 rejects a call with a sentence when nobody listens", async () => {
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const error = await caught(createClient(Greeter, transportTo(endpoint)).hello({ name: "Ada" }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(error.message).toContain(`nobody listens on ${endpoint}; is the server started?`);
  });

  it("goes to the next endpoint when the server on the first is gone", async () => {
    const first = await serving();
    const second = await serving();
    const client = createClient(Greeter, transportTo([first.endpoint, second.endpoint]));
    await client.hello({ name: "Ada" });
    expect([...first.peers]).toHaveLength(1);
    await first.close();
    // The goodbye may still be on its way; a call that meets it fails and the next one dials.
    await client.hello({ name: "Ada" }).catch(() => undefined);
    await client.hello({ name: "Ada" });
    expect([...second.peers]).toHaveLength(1);
  });

  it("works again after a restart of the server", async () => {
    const first = await serving();
    const client = createClient(Greeter, transportTo(first.endpoint));
    await client.hello({ name: "Ada" });
    await first.close();
    await serving({ endpoint: first.endpoint });
    await client.hello({ name: "Ada" }).catch(() => undefined);
    expect(await client.hello({ name: "Ada" })).toEqual({ text: "Hello Ada" });
  });

  it("H209 rejects a call UNAVAILABLE after connectTimeoutMs when the dial is never answered", async () => {
    const clock = createFakeClock();
    const silent = (await bareServer(() => undefined)).replace("tcp:", "tcps:");
    const call = caught(
      createClient(Greeter, transportTo(silent, { clock, connectTimeoutMs: 3_000 })).hello({ name: "Ada" }),
    );
    await turns();
    clock.advance(3_000);
    expect(await call).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(clock.pendingCount).toBe(0);
  });

  it("H211 leaves no socket when it is closed while dialing", async () => {
    const ended = Promise.withResolvers<void>();
    const silent = await bareServer((socket) =>
      socket
        .resume()
        .on("end", () => ended.resolve())
        .on("close", () => ended.resolve()),
    );
    const transport = transportTo(silent.replace("tcp:", "tcps:"));
    const call = caught(createClient(Greeter, transport).hello({ name: "Ada" }));
    await turns();
    await transport.close();
    await ended.promise;
    expect((await call).delivered).toBe("no");
  });

  it("H35 rejects UNAUTHENTICATED for an untrusted certificate and does not dial again by itself", async () => {
    const reports: string[] = [];
    const listener = await serving({
      endpoint: "tcps://127.0.0.1:0",
      tls: SERVER,
      onError: ({ message }) => reports.push(message),
    });
    const error = await caught(createClient(Greeter, transportTo(listener.endpoint)).hello({ name: "Ada" }));
    expect(error).toMatchObject({ code: "UNAUTHENTICATED", retryable: false });
    await turns(10);
    expect(reports.length).toBeLessThanOrEqual(1);
  });

  it("H35 rejects UNAUTHENTICATED when the server asks for a certificate and there is none", async () => {
    const tls = { ...SERVER, ca: AUTHORITY, requestCert: true };
    const listener = await serving({ endpoint: "tcps://127.0.0.1:0", tls });
    const client = createClient(Greeter, transportTo(listener.endpoint, { tls: { ca: AUTHORITY } }));
    const error = await caught(client.hello({ name: "Ada" }));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toMatch(/refused our certificate, or that we have none/);
  });

  it("H39 puts no secret into its endpoint or its errors", () => {
    expect(() => transportTo("tcp://bot:hunter2@127.0.0.1:1")).toThrow(/^(?!.*hunter2)/);
  });
});

describe("a handler that is not there", () => {
  it("is UNIMPLEMENTED, not a lost connection", async () => {
    const listener = await serving({}, createRouter(Phone, { ring: () => "" }));
    const error = await caught(createClient(Greeter, transportTo(listener.endpoint)).hello({ name: "Ada" }));
    expect(error.code).toBe("UNIMPLEMENTED");
  });
});

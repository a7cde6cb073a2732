import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { once } from "node:events";
import { createClient } from "@rpc/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { caught, Greeter, serving, transportTo } from "./rig.ts";

const pem = (name: string): string => readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8");
const ca = pem("authority.pem");
const server = { key: pem("server.key"), cert: pem("server.pem") };
const client = { key: pem("client.key"), cert: pem("client.pem") };
const endpoint = "wss://127.0.0.1:0/rpc";

describe("wss", () => {
  it("H35 tells the client's certificate as who it is", async () => {
    const listener = await serving({ endpoint, tls: { ...server, ca, requestCert: true } });
    const who = await createClient(Greeter, transportTo(listener.endpoint, { tls: { ca, ...client } })).who(undefined);
    expect(who).toMatch(/^CN=/);
  });

  it.each([
    ["untrusted", server, {}],
    ["expired", { key: pem("expired.key"), cert: pem("expired.pem") }, { ca }],
    ["for another host", { key: pem("elsewhere.key"), cert: pem("elsewhere.pem") }, { ca }],
  ])("H35 is UNAUTHENTICATED, and not tried again, when the server's certificate is %s", async (_name, own, tls) => {
    const listener = await serving({ endpoint, tls: own });
    const error = await caught(transportTo(listener.endpoint, { tls }).ready());
    expect([error.code, error.delivered]).toEqual(["UNAUTHENTICATED", "no"]);
    expect(error.message).toContain("certificate");
  });

  it("H35 reports a client that does not trust us, once", async () => {
    const reports: string[] = [];
    const listener = await serving({ endpoint, tls: server, onError: ({ message }) => reports.push(message) });
    await caught(transportTo(listener.endpoint).ready());
    await createClient(Greeter, transportTo(listener.endpoint, { tls: { ca } })).echo("trusted");
    expect(reports.length).toBeLessThanOrEqual(1);
  });

  it("attaches to a server of node:https, bound to its TLS connection", async () => {
    const https = createServer(server, (_request, response) => response.end("a page"));
    onTestFinished(() => void https.close());
    https.listen(0, "127.0.0.1");
    await once(https, "listening");
    const secret = "correct horse battery staple";
    const listener = await serving({ server: https, path: "/rpc", secret, channelBinding: "require" });
    expect(listener.endpoint).toMatch(/^wss:\/\/127\.0\.0\.1:\d+\/rpc$/);
    const options = { tls: { ca }, secret, channelBinding: "require" as const };
    expect(await createClient(Greeter, transportTo(listener.endpoint, options)).echo("bound")).toBe("bound");
  });

  it.each([
    ["ws://127.0.0.1:1", { tls: {} }],
    ["wss://127.0.0.1:1", { tls: { cert: "no certificate" } }],
  ])("refuses TLS options that cannot be: %s", async (to, options) => {
    const dial = async (): Promise<void> => transportTo(to, options).ready();
    expect((await caught(dial())).code).toBe("INVALID_ARGUMENT");
  });
});

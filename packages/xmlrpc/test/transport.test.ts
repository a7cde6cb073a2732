import { readFileSync } from "node:fs";
import { createClient, createRouter, defineContract, notification, RpcError, serverStream, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import {
  createXmlRpcTransport,
  serveXmlRpc,
  xmlRpcProxy,
  type XmlRpcListenerOptions,
  type XmlRpcTransport,
  type XmlRpcTransportOptions,
} from "../src/index.ts";
import { answerCalls, answerValue, stub, type Names } from "./stub-server.ts";

const Values = defineContract("test.Values", {
  typed: unary({
    input: z.object({ when: z.date(), big: z.bigint(), bytes: z.instanceof(Uint8Array), count: z.number() }),
    output: z.object({ when: z.date(), big: z.bigint(), bytes: z.instanceof(Uint8Array), count: z.number() }),
  }),
  order: unary({ input: z.object({ a: z.number(), b: z.number().optional(), c: z.string().optional() }) }),
  texts: unary({ output: z.object({ day: z.string(), code: z.string(), note: z.string().optional() }) }),
  list: unary({ output: z.array(z.object({ id: z.bigint(), at: z.date() })) }),
  strict: unary({ output: z.object({ id: z.bigint() }) }),
  tell: notification(),
});

function transportTo(url: string, options?: XmlRpcTransportOptions): XmlRpcTransport {
  const transport = createXmlRpcTransport(url, options);
  onTestFinished(() => transport.close());
  return transport;
}

async function serving(options: XmlRpcListenerOptions = {}): Promise<string> {
  const router = createRouter(Values, {
    typed: (input) => input,
    order: (input) => input,
    texts: () => ({ day: "", code: "" }),
    list: () => [],
    strict: () => ({ id: 1n }),
    tell: () => undefined,
  });
  const listener = await serveXmlRpc(router, options);
  onTestFinished(() => listener.close());
  return listener.endpoint;
}

describe("values of a contract", () => {
  for (const protocol of ["xml-rpc", "json-rpc", "json-2"] as const) {
    it(`carries dates, big integers and bytes there and back over ${protocol}`, async () => {
      const client = createClient(Values, transportTo(await serving(), { protocol }));
      const value = { when: new Date(1_000), big: 7n, bytes: Uint8Array.of(1, 2, 255), count: 2 ** 40 };
      expect(await client.typed(value)).toEqual(value);
    });
  }

  it("reads what a foreign server sends as the contract means it, and leaves alone what fits", async () => {
    const server = await stub(
      answerCalls((method) => {
        if (method === "test.Values.list")
          return [
            { id: 1, at: "2020-01-02T03:04:05Z" },
            { id: 2n, at: new Date(0) },
          ];
        if (method === "test.Values.texts") return { day: new Date(0), code: "20200102", note: null };
        return { id: "not a number" };
      }),
    );
    const client = createClient(Values, transportTo(server.url));
    expect(await client.list()).toEqual([
      { id: 1n, at: new Date("2020-01-02T03:04:05Z") },
      { id: 2n, at: new Date(0) },
    ]);
    expect(await client.texts()).toEqual({ day: "1970-01-01T00:00:00.000Z", code: "20200102" });
    // What nothing helps comes as it is, like on every transport: outputs are the server's to validate.
    expect(await client.strict()).toEqual({ id: "not a number" });
  });
});

describe("parameters", () => {
  it("sends an input as one parameter, none for undefined, and fields in the contract's order by option", async () => {
    const calls: unknown[] = [];
    const server = await stub(answerCalls((method, params) => (calls.push(params), method)));
    const struct = createClient(Values, transportTo(server.url));
    const positional = createClient(Values, transportTo(server.url, { params: "positional" }));
    await struct.order({ c: "x", a: 1 });
    await positional.order({ c: "x", a: 1 });
    await positional.order({ b: 2, a: 1 });
    await struct.texts();
    await positional.texts();
    expect(calls).toEqual([[{ a: 1, c: "x" }], [1, null, "x"], [1, 2], [], []]);
    const wrong = positional.order({ a: 1, d: 4 } as never);
    await expect(wrong).rejects.toMatchObject({ code: "INVALID_ARGUMENT", delivered: "no" });
  });

  it("is understood by the server in every form", async () => {
    const url = await serving();
    for (const options of [{}, { params: "positional" }, { protocol: "json-rpc" }] as const) {
      const client = createClient(Values, transportTo(url, options));
      expect(await client.order({ a: 1, c: "x" })).toEqual({ a: 1, c: "x" });
    }
    const db = xmlRpcProxy<Names>(url);
    onTestFinished(() => db.$close());
    expect(await db.test.Values.order(1, 2)).toEqual({ a: 1, b: 2 });
  });
});

describe("the life of a transport", () => {
  it("refuses streams when a contract is bound, with its sentence", async () => {
    const Streams = defineContract("s", { count: serverStream() });
    const transport = transportTo("http://127.0.0.1:1/RPC2");
    expect(() => createClient(Streams, transport)).toThrow(/HTTP carries one input and one output/);
    expect(transport.capabilities.duplex).toMatchObject({ unsupported: expect.stringContaining("database queue") });
  });

  it("settles a notification when it is handed over, and with ack when it was answered", async () => {
    const answers: (() => void)[] = [];
    const server = await stub((_, response) => answers.push(() => answerValue(response, null)));
    const client = createClient(Values, transportTo(server.url));
    expect(await client.tell(1)).toBe(undefined);
    let acknowledged = false;
    const call = client.tell(2, { ack: true }).then(() => (acknowledged = true));
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(acknowledged).toBe(false);
    for (const answer of answers) answer();
    await call;
  });

  it("sends JSON-RPC notifications without id and takes 204", async () => {
    const server = await stub((_, response) => response.writeHead(204).end());
    const client = createClient(Values, transportTo(server.url, { protocol: "json-rpc" }));
    await client.tell({ a: 1 });
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(JSON.parse(server.seen[0]?.body.toString() ?? "")).toEqual({
      jsonrpc: "2.0",
      method: "test.Values.tell",
      params: { a: 1 },
    });
  });

  it("lets running calls finish while it drains, and ends the rest after drainMs", async () => {
    const clock = createFakeClock();
    const answers: (() => void)[] = [];
    const server = await stub((_, response) => answers.push(() => answerValue(response, "late")));
    const transport = createXmlRpcTransport(server.url, { clock });
    const client = createClient(Values, transport);
    const both = [client.texts(), client.texts()];
    const calls = Promise.allSettled(both);
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const closing = transport.close({ drainMs: 1_000 });
    await expect(client.texts()).rejects.toMatchObject({ code: "FAILED_PRECONDITION", delivered: "no" });
    answers[0]?.();
    // The answer has arrived before the time is over.
    await Promise.race(both);
    while (clock.pendingCount === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
    await closing;
    const results = await calls;
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const lost = results.find((each) => each.status === "rejected");
    expect(lost?.reason).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(clock.pendingCount).toBe(0);
  });

  it("is ready at a server that does not know system.noop, and not at one that refuses us", async () => {
    const foreign = await stub((_, response) =>
      response
        .writeHead(200, { "content-type": "text/xml" })
        .end(
          "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value>unknown method</value></member></struct></value></fault></methodResponse>",
        ),
    );
    await transportTo(foreign.url).ready();
    const strict = await stub((_, response) => response.writeHead(401).end());
    await expect(transportTo(strict.url).ready()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

describe("TLS", () => {
  const pem = (name: string): Buffer => readFileSync(new URL(`../../tcp/test/certificates/${name}`, import.meta.url));
  const tls = { key: pem("server.key"), cert: pem("server.pem") };

  it("calls over https, and refuses a certificate that it does not know", async () => {
    const url = await serving({ endpoint: "https://127.0.0.1:0/RPC2", tls });
    const client = createClient(Values, transportTo(url, { tls: { ca: pem("authority.pem") } }));
    for (let i = 0; i < 3; i++) expect(await client.order({ a: i })).toEqual({ a: i });
    const error: unknown = await createClient(Values, transportTo(url))
      .order({ a: 1 })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "no", retryable: false });
    expect(RpcError.from(error).message).toContain("cannot be trusted");
  });

  it("says on one line that a server speaks no TLS", async () => {
    const url = (await serving({ endpoint: "http://127.0.0.1:0/RPC2" })).replace("http:", "https:");
    const error: unknown = await createClient(Values, transportTo(url))
      .order({ a: 1 })
      .catch((caught: unknown) => caught);
    expect(RpcError.from(error).message).toMatch(
      /^test\.Values\.order: https:\S+ is lost \([^\n]*EPROTO[^\n]*[^\s]\)$/,
    );
  });
});

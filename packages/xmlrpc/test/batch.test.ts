import { createClient, createMemoryTransport, createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { batch, createXmlRpcTransport, xmlRpcProxy, type XmlRpcTransportOptions } from "../src/index.ts";
import { answerCalls, answerFault, answerValue, type Stub, stub, type Names } from "./stub-server.ts";

const Shop = defineContract("shop", { add: unary(), fail: unary(), look: unary({ idempotent: true }) });

/** Runs single calls and multicalls, and keeps what it was asked. */
async function shop(): Promise<Stub & { readonly asked: unknown[] }> {
  const asked: unknown[] = [];
  const one = (method: string, params: readonly unknown[]): unknown => {
    if (method === "shop.fail") throw new RpcError("UNKNOWN", "it failed");
    return [method, ...params];
  };
  const server = await stub(
    answerCalls((method, params) => {
      asked.push([method, params]);
      if (method !== "system.multicall") return one(method, params);
      return (params[0] as { methodName: string; params: unknown[] }[]).map((call) => {
        try {
          return [one(call.methodName, call.params)];
        } catch {
          return { faultCode: -32_500, faultString: "it failed" };
        }
      });
    }),
  );
  return Object.assign(server, { asked });
}

function clientOf(server: Stub, options?: XmlRpcTransportOptions) {
  const transport = createXmlRpcTransport(server.url, options);
  onTestFinished(() => transport.close());
  return { transport, client: createClient(Shop, transport) };
}

const settled = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((each) => (each.status === "fulfilled" ? each.value : RpcError.from(each.reason).message));

describe("by hand", () => {
  it("C47 sends the calls of a batch as one system.multicall, and each settles by itself", async () => {
    const server = await shop();
    const { transport } = clientOf(server);
    const promises = batch(transport, (b) => {
      const client = createClient(Shop, b);
      return [client.add({ a: "<&>]]>" }), client.fail(), client.add([1, [2]]), client.add()];
    });
    expect(settled(await Promise.allSettled(promises))).toEqual([
      ["shop.add", { a: "<&>]]>" }],
      "it failed",
      ["shop.add", [1, [2]]],
      ["shop.add"],
    ]);
    expect(server.asked).toEqual([
      [
        "system.multicall",
        [
          [
            { methodName: "shop.add", params: [{ a: "<&>]]>" }] },
            { methodName: "shop.fail", params: [] },
            { methodName: "shop.add", params: [[1, [2]]] },
            { methodName: "shop.add", params: [] },
          ],
        ],
      ],
    ]);
  });

  it("gives what the callback gives, with its types, and sends a single call as it is", async () => {
    const server = await shop();
    const { transport } = clientOf(server);
    const [sum, text]: [Promise<unknown>, string] = batch(transport, (b) => [createClient(Shop, b).add(1), "text"]);
    expect([await sum, text]).toEqual([["shop.add", 1], "text"]);
    expect(server.asked).toEqual([["shop.add", [1]]]);
    expect(batch(transport, () => "nothing")).toBe("nothing");
  });

  it("keeps a batch of more than maxCallsPerBatch in parts, and calls made later alone", async () => {
    const server = await shop();
    const { transport } = clientOf(server, { maxCallsPerBatch: 3 });
    const late = batch(transport, (b) => {
      const client = createClient(Shop, b);
      return { all: [1, 2, 3, 4, 5, 6, 7].map((n) => client.add(n)), client };
    });
    await Promise.all(late.all);
    expect(server.asked.length).toBe(3);
    await late.client.add(8);
    expect(server.asked.at(-1)).toEqual(["shop.add", [8]]);
  });

  it("refuses a call by itself that cannot be written, and sends the others", async () => {
    const server = await shop();
    const { transport } = clientOf(server);
    const promises = batch(transport, (b) => {
      const client = createClient(Shop, b);
      return [client.add(1), client.add(Symbol("x")), client.add(undefined, { timeoutMs: 0 }), client.add(2)];
    });
    const results = await Promise.allSettled(promises);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  });

  it("sends what the callback has called before it threw", async () => {
    const server = await shop();
    const { transport } = clientOf(server);
    let call: Promise<unknown> | undefined;
    const run = (): unknown =>
      batch(transport, (b) => {
        call = createClient(Shop, b).add(1);
        throw new Error("mine");
      });
    expect(run).toThrow("mine");
    expect(await call).toEqual(["shop.add", 1]);
  });

  it("lets no call fail unheard that was made before the callback threw", async () => {
    const server = await shop();
    const { transport } = clientOf(server);
    const db = xmlRpcProxy<Names>(transport);
    const unheard: unknown[] = [];
    const note = (reason: unknown): unknown => unheard.push(reason);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    const mine = (): never => {
      throw new Error("mine");
    };
    expect(() => db.$batch((b) => [b.shop.fail(), b.$call(""), b.shop.add(() => 1), mine()])).toThrow("mine");
    expect(() => batch(transport, (b) => [createClient(Shop, b).fail(), mine()])).toThrow("mine");
    // Waits for both of them.
    await transport.close({ drainMs: 1_000 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).toEqual([]);
    expect(server.asked.filter((asked) => JSON.stringify(asked).includes("shop.fail"))).toHaveLength(2);
  });

  it("simply calls over a transport of another package", async () => {
    const memory = createMemoryTransport(
      createRouter(Shop, { add: (input) => input, fail: () => undefined, look: () => undefined }),
    );
    onTestFinished(() => memory.close());
    expect(await Promise.all(batch(memory, (b) => [createClient(Shop, b).add(1)]))).toEqual([1]);
  });

  it("X32 has the same by names, with JSON-RPC as a batch of its own in any order", async () => {
    const server = await stub(({ body }, response) => {
      const calls = JSON.parse(body.toString()) as { id: string; method: string; params?: unknown[] }[];
      const answers = calls.map(({ id, method, params = [] }) =>
        method === "shop.fail" ? { id, error: { code: 1, message: "it failed" } } : { id, result: [method, ...params] },
      );
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answers.toReversed()));
    });
    const db = xmlRpcProxy<Names>(server.url, { protocol: "json-rpc" });
    onTestFinished(() => db.$close());
    const results = await Promise.allSettled(db.$batch((b) => [b.shop.add(1), b.shop.fail(), b.$call("shop.add", 2)]));
    expect(settled(results)).toEqual([["shop.add", 1], "it failed", ["shop.add", 2]]);
  });

  it("fails a call that a JSON-RPC batch does not answer, and takes one error for all", async () => {
    const answers = ["[]", '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}', "7"];
    const server = await stub((_, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end(answers.shift()),
    );
    const db = xmlRpcProxy<Names>(server.url, { protocol: "json-rpc" });
    onTestFinished(() => db.$close());
    const codes: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const results = await Promise.allSettled(db.$batch((b) => [b.a(), b.b()]));
      codes.push(results.map((each) => (each.status === "rejected" ? RpcError.from(each.reason).code : "")));
    }
    expect(codes).toEqual([
      ["INTERNAL", "INTERNAL"],
      ["INVALID_ARGUMENT", "INVALID_ARGUMENT"],
      ["INTERNAL", "INTERNAL"],
    ]);
  });
});

describe("within a tick", () => {
  it("puts calls of one turn together by option, and lets those with metadata travel alone", async () => {
    const server = await shop();
    const { client } = clientOf(server, { multicall: "auto" });
    const results = await Promise.all([
      client.add(1),
      Promise.resolve().then(() => client.add(2)),
      client.add(3, { metadata: { "x-a": "b" } }),
      client.add(4),
    ]);
    expect(results).toEqual([1, 2, 3, 4].map((n) => ["shop.add", n]));
    expect(server.asked.length).toBe(2);
    await client.add(5);
    expect(server.asked.at(-1)).toEqual(["shop.add", [5]]);
  });

  it("writes values as they were at the call", async () => {
    const server = await shop();
    const { client } = clientOf(server, { multicall: "auto" });
    const list = [1];
    const calls = [client.add(list), client.add(list)];
    list.push(2);
    expect(await Promise.all(calls)).toEqual([
      ["shop.add", [1]],
      ["shop.add", [1]],
    ]);
  });

  it("goes on one by one at a server without multicall, and asks it no more", async () => {
    for (const fault of [
      [-32_601, "method not found"],
      [1, `<class 'Exception'>:method "system.multicall" is not supported`],
      [-99, "Method system.multicall missing or wrong number of parameters!"],
    ] as const) {
      const asked: string[] = [];
      const server = await stub(({ body }, response) => {
        const name = /<methodName>(.*)<\/methodName>/.exec(body.toString())?.[1] ?? "";
        asked.push(name);
        if (name === "system.multicall") answerFault(response, fault[0], fault[1]);
        else answerValue(response, "done");
      });
      const { client } = clientOf(server, { multicall: "auto" });
      for (let i = 0; i < 2; i++) expect(await Promise.all([client.add(1), client.add(2)])).toEqual(["done", "done"]);
      expect(asked.toSorted()).toEqual(["shop.add", "shop.add", "shop.add", "shop.add", "system.multicall"]);
    }
  });

  it("reads bare values and a batch that stops at its first fault, as Perl answers", async () => {
    const answers: unknown[][] = [
      ["one", ["two", "of two"], "three"],
      ["one", { faultCode: 300, faultString: "stop" }],
    ];
    const server = await stub((_, response) => answerValue(response, answers.shift()));
    const { client } = clientOf(server, { multicall: "auto" });
    const run = (): Promise<PromiseSettledResult<unknown>[]> =>
      Promise.allSettled([client.add(1), client.add(2), client.add(3)]);
    expect(settled(await run())).toEqual(["one", ["two", "of two"], "three"]);
    const [first, second, third] = await run();
    expect([first, second]).toMatchObject([{ value: "one" }, { reason: { message: "stop", code: "UNKNOWN" } }]);
    expect(third).toMatchObject({ reason: { code: "ABORTED", delivered: "no" } });
  });

  it("sends nothing again when a batch is given up over one of its calls: those before it may have run", async () => {
    for (const [code, text] of [
      [-32_601, "NameError: no method shop.add"],
      [1, "system.multicall: shop.add: row not found"],
      [1, "system.multicall: a partner is missing its name"],
    ] as const) {
      const server = await stub((_, response) => answerFault(response, code, text));
      const { client } = clientOf(server, { multicall: "auto" });
      const results = await Promise.allSettled([client.add(1), client.add(2)]);
      for (const each of results) expect(each).toMatchObject({ reason: { message: text } });
      expect(server.seen.length).toBe(1);
    }
  });

  it("says of no call that it was not run unless a fault ended the batch, and takes no surplus", async () => {
    const answers: unknown[][] = [[], [["one"]], [["one"], ["two"], ["three"]]];
    const server = await stub((_, response) => answerValue(response, answers.shift()));
    const { client } = clientOf(server, { multicall: "auto" });
    const run = (): Promise<PromiseSettledResult<unknown>[]> => Promise.allSettled([client.add(1), client.add(2)]);
    const lost = { reason: { code: "INTERNAL", reason: "PROTOCOL", delivered: "unknown" } };
    expect(await run()).toMatchObject([lost, lost]);
    expect(await run()).toMatchObject([{ value: "one" }, lost]);
    expect(await run()).toMatchObject([lost, lost]);
  });

  it("names in each error its own call when HTTP refuses the whole batch", async () => {
    const server = await stub((_, response) => response.writeHead(500).end());
    const { client } = clientOf(server);
    const db = xmlRpcProxy<Names>(server.url);
    onTestFinished(() => db.$close());
    const results = await Promise.allSettled(db.$batch((b) => [b.$call("one.x"), b.$call("two.y")]));
    expect(results).toMatchObject([
      { reason: { message: expect.stringMatching(/^one\.x: .*HTTP 500/) as unknown } },
      { reason: { message: expect.stringMatching(/^two\.y: .*HTTP 500/) as unknown } },
    ]);
    await expect(client.add(1)).rejects.toThrow("shop.add");
  });

  it("tells faults from values where structs are read as maps", async () => {
    const server = await stub((_, response) => answerValue(response, [[5], { faultCode: 4, faultString: "bad" }]));
    const db = xmlRpcProxy<Names>(server.url, { document: { structs: "map" } });
    onTestFinished(() => db.$close());
    const results = await Promise.allSettled(db.$batch((b) => [b.$call("one.x"), b.$call("two.y")]));
    expect(results).toMatchObject([{ value: 5 }, { reason: { message: "bad", details: { faultCode: 4 } } }]);
  });

  it("fails all when the answer is none of a batch", async () => {
    const server = await stub((_, response) => answerValue(response, "no array"));
    const { client } = clientOf(server, { multicall: "auto" });
    const results = await Promise.allSettled([client.add(1), client.add(2)]);
    for (const each of results) expect(each).toMatchObject({ reason: { code: "INTERNAL", reason: "PROTOCOL" } });
  });

  it("lets one call of a batch be cancelled or late without the others, and closes the request when all are", async () => {
    const clock = createFakeClock();
    const server = await stub(() => undefined);
    const transport = createXmlRpcTransport(server.url, { multicall: "auto", clock });
    onTestFinished(() => transport.close());
    const client = createClient(Shop, transport);
    const controller = new AbortController();
    const calls = [
      client.add(1, { signal: controller.signal }),
      client.add(2, { timeoutMs: 1_000 }),
      client.add(3, { timeoutMs: 3_000 }),
    ];
    const results = Promise.allSettled(calls);
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [seen] = server.seen;
    // One of them may take as long as it takes.
    expect(seen?.headers["x-rpc-timeout-ms"]).toBe(undefined);
    const gone = new Promise<void>((resolve) => seen?.socket.once("close", () => resolve()));
    controller.abort();
    clock.advance(1_000);
    expect(seen?.socket.destroyed).toBe(false);
    clock.advance(2_000);
    expect((await results).map((each) => (each.status === "rejected" ? RpcError.from(each.reason).code : ""))).toEqual([
      "CANCELLED",
      "DEADLINE_EXCEEDED",
      "DEADLINE_EXCEEDED",
    ]);
    await gone;
    expect(clock.pendingCount).toBe(0);
  });
});

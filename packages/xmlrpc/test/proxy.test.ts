import { inspect } from "node:util";
import { createMemoryTransport, createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createXmlRpcTransport,
  Decimal,
  Double,
  Records,
  rpc2,
  type XmlRpcProxy,
  xmlRpcProxy,
  type XmlRpcTransportOptions,
  XmlRpcDateTime,
} from "../src/index.ts";
import { answerCalls, answerValue, stub, type Names } from "./stub-server.ts";

/** A server that answers with the name and the parameters of each call. */
async function echoing(options?: XmlRpcTransportOptions): Promise<{ db: XmlRpcProxy<Names>; calls: unknown[] }> {
  const calls: unknown[] = [];
  const server = await stub(
    answerCalls((method, params) => {
      calls.push([method, params]);
      return [method, params];
    }),
  );
  const db = xmlRpcProxy<Names>(server.url, options);
  onTestFinished(() => db.$close());
  return { db, calls };
}

describe("names", () => {
  it("X32 calls whatever name the dots make, with its parameters by position", async () => {
    const { db } = await echoing();
    expect(await db.res.partner.search([], [[["is_company", "=", true]]])).toEqual([
      "res.partner.search",
      [[], [[["is_company", "=", true]]]],
    ]);
    expect(await db.version()).toEqual(["version", []]);
    const { partner } = db.res;
    expect(await partner.read([1, 2])).toEqual(["res.partner.read", [[1, 2]]]);
  });

  it("X32 takes awaiting, printing and comparing for no call", async () => {
    const { db, calls } = await echoing();
    const res: unknown = db.res;
    expect(await (res as Promise<unknown>)).toBe(res);
    expect(await (db as unknown as Promise<unknown>)).toBe(db);
    for (const name of ["then", "catch", "finally", "constructor", "toJSON", "prototype", "__proto__"]) {
      expect(Reflect.get(db, name)).toBe(undefined);
      expect(Reflect.get(db.res, name)).toBe(undefined);
    }
    expect(Reflect.get(db, Symbol.iterator)).toBe(undefined);
    expect(Reflect.get(db.res, Symbol.asyncIterator)).toBe(undefined);
    expect(String(db)).toMatch(/^proxy of http:\/\/127/);
    expect(String(db.res.partner)).toMatch(/^res\.partner of http:/);
    expect(JSON.stringify({ db: db.res })).toBe("{}");
    expect(inspect(db.res)).toBeTypeOf("string");
    expect(inspect(db)).toBeTypeOf("string");
    expect(calls).toEqual([]);
  });

  it("X32 reaches names that JavaScript keeps for itself by $call", async () => {
    const { db } = await echoing();
    expect(await db.$call("then")).toEqual(["then", []]);
    expect(await db.$call("res.toJSON", 1)).toEqual(["res.toJSON", [1]]);
  });

  it("refuses before anything is sent what is no name, no path and no key", async () => {
    const { db, calls } = await echoing();
    const wrong = { code: "INVALID_ARGUMENT", delivered: "no" };
    for (const name of ["", undefined, 5]) await expect(db.$call(name as string)).rejects.toMatchObject(wrong);
    await expect(db.$with({ idempotencyKey: "\ud800" }).$call("a.b")).rejects.toMatchObject(wrong);
    const json2 = xmlRpcProxy(db.$transport.endpoint, { protocol: "json-2" });
    onTestFinished(() => json2.$close());
    for (const name of ["..x", "...x", "a\ud800.x"]) await expect(json2.$call(name, {})).rejects.toMatchObject(wrong);
    expect(calls).toEqual([]);
  });

  it("cannot be written to, and has no name that begins with $", async () => {
    const { db } = await echoing();
    expect(() => Object.assign(db, { res: 1 })).toThrow(TypeError);
    expect(Reflect.get(db, "$nothing")).toBe(undefined);
    expect(Reflect.get(db.res, "$call")).toBe(undefined);
  });

  it("gives calls a deadline, a signal, metadata and a key by $with", async () => {
    const server = await stub((_, response) => answerValue(response, 1));
    const db = xmlRpcProxy<Names>(server.url);
    onTestFinished(() => db.$close());
    const quick = db.$with({ timeoutMs: 90_000, metadata: { "x-who": "grüße 100%" }, idempotencyKey: "k 1" });
    await quick.res.read();
    const headers = server.seen[0]?.headers;
    expect(Number(headers?.["x-rpc-timeout-ms"])).toBeGreaterThan(30_000);
    expect(headers?.["x-rpc-meta-x-who"]).toBe("gr%C3%BC%C3%9Fe 100%25");
    expect(headers?.["idempotency-key"]).toBe("k%201");
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(db.$with({ signal: controller.signal }).res.read()).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(db.$with({ timeoutMs: 0 }).res.read()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await expect(db.$with({ timeoutMs: -1 }).res.read()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(server.seen.length).toBe(1);
  });

  it("takes a transport of its own package alone, and closes only what it has made", async () => {
    const router = createRouter(defineContract("a", { b: unary() }), { b: () => 1 });
    const memory = createMemoryTransport(router);
    onTestFinished(() => memory.close());
    expect(() => xmlRpcProxy<Names>(memory)).toThrow(RpcError);
    const server = await stub((_, response) => answerValue(response, 1));
    const transport = createXmlRpcTransport(server.url);
    onTestFinished(() => transport.close());
    await xmlRpcProxy<Names>(transport).$close();
    expect(await xmlRpcProxy<Names>(transport).a.b()).toBe(1);
    const own = xmlRpcProxy<Names>(server.url);
    await own.$close();
    await expect(own.a.b()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  });
});

describe("sequences", () => {
  it("X28 builds the first call and its pipeline, and a beginning can be used twice", async () => {
    const { db } = await echoing();
    const found = db.$sequence("res.partner.search", [], [[["name", "=", "Ada"]]]);
    const [, both] = (await found
      .next("write", [{ name: "Eve" }])
      .next("read", [["name"]], { load: "" })
      .run()) as [string, unknown];
    expect(both).toEqual([
      { methodName: "res.partner.search", params: [[], [[["name", "=", "Ada"]]]] },
      [
        { methodName: "write", params: [[{ name: "Eve" }]] },
        { methodName: "read", params: [[["name"]], { load: "" }] },
      ],
    ]);
    expect(await found.run()).toEqual([
      "system.sequence",
      [{ methodName: "res.partner.search", params: [[], [[["name", "=", "Ada"]]]] }, []],
    ]);
    expect(await found.next("unlink").run()).toMatchObject([
      "system.sequence",
      [{}, [{ methodName: "unlink", params: [] }]],
    ]);
  });
});

describe("rpc2", () => {
  it("sends records, context, args and kwargs as one struct, and every change makes a new value", async () => {
    const { db } = await echoing();
    const french = rpc2(db, { lang: "fr_FR" });
    const partners = french.model("res.partner").browse([1, 2]);
    const later = partners.withContext({ tz: "UTC" });
    expect(await later.call("read", [["name"]], { load: "" })).toEqual([
      "res.partner.read",
      [{ records: [1, 2], context: { lang: "fr_FR", tz: "UTC" }, args: [["name"]], kwargs: { load: "" } }],
    ]);
    expect(await partners.call("unlink")).toEqual([
      "res.partner.unlink",
      [{ records: [1, 2], context: { lang: "fr_FR" }, args: [], kwargs: {} }],
    ]);
    expect([french.context, partners.records]).toEqual([{ lang: "fr_FR" }, [1, 2]]);
  });
});

describe("the other protocols", () => {
  it("X33 speaks JSON-RPC with the same surface, each call with an id of its own", async () => {
    const server = await stub(({ body }, response) => {
      const { id, method, params } = JSON.parse(body.toString()) as Record<string, unknown>;
      const answer = method === "fail" ? { error: { code: -32_601, message: "nope" } } : { result: [method, params] };
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    });
    const db = xmlRpcProxy<Names>(server.url, { protocol: "json-rpc" });
    onTestFinished(() => db.$close());
    expect(await db.res.partner.read([1], { when: new Date(0), big: 2n ** 64n, bytes: Uint8Array.of(1, 2) })).toEqual([
      "res.partner.read",
      [[1], { when: "1970-01-01T00:00:00.000Z", big: "18446744073709551616", bytes: "AQI=" }],
    ]);
    expect(await db.version()).toEqual(["version", null]);
    await expect(db.fail()).rejects.toMatchObject({ code: "UNIMPLEMENTED", message: "nope" });
    const ids = server.seen.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(server.seen[0]?.headers["content-type"]).toBe("application/json");
  });

  it("X33 says in JSON what the classes of XML-RPC's values mean", async () => {
    const server = await stub((_, response) => response.writeHead(200).end('{"jsonrpc":"2.0","result":1}'));
    const db = xmlRpcProxy<Names>(server.url, { protocol: "json-rpc" });
    onTestFinished(() => db.$close());
    const day = new XmlRpcDateTime({ year: 2005, month: 2, day: 10 });
    await db.x(new Double(3), new Decimal("0.10"), day, new Records("a", [7, false]));
    const sent = JSON.parse(server.seen[0]?.body.toString() ?? "") as { params: unknown };
    expect(sent.params).toEqual([3, "0.10", "2005-02-10T00:00:00", [7]]);
  });

  it("refuses what JSON has no word for, and what loops", async () => {
    const server = await stub((_, response) => response.end());
    const db = xmlRpcProxy<Names>(server.url, { protocol: "json-rpc" });
    onTestFinished(() => db.$close());
    const loop: unknown[] = [];
    loop.push(loop);
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = [deep];
    const entries: [unknown, number][] = [
      [1, 1],
      ["1", 2],
    ];
    for (const value of [
      NaN,
      -0,
      loop,
      new Date(NaN),
      "\ud800",
      () => 1,
      Symbol("x"),
      new URL("http://localhost/"),
      new Map(entries),
    ])
      await expect(db.x([value])).rejects.toMatchObject({ code: "INVALID_ARGUMENT", delivered: "no" });
    const nested = db.x(1, { a: [() => 1] });
    await expect(nested).rejects.toThrow("x: params[1].a[0] is a function, which cannot travel");
    await expect(db.x(deep)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED", delivered: "no" });
    expect(server.seen).toEqual([]);
  });

  it("speaks JSON-2 by a changed option: path, database, named arguments, statuses", async () => {
    const server = await stub(({ url, headers, body }, response) => {
      const isWrong = url.endsWith("/wrong");
      response.writeHead(isWrong ? 422 : 200, { "content-type": "application/json" }).end(
        JSON.stringify(
          isWrong
            ? {
                name: "odoo.exceptions.ValidationError",
                message: "no such field",
                arguments: [],
                context: {},
                debug: "",
              }
            : [url, headers["x-odoo-database"], headers.authorization, JSON.parse(body.toString())],
        ),
      );
    });
    for (const path of ["/RPC2?db=mydb", "/RPC2/mydb", "/json/2?db=mydb", "/?db=mydb"]) {
      const db = xmlRpcProxy<Names>(server.url.replace("/RPC2", path), { protocol: "json-2", auth: { token: "key" } });
      onTestFinished(() => db.$close());
      expect(await db.res.partner.read({ ids: [1], fields: ["name"] })).toEqual([
        "/json/2/res.partner/read",
        "mydb",
        "Bearer key",
        { ids: [1], fields: ["name"] },
      ]);
      await expect(db.res.partner.wrong()).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: "no such field",
        reason: "odoo.exceptions.ValidationError",
      });
      await expect(db.res.partner.read([1])).rejects.toMatchObject({ code: "INVALID_ARGUMENT", delivered: "no" });
      await expect(db.version({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

import type { RpcError } from "@rpc/core";
import { createRouter, defineContract, unary } from "@rpc/core";
import { describe, expect, it } from "vitest";
import { ADAPTERS, createDemo } from "./server-rig.ts";

const JSON_TYPE = { "content-type": "application/json" };
const call = (method: string, params: unknown, id: unknown = 1): unknown => ({ jsonrpc: "2.0", method, params, id });

describe.each(ADAPTERS)("X21 JSON-RPC over %s", (_name, open) => {
  it("answers by position and by name, and echoes every kind of id", async () => {
    await using rig = await open(createDemo().router);
    for (const id of [1, 0, -1.5, "a", "", "ü\u2028", null])
      expect(await rig.json(call("demo.Greeter.hello", ["Ada"], id))).toEqual({
        jsonrpc: "2.0",
        result: { text: "hello Ada" },
        id,
      });
    expect(await rig.json(call("demo.Greeter.hello", { name: "Ada", times: 2 }))).toMatchObject({
      result: { text: "hello Adahello Ada" },
    });
    expect(await rig.json({ jsonrpc: "2.0", method: "demo.Greeter.nothing", id: 1 })).toEqual({
      jsonrpc: "2.0",
      result: null,
      id: 1,
    });
  });

  it("writes text as it is", async () => {
    await using rig = await open(createDemo().router);
    const got = await rig.send({ headers: JSON_TYPE, body: JSON.stringify(call("demo.Greeter.echo", ["grün 😀"])) });
    expect([got.headers["content-type"], got.text]).toEqual([
      "application/json",
      '{"jsonrpc":"2.0","result":"grün 😀","id":1}',
    ]);
  });

  it("gives no answer to a notification: 204", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router);
    const got = await rig.send({
      headers: JSON_TYPE,
      body: '{"jsonrpc":"2.0","method":"demo.Greeter.told","params":["x"]}',
    });
    expect([got.status, got.text]).toEqual([204, ""]);
    const failing = await rig.send({ headers: JSON_TYPE, body: '{"jsonrpc":"2.0","method":"no.such"}' });
    expect([failing.status, failing.text]).toEqual([204, ""]);
    expect(demo.told).toEqual(["x"]);
  });

  it("answers a batch in order, without its notifications", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router);
    const answers = await rig.json([
      call("demo.Greeter.add", [1, 2], "a"),
      { jsonrpc: "2.0", method: "demo.Greeter.told", params: { text: "in between" } },
      call("no.such", [], "b"),
      5,
      call("demo.Greeter.add", { a: 3, b: 4 }, "a"),
    ]);
    expect(answers).toMatchObject([
      { result: 3, id: "a" },
      { error: { code: -32_601 }, id: "b" },
      { error: { code: -32_600 }, id: null },
      { result: 7, id: "a" },
    ]);
    expect(demo.told).toEqual(["in between"]);
    const silent = await rig.send({
      headers: JSON_TYPE,
      body: '[{"jsonrpc":"2.0","method":"demo.Greeter.told","params":["y"]}]',
    });
    expect([silent.status, silent.text]).toEqual([204, ""]);
  });

  it("H131 refuses what is no request with -32600", async () => {
    await using rig = await open(createDemo().router, { maxCallsPerBatch: 10 });
    const wrong = [
      5,
      '"x"',
      null,
      true,
      {},
      { method: "x", id: 1 },
      { jsonrpc: "1.0", method: "x", id: 1 },
      { jsonrpc: 2, method: "x", id: 1 },
      { jsonrpc: "2.0", id: 1 },
      { jsonrpc: "2.0", method: 5, id: 1 },
      { jsonrpc: "2.0", method: "x", params: "scalar", id: 1 },
      { jsonrpc: "2.0", method: "x", params: null, id: 1 },
      { jsonrpc: "2.0", method: "x", id: {} },
      { jsonrpc: "2.0", method: "x", id: [1] },
      { jsonrpc: "2.0", method: "x", id: true },
      [],
    ];
    for (const document of wrong) {
      const answer = await rig.json(document);
      expect(answer).toMatchObject({
        error: { code: -32_600, message: "ValueError: malformed JSON-RPC request" },
      });
      const isNamed = typeof document === "object" && document !== null && "id" in document && document.id === 1;
      expect((answer as { id: unknown }).id).toBe(isNamed ? 1 : null);
    }
    const nested = await rig.json([[call("demo.Greeter.add", [1, 2])], []]);
    expect(nested).toMatchObject([{ error: { code: -32_600 } }, { error: { code: -32_600 } }]);
    const many = await rig.json(Array.from({ length: 11 }, () => call("demo.Greeter.add", [1, 2])));
    expect(many).toMatchObject({ error: { code: -32_400 }, id: null });
    expect(await rig.json(Array.from({ length: 10 }, () => call("demo.Greeter.add", [1, 2])))).toHaveLength(10);
  });

  it("H131 refuses 100,000 calls in a batch at once", async () => {
    await using rig = await open(createDemo().router);
    expect(await rig.json(`[${"{},".repeat(99_999)}{}]`)).toMatchObject({ error: { code: -32_400 } });
  });

  it("survives hostile JSON", async () => {
    await using rig = await open(createDemo().router);
    const send = (params: string) =>
      rig.json(`{"jsonrpc":"2.0","method":"demo.Greeter.echo","params":${params},"id":1}`);
    expect(await rig.json("{")).toMatchObject({ error: { code: -32_700 }, id: null });
    expect(await rig.json("")).toMatchObject({ error: { code: -32_700 } });
    expect(await rig.json("[".repeat(100_000))).toMatchObject({ error: { code: -32_700 } });
    expect(await send(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)).toMatchObject({ error: { code: -32_400 } });
    expect(await send("[1e999]")).toMatchObject({ error: { code: -32_600 } });
    expect(await send(String.raw`["\ud800"]`)).toMatchObject({ error: { code: -32_600 } });
    const got = await rig.send({
      headers: JSON_TYPE,
      body: '{"jsonrpc":"2.0","method":"demo.Greeter.echo","params":[{"__proto__":{"polluted":1},"constructor":2}],"id":1}',
    });
    expect(got.text).toContain('{"__proto__":{"polluted":1},"constructor":2}');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("X24 X25 says errors with name, message and status, and no stack", async () => {
    await using rig = await open(createDemo().router);
    expect(await rig.json(call("demo.Greeter.fail", ["declared"]))).toMatchObject({
      error: { data: { status: "FAILED_PRECONDITION", reason: "Broken", details: { part: "wheel" } } },
      id: 1,
    });
    const unexpected = (await rig.json(call("demo.Greeter.fail", ["badly"]))) as { error: { data: object } };
    expect(unexpected.error).toMatchObject({
      code: -32_500,
      message: "TypeError: bad luck",
      data: { name: "TypeError", message: "TypeError: bad luck", arguments: ["bad luck"], context: {} },
    });
    expect(unexpected.error.data).not.toHaveProperty("debug");
    await using open_ = await open(createDemo().router, { exposeStacks: true });
    const debug = (await open_.json(call("demo.Greeter.fail", ["badly"]))) as { error: { data: { debug: string } } };
    expect(debug.error.data.debug).toContain("server-rig");
  });

  it("says dates, bytes and big integers as text, and reads them back as the contract means them", async () => {
    await using rig = await open(createDemo().router);
    const on = "2024-02-29T12:00:00.000Z";
    expect(await rig.json(call("demo.Greeter.dates", { on, big: "12345678901234567890", note: null }))).toMatchObject({
      result: { on, big: "12345678901234567890", kinds: "true bigint undefined" },
    });
    expect(await rig.json(call("demo.Greeter.dates", [on, 5]))).toMatchObject({
      result: { big: 5, kinds: "true bigint undefined" },
    });
    const Bytes = defineContract("demo.Bytes", { take: unary({}) });
    await using other = await open(
      createRouter(Bytes, { take: () => ({ bytes: new Uint8Array([1, 2, 3]), set: new Set([1n]) }) }),
    );
    expect(await other.json(call("demo.Bytes.take", []))).toMatchObject({ result: { bytes: "AQID", set: [1] } });
  });

  it("says a result that JSON has no word for as an error, alone and in a batch", async () => {
    const errors: RpcError[] = [];
    const Odd = defineContract("demo.Odd", { nan: unary({}), fine: unary({}) });
    const router = createRouter(Odd, { nan: () => ({ a: [Number.NaN] }), fine: () => 1 });
    await using rig = await open(router, { onError: (error) => errors.push(error) });
    expect(await rig.json(call("demo.Odd.nan", []))).toMatchObject({ error: { code: -32_603 } });
    expect(await rig.json([call("demo.Odd.nan", []), call("demo.Odd.fine", [])])).toMatchObject([
      { error: { code: -32_603 } },
      { result: 1 },
    ]);
    expect(
      await rig.json(
        call("system.multicall", [
          [
            { methodName: "demo.Odd.nan", params: [] },
            { methodName: "demo.Odd.fine", params: [] },
          ],
        ]),
      ),
    ).toMatchObject({
      result: [{ faultCode: -32_603 }, [1]],
    });
    expect(errors.length).toBeGreaterThan(0);
  });

  it("tolerates the drafts' way to say the version in the odoo profile only", async () => {
    await using odoo = await open(createDemo().router, { profile: "odoo" });
    for (const extra of [{}, { version: "2.0" }])
      expect(await odoo.json({ ...extra, method: "demo.Greeter.add", params: [1, 2], id: 1 })).toMatchObject({
        result: 3,
      });
    expect(await odoo.json({ jsonrpc: "1.0", method: "demo.Greeter.add", params: [1, 2], id: 1 })).toMatchObject({
      error: { code: -32_600 },
    });
  });
});

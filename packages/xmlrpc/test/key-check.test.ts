import { createRouter, defineContract, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { KeyCheck } from "../src/databases/key-check.ts";
import { createXmlRpcTransport, databases, databaseCall, serveXmlRpc, xmlRpcProxy } from "../src/index.ts";

describe("what a key was used for", () => {
  const conflict = expect.objectContaining({ code: "ALREADY_EXISTS", reason: "CONFLICT" }) as Error;

  it("is remembered while the call runs, and as long as its reply is kept", () => {
    const clock = createFakeClock();
    const keys = new KeyCheck(clock, { keepMs: 1_000, maxEntries: 10 });
    const begin = (...records: number[]): (() => void) => keys.begin("ada", "db", "m", "k", [records]);
    const end = begin(1);
    clock.advance(5_000);
    expect(() => begin(2)).toThrow(conflict);
    begin(1)();
    end();
    clock.advance(999);
    expect(() => begin(2)).toThrow(conflict);
    clock.advance(1);
    begin(2);
  });

  it("is forgotten with the oldest replies, but not while the call runs", () => {
    const keys = new KeyCheck(createFakeClock(), { keepMs: 1_000, maxEntries: 2 });
    const begin = (key: string, record: number): (() => void) => keys.begin("ada", "db", "m", key, [[record]]);
    begin("long", 1);
    for (const key of ["a", "b", "c"]) begin(key, 1)();
    expect(() => begin("c", 2)).toThrow(conflict);
    expect(() => begin("long", 2)).toThrow(conflict);
    begin("a", 2);
  });

  it.each([
    [undefined, 1],
    [false, 3],
  ] as const)("is no matter where no replies are kept: replyCache %s", async (replyCache, runs) => {
    const seen: unknown[] = [];
    const model = createRouter(defineContract("m", { read: unary({}) }), {
      read: (_input, context) => {
        seen.push(databaseCall(context).records);
        return 1;
      },
    });
    const options = { authenticate: () => "ada", ...(replyCache === undefined ? {} : { replyCache }) };
    await using listener = await serveXmlRpc(databases({ db: { models: { m: model } } }), options);
    await using transport = createXmlRpcTransport(`${listener.endpoint}/db`, {
      auth: { user: "ada", password: "x" },
    });
    const keyed = xmlRpcProxy(transport).$with({ idempotencyKey: "k" });
    await keyed.$call("m.read", [1]);
    await keyed.$call("m.read", [1]);
    await keyed.$call("m.read", [2]).catch(() => undefined);
    expect(seen).toHaveLength(runs);
  });
});

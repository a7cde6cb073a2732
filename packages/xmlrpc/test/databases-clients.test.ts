import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { databases } from "../src/databases/databases.ts";
import { createXmlRpcTransport, rpc2, xmlRpcProxy, type XmlRpcProxy } from "../src/index.ts";
import { looseModel, partnerBench, Partners } from "./partners.ts";
import { rpc2Bench, type Rpc2Bench } from "./rpc2-bench.ts";

const Values = defineContract("demo.Values", {
  mixed: unary({ output: z.unknown() }),
  when: unary({ input: z.object({ at: z.date() }), output: z.date() }),
  shared: unary({}),
  twice: unary({}),
  sum: unary({ input: z.array(z.int()), output: z.int() }),
  nothing: unary({ output: z.string() }),
});

/** A value that names itself. */
class Point {
  readonly x: number;
  readonly y: number;

  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }

  toRpc(): unknown {
    return [this.x, this.y];
  }
}

const values = createRouter(Values, {
  mixed: () => ({
    map: new Map<unknown, unknown>([[1, "one"]]),
    set: new Set([1, 2]),
    generated: (function* () {
      yield "a";
    })(),
    point: new Point(1, 2),
    bytes: new Uint8Array([1, 2, 3]),
    nothing: null,
    big: 2n ** 40n,
  }),
  when: ({ at }) => at,
  shared: () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    return loop;
  },
  sum: (numbers) => numbers.reduce((total, each) => total + each, 0),
  nothing: () => "nothing",
  twice: () =>
    new Map<unknown, unknown>([
      [1, "number"],
      ["1", "text"],
    ]),
});

describe.each(["xml-rpc", "json-rpc"] as const)("our client over %s", (protocol) => {
  const { partners, calls, names } = partnerBench();
  let bench: Rpc2Bench;
  let db: XmlRpcProxy;
  const models = {
    "res.partner": partners,
    values,
    loose: looseModel(),
    "demo.Partners": partners,
    "demo.Values": values,
  };
  beforeAll(async () => {
    bench = await rpc2Bench(databases({ mydb: { models } }));
    db = xmlRpcProxy(`${bench.origin.replace("//", "//ada:ada-pw@")}/RPC2?db=mydb`, { protocol });
  });
  afterAll(async () => {
    await db.$close();
    await bench[Symbol.asyncDispose]();
  });

  it("X05 X07 X16 calls a model by chain, with credentials in the URL, and gets ids", async () => {
    expect(await db["res"]?.["partner"]?.["search"]?.([], [[["is_company", "=", true]]])).toEqual([1, 2]);
    expect(calls.at(-1)).toMatchObject({ database: "mydb", identity: "ada" });
  });

  it("X11 X12 keeps records and context with rpc2", async () => {
    const partner = rpc2(db, { lang: "fr_FR" }).model("res.partner").browse([2]);
    expect(await partner.call("read", [["name"]])).toEqual([{ id: 2, name: "Grace" }]);
    expect(calls.at(-1)).toMatchObject({ records: [2], context: { lang: "fr_FR" } });
  });

  it("X05 X12 serves a typed client whose records are arguments by name", async () => {
    const url = `${bench.origin.replace("//", "//ada:ada-pw@")}/RPC2/mydb`;
    const transport = createXmlRpcTransport(url, { protocol, params: "kwargs" });
    expect(await createClient(Partners, transport).search({ domain: [], limit: 1 })).toEqual([1]);
    await createClient(Partners, transport).touch();
    const client = createClient(Values, transport);
    expect(await client.sum([1, 2, 3])).toBe(6);
    expect(await client.nothing()).toBe("nothing");
    const at = new Date("2024-05-06T07:08:09Z");
    expect(await client.when({ at })).toEqual(at);
    await transport.close();
  });

  it("X28 runs a sequence", async () => {
    const sequence = db.$sequence("res.partner.search", [], [[]]).next("write", [{ name: "Edsger" }]);
    expect(await sequence.run()).toBe(true);
    expect([...names.values()]).toEqual(["Edsger", "Edsger"]);
  });

  it("X27 makes several calls in one request", async () => {
    const answers = await Promise.allSettled(
      db.$batch((b) => [
        b.$call("loose.add", [], [1, 2]),
        b.$call("res.partner.fail", [], ["no"]),
        b.$call("system.noop"),
      ]),
    );
    expect(answers).toMatchObject([
      { status: "fulfilled", value: 3 },
      { status: "rejected", reason: { reason: "UserError" } },
      { status: "fulfilled", value: null },
    ]);
  });

  it("X16 X17 X18 X20 gets what objects are on the wire", async () => {
    const mixed = (await db.$call("values.mixed")) as Record<string, unknown>;
    expect(mixed).toMatchObject({ map: { "1": "one" }, set: [1, 2], generated: ["a"], point: [1, 2], nothing: null });
    expect(mixed["bytes"]).toEqual(protocol === "xml-rpc" ? new Uint8Array([1, 2, 3]) : "AQID");
    expect(Number(mixed["big"])).toBe(2 ** 40);
    const at = new Date("2024-05-06T07:08:09Z");
    expect(new Date((await db.$call("values.when", [], [at])) as string)).toEqual(at);
  });

  it("X17 X19 refuses what holds itself, and keys with one text", async () => {
    await expect(db.$call("values.shared")).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringMatching(/cannot marshal/) as string,
    });
    await expect(db.$call("values.twice")).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("runs a call once per idempotency key, and says when a key comes with other records", async () => {
    const before = calls.length;
    const search = (): Promise<unknown> =>
      db.$with({ idempotencyKey: `s-${protocol}` }).$call("res.partner.search", [], [[]]);
    expect(await search()).toEqual([1, 2]);
    expect(await search()).toEqual([1, 2]);
    expect(calls).toHaveLength(before + 1);
    const read = (id: number): Promise<unknown> =>
      db.$with({ idempotencyKey: `r-${protocol}` }).$call("res.partner.read", [id]);
    expect(await read(1)).toMatchObject([{ id: 1 }]);
    await expect(read(2)).rejects.toMatchObject({ code: "ALREADY_EXISTS", reason: "CONFLICT" });
  });
});

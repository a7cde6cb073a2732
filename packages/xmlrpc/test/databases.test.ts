import { createMemoryTransport, createClient, createRouter, defineContract, forward, RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accounts } from "../src/databases/accounts.ts";
import { databaseOf } from "../src/databases/addressing.ts";
import { databaseCall } from "../src/databases/database-call.ts";
import { databases } from "../src/databases/databases.ts";
import { FaultError } from "../src/fault.ts";
import { HttpRefusal } from "../src/server/service.ts";
import { Records } from "../src/values.ts";
import { databaseBench } from "./databases-bench.ts";
import { looseModel, partnerBench, Partners } from "./partners.ts";

function setUp() {
  const { partners, calls, names } = partnerBench();
  const served = databases({
    mydb: { models: { "res.partner": partners, "account.account": partners, loose: looseModel() } },
    empty: { models: {} },
  });
  return { ...databaseBench(served, { identity: "ada" }), calls, names, partners };
}

async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (thrown: unknown) => thrown,
  );
}

async function fault(promise: Promise<unknown>): Promise<unknown> {
  const thrown = await thrownBy(promise);
  if (thrown instanceof FaultError) return thrown.fault;
  throw thrown;
}

describe("addressing", () => {
  const at = (path: string, query = ""): string | undefined => databaseOf(path, new URLSearchParams(query), "/RPC2");
  const status = (path: string, query = ""): number => {
    try {
      at(path, query);
    } catch (thrown) {
      if (thrown instanceof HttpRefusal) return thrown.status;
      throw thrown;
    }
    return 200;
  };

  it("X01 X03 X04 reads the database from path and query, with and without a slash at the end", () => {
    expect(at("/RPC2")).toBeUndefined();
    expect(at("/RPC2/")).toBeUndefined();
    expect(at("/RPC2/mydb")).toBe("mydb");
    expect(at("/RPC2/mydb/")).toBe("mydb");
    expect(at("/RPC2/my%2Ddb")).toBe("my-db");
    expect(at("/RPC2", "db=mydb")).toBe("mydb");
    expect(at("/RPC2/", "db=mydb&x=1")).toBe("mydb");
    expect(at("/RPC2/mydb", "db=mydb")).toBe("mydb");
    expect(at("/RPC2", "db=")).toBeUndefined();
  });

  it("X04 H139 answers 400 where path and query disagree", () => {
    expect(status("/RPC2/mydb", "db=other")).toBe(400);
    expect(status("/RPC2", "db=a&db=b")).toBe(400);
  });

  it.each([
    "/RPC2/..",
    "/RPC2/.",
    "/RPC2/%00",
    "/RPC2/a%2Fb",
    "/RPC2/a'b",
    "/RPC2/%zz",
    "/RPC2/a/b",
    "/RPC22",
    "/RPC2//",
    `/RPC2/${"a".repeat(101)}`,
    "/RPC2/%C3%A4",
    "/",
  ])("H139 answers 404 for %s", (path) => {
    expect(status(path)).toBe(404);
  });

  it("H139 answers 404 for such names in the query, and for what objects inherit", async () => {
    expect(status("/RPC2", "db=../etc")).toBe(404);
    const { call } = setUp();
    for (const name of ["nosuch", "constructor", "__proto__", "toString"]) {
      const thrown = await thrownBy(call("res.partner.read", [], { path: `/RPC2/${name}` }));
      expect(thrown).toBeInstanceOf(HttpRefusal);
      expect(thrown).toMatchObject({ status: 404, message: "Database not found" });
    }
  });

  it("opens databases that come and go", async () => {
    const { partners } = partnerBench();
    const open = new Map([["one", { models: new Map([["res.partner", partners]]) }]]);
    const { call } = databaseBench(
      databases({ open: async (name) => Promise.resolve(open.get(name)), list: () => [...open.keys()] }),
    );
    expect(await call("res.partner.read", [[1]], { path: "/RPC2/one" })).toEqual([{ id: 1, name: "Ada" }]);
    open.delete("one");
    expect(await thrownBy(call("res.partner.read", [[1]], { path: "/RPC2/one" }))).toMatchObject({ status: 404 });
  });

  it("asks for credentials at a database, and for none at the endpoint itself", async () => {
    const { service } = setUp();
    const exchange = (path: string) => ({ path, query: new URLSearchParams(), header: () => undefined }) as never;
    expect(await service.admit?.(exchange("/RPC2/mydb"))).toEqual({ database: "mydb", credentials: "required" });
    expect(await service.admit?.(exchange("/RPC2"))).toEqual({ database: undefined, credentials: "unused" });
  });
});

describe("methods of models", () => {
  it("X05 splits the name at its last dot, and serves a contract of another name", async () => {
    const { call, calls } = setUp();
    expect(await call("account.account.read", [[2], [["name"]]])).toEqual([{ id: 2, name: "Grace" }]);
    expect(calls[0]).toMatchObject({ database: "mydb", model: "account.account", records: [2], identity: "ada" });
  });

  it("X16 gives records back as they are, for the codec to write their ids", async () => {
    const { call } = setUp();
    const records = (await call("res.partner.search", [[], [[]]])) as Records;
    expect(records).toBeInstanceOf(Records);
    expect(records.toRpc()).toEqual([1, 2]);
  });

  it("merges the caller's context over the default one", async () => {
    const { call } = setUp();
    expect(await call("res.partner.about", [{ context: { tz: "UTC" } }])).toMatchObject({
      context: { lang: "en_US", tz: "UTC" },
    });
    expect(await call("res.partner.about", [{ context: { lang: "de_DE" } }])).toMatchObject({
      context: { lang: "de_DE" },
    });
  });

  it("X12 passes positional and keyword arguments by the names of the contract", async () => {
    const { call } = setUp();
    const search = async (...params: unknown[]): Promise<unknown> =>
      ((await call("res.partner.search", params)) as Records).ids;
    expect(await search([], [[], 1])).toEqual([1]);
    expect(await search([], [[]], { limit: 1 })).toEqual([1]);
    expect(await search([], { domain: [], limit: 1 })).toEqual([1]);
    expect(await search({ kwargs: { domain: [] }, args: [] })).toEqual([1, 2]);
    expect(await search({ args: [[]], kwargs: { limit: 1 } })).toEqual([1]);
  });

  it("H76 refuses arguments that do not fit, before the handler runs", async () => {
    const { call, calls } = setUp();
    const wrong = (...params: unknown[]) => fault(call("res.partner.search", params));
    expect(await wrong([])).toEqual({ code: -32_602, message: "TypeError: missing a required argument: 'domain'" });
    expect(await wrong([], [], { limit: 1 })).toMatchObject({
      message: "TypeError: missing a required argument: 'domain'",
    });
    expect(await wrong([], [[]], { domain: [] })).toMatchObject({
      code: -32_602,
      message: "TypeError: multiple values for argument 'domain'",
    });
    expect(await wrong([], [[]], { colour: 1 })).toMatchObject({
      code: -32_602,
      message: "TypeError: got an unexpected keyword argument 'colour'",
    });
    expect(await wrong([], [[], 1, 2])).toMatchObject({ code: -32_602 });
    expect(calls).toEqual([]);
  });

  it("X15 H73 refuses private names and what objects inherit", async () => {
    const { call } = setUp();
    const thrown = await thrownBy(call("res.partner._search", [[], [[]]]));
    expect(thrown).toMatchObject({
      reason: "AccessError",
      message: "'_search' is a private method and can not be called over RPC",
    });
    expect(await thrownBy(call("_private"))).toMatchObject({ reason: "AccessError" });
    expect(await fault(call("res.partner.constructor"))).toEqual({
      code: -32_601,
      message: "NameError: no method 'constructor' found on model 'res.partner'",
    });
    expect(await fault(call("__proto__.read"))).toEqual({
      code: -32_601,
      message: "NameError: no model '__proto__' found",
    });
    expect(await fault(call("i.dont.exist"))).toEqual({ code: -32_601, message: "NameError: no model 'i.dont' found" });
    expect(await fault(call("version"))).toEqual({
      code: -32_601,
      message: "NameError: 'version' is not a valid model name",
    });
    expect(await fault(call(".read"))).toMatchObject({ code: -32_601 });
    expect(await fault(call("res.partner."))).toMatchObject({ code: -32_601 });
  });

  it("serves functions by name, without a contract", async () => {
    const { call } = setUp();
    expect(await call("loose.add", [[], [3, 4]])).toBe(7);
    expect(await call("loose.named", [[], { a: 1 }])).toEqual({ a: 1 });
    expect(await fault(call("loose.nosuch", [[]]))).toMatchObject({ code: -32_601 });
  });

  it("takes a notification up and answers nothing", async () => {
    const { call, calls } = setUp();
    expect(await call("res.partner.touch", [[1]])).toBeUndefined();
    expect(calls).toHaveLength(1);
  });

  it("X06 calls functions of the database by undotted names", async () => {
    const Functions = defineContract("demo.Functions", { ping: unary({ output: z.string() }) });
    const functions = createRouter(Functions, {
      ping: (_input, context) => `pong ${databaseCall(context).database} ${String(databaseCall(context).model)}`,
    });
    const own = createRouter(Functions, { ping: () => "own" });
    const { call } = databaseBench(databases({ a: { models: {} }, b: { models: {}, functions: own } }, { functions }));
    expect(await call("ping", [], { path: "/RPC2/a" })).toBe("pong a undefined");
    expect(await call("ping", [], { path: "/RPC2/b" })).toBe("own");
    expect(await fault(call("pong", [], { path: "/RPC2/a" }))).toMatchObject({
      message: "NameError: 'pong' is not a valid model name",
    });
  });

  it("says clearly that a call came by another way", async () => {
    const { partners } = partnerBench();
    await using transport = createMemoryTransport(partners);
    await expect(createClient(Partners, transport).about({})).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NO_DATABASE",
    });
  });

  it("serves a gateway by the model's name", async () => {
    const Model = defineContract("res.country", { count: unary({ output: z.number() }) });
    await using transport = createMemoryTransport(createRouter(Model, { count: () => 3 }));
    const { call } = databaseBench(databases({ mydb: { models: { "res.country": forward(transport) } } }));
    expect(await call("res.country.count", [[]])).toBe(3);
  });

  it("guards each model of each database for itself", async () => {
    const { partners } = partnerBench();
    let guards = 0;
    const served = databases({ a: { models: { x: partners, y: partners } }, b: { models: { x: partners } } });
    const { call } = databaseBench(served, {
      guard: (handler) => {
        guards += 1;
        return handler;
      },
    });
    for (let i = 0; i < 2; i++) {
      await call("x.about", [], { path: "/RPC2/a" });
      await call("y.about", [], { path: "/RPC2/a" });
      await call("x.about", [], { path: "/RPC2/b" });
    }
    expect(guards).toBe(3);
  });
});

describe("reserved keys of the subject", () => {
  it("X13 passes deadline, key and trace on to the handler", async () => {
    const clock = createFakeClock();
    const { partners } = partnerBench();
    const { call } = databaseBench(databases({ mydb: { models: { "res.partner": partners } } }), { clock });
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const expected = { deadline: clock.now() + 2_500, idempotencyKey: "k1", trace };
    const keys = { timeout: 2.5, idempotencyKey: "k1", trace };
    expect(await call("res.partner.about", [{ records: [1], ...keys }])).toMatchObject(expected);
    expect(await call("res.partner.about", [{ records: [1], args: [], ...keys }])).toMatchObject(expected);
    expect(await call("res.partner.about", [{ args: [] }], { headers: { "idempotency-key": "k2" } })).toMatchObject({
      idempotencyKey: "k2",
    });
  });

  it("X13 ends a call whose time is over", async () => {
    const clock = createFakeClock();
    const Slow = defineContract("demo.Slow", { wait: unary({}) });
    let ended: unknown;
    const started = Promise.withResolvers<void>();
    const slow = createRouter(Slow, {
      wait: (_input, { signal }) =>
        new Promise((_resolve, reject) => {
          started.resolve();
          signal.addEventListener("abort", () => {
            ended = signal.reason;
            reject(RpcError.from(signal.reason));
          });
        }),
    });
    const { call } = databaseBench(databases({ mydb: { models: { slow } } }), { clock });
    const answer = thrownBy(call("slow.wait", [{ timeout: 1 }]));
    await started.promise;
    clock.advance(1_001);
    expect(await answer).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(ended).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await thrownBy(call("slow.wait", [{ timeout: 0 }]))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });
});

describe("system methods", () => {
  it("X29 answers noop with nothing, with or without a subject", async () => {
    const { call } = setUp();
    expect(await call("system.noop")).toBeNull();
    expect(await call("system.noop", [[]])).toBeNull();
    expect(await call("system.noop", [], { path: "/RPC2" })).toBeNull();
  });

  it("X30 lists models' methods with the signatures of both conventions", async () => {
    const { call } = setUp();
    const names = (await call("system.listMethods")) as string[];
    expect(names).toEqual(
      expect.arrayContaining([
        "res.partner.search",
        "account.account.read",
        "loose.add",
        "system.sequence",
        "system.noop",
      ]),
    );
    expect(names).not.toContain("version");
    expect(await call("system.methodSignature", ["res.partner.write"])).toEqual([
      ["boolean", "array", "array", "struct"],
      ["boolean", "struct"],
    ]);
    expect(await call("system.methodHelp", ["res.partner.search"])).toBe("Finds partners");
    expect(await fault(call("system.methodHelp", ["res.partner.nosuch"]))).toMatchObject({ code: -32_601 });
  });

  it("X30 lists admin functions where there is no database", async () => {
    const { call } = setUp();
    const names = (await call("system.listMethods", [], { path: "/RPC2" })) as string[];
    expect(names.filter((name) => !name.startsWith("system."))).toEqual(["version"]);
  });
});

describe("accounts", () => {
  const authenticate = accounts({
    password: (user, password) => (password === `${user}-pw` ? user : undefined),
    apiKey: (key, _database, user) => (key === "key-of-grace" && (user ?? "grace") === "grace" ? "grace" : undefined),
    hasSecondFactor: (identity) => Promise.resolve(identity === "grace"),
  });
  const shown = { database: "mydb", endpoint: "http://1.2.3.4:5" } as const;

  it("X31 takes a password, or a key in its place or as Bearer", async () => {
    expect(await authenticate({ ...shown, scheme: "basic", user: "ada", secret: "ada-pw" })).toBe("ada");
    expect(await authenticate({ ...shown, scheme: "basic", user: "grace", secret: "key-of-grace" })).toBe("grace");
    expect(await authenticate({ ...shown, scheme: "bearer", user: "", secret: "key-of-grace" })).toBe("grace");
    expect(await authenticate({ ...shown, scheme: "bearer", user: "", secret: "ada-pw" })).toBeUndefined();
    expect(await authenticate({ ...shown, scheme: "basic", user: "ada", secret: "key-of-grace" })).toBeUndefined();
  });

  it("X31 refuses the right password of an account with a second factor", async () => {
    await expect(authenticate({ ...shown, scheme: "basic", user: "grace", secret: "grace-pw" })).rejects.toMatchObject({
      status: 403,
    });
    expect(await authenticate({ ...shown, scheme: "basic", user: "grace", secret: "wrong" })).toBeUndefined();
  });
});

it("refuses options that cannot be", () => {
  expect(() => databases({}, { convention: "both" as never })).toThrow(/convention must be/);
  expect(() => databases({}, { unknownSubjectKeys: "drop" as never })).toThrow(/unknownSubjectKeys/);
  expect(() => databases({}, { masterPassword: "" })).toThrow(/masterPassword/);
  expect(() => databases({}, { admin: { nosuch: () => 1 } as never })).toThrow(/no admin function/);
});

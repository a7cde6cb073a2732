import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import type { AdminFunctions } from "../src/databases/admin.ts";
import { databases, type DatabasesOptions } from "../src/databases/databases.ts";
import { FaultError } from "../src/fault.ts";
import { type Bench, databaseBench } from "./databases-bench.ts";

const seen: [string, unknown][] = [];
function noted<T>(name: string, value: T): (input: unknown) => T {
  return (input) => {
    seen.push([name, input]);
    return value;
  };
}

/** All that there are, backed by a list of names. */
const ADMIN: AdminFunctions = {
  create: noted("create", true),
  drop: noted("drop", true),
  dump: noted("dump", new Uint8Array([1, 2])),
  restore: noted("restore", true),
  rename: noted("rename", true),
  duplicate: noted("duplicate", true),
  change_admin_password: noted("change_admin_password", true),
  migrate_databases: noted("migrate_databases", true),
  exists: ({ dbname }) => dbname === "mydb",
  list: () => ["mydb"],
  list_languages: () => [["en_US", "English"]],
  login: ({ login }) => (login === "ada" ? 7 : false),
  authenticate: noted("authenticate", 7),
};

function bench(options: DatabasesOptions = {}): Bench & { admin: Bench["call"] } {
  seen.length = 0;
  const made = databaseBench(databases({}, { admin: ADMIN, masterPassword: "master", ...options }));
  return {
    ...made,
    admin: (method, params = [], call = {}) => made.call(method, params, { path: "/RPC2", ...call }),
  };
}

async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (thrown: unknown) => (thrown instanceof FaultError ? thrown.fault : thrown),
  );
}

const MASTER = { credentials: { user: "anybody", secret: "master" } };

describe("admin functions", () => {
  it("X10 tell the version, also where nothing else is offered", async () => {
    const { call } = databaseBench(databases({}, { version: "18.2" }));
    expect(await call("version", [], { path: "/RPC2" })).toEqual({
      server_version: "18.2",
      server_version_info: [18, 2, 0, "final", 0],
      server_serie: "18.2",
      protocol_version: 1,
    });
    expect(await thrownBy(call("list", [], { path: "/RPC2" }))).toEqual({
      code: -32_601,
      message: "NameError: no admin function 'list' found",
    });
  });

  it("X02 refuse what there is not, and every name with a dot", async () => {
    const { admin } = bench();
    expect(await thrownBy(admin("idontexist"))).toEqual({
      code: -32_601,
      message: "NameError: no admin function 'idontexist' found",
    });
    expect(await thrownBy(admin("res.partner.search"))).toEqual({
      code: -32_601,
      message: "NameError: 'res.partner.search' is not a valid admin function",
    });
    for (const name of ["constructor", "__proto__", "toString"])
      expect(await thrownBy(admin(name, [], MASTER))).toMatchObject({ code: -32_601 });
  });

  it.each([
    ["create", ["db", false, "en_US"], { dbname: "db", demo: false, lang: "en_US", user_password: "admin" }],
    ["drop", ["db"], { dbname: "db" }],
    ["dump", ["db", "zip"], { dbname: "db", format: "zip" }],
    ["dump", [{ kwargs: { dbname: "db", frmt: "dump" } }], { dbname: "db", format: "dump" }],
    ["dump", [{ args: ["db"], kwargs: { format: "dump" } }], { dbname: "db", format: "dump" }],
    ["restore", ["db", new Uint8Array([1])], { dbname: "db", data: new Uint8Array([1]), copy: false }],
    ["rename", ["a", "b"], { old: "a", new: "b" }],
    ["duplicate", ["a", "b"], { source: "a", destination: "b" }],
    ["change_admin_password", ["new"], { new: "new" }],
    ["migrate_databases", [["a", "b"]], { databases: ["a", "b"] }],
  ])("X09 X10 run %s with the master password alone", async (name, params, input) => {
    const { admin } = bench();
    expect(await thrownBy(admin(name, params))).toMatchObject({ status: 401 });
    expect(await thrownBy(admin(name, params, { credentials: { secret: "wrong" } }))).toMatchObject({
      status: 403,
      message: "Access Denied",
    });
    expect(seen).toEqual([]);
    await admin(name, params, MASTER);
    expect(seen).toEqual([[name, input]]);
  });

  it.each([
    ["exists", ["mydb"], true],
    ["exists", [{ kwargs: { dbname: "other" } }], false],
    ["list", [], ["mydb"]],
    ["list", [true], ["mydb"]],
    ["list_languages", [], [["en_US", "English"]]],
    ["login", ["mydb", "ada", "pw"], 7],
    ["authenticate", ["mydb", "ada", "pw", {}], 7],
    ["authenticate", ["mydb", "ada", "pw"], 7],
  ])("X09 answer %s without a password", async (name, params, result) => {
    const { admin } = bench();
    expect(await admin(name, params)).toEqual(result);
  });

  it("say which argument does not fit, before the function runs", async () => {
    const { admin } = bench();
    const wrong = (name: string, ...params: unknown[]): Promise<unknown> => thrownBy(admin(name, params, MASTER));
    expect(await wrong("drop")).toEqual({ code: -32_602, message: "TypeError: missing a required argument: 'dbname'" });
    expect(await wrong("drop", "a", "b")).toMatchObject({ message: "TypeError: too many positional arguments" });
    expect(await wrong("drop", 5)).toMatchObject({
      message: "TypeError: argument 'dbname' must be of type string, got 5",
    });
    expect(await wrong("drop", { args: ["a"], kwargs: { dbname: "b" } })).toMatchObject({
      message: "TypeError: multiple values for argument 'dbname'",
    });
    expect(await wrong("drop", { kwargs: { dbname: "b", x: 1 } })).toMatchObject({
      message: "TypeError: got an unexpected keyword argument 'x'",
    });
    expect(await wrong("dump", { kwargs: { dbname: "b", format: "zip", frmt: "zip" } })).toMatchObject({
      code: -32_602,
    });
    expect(await wrong("migrate_databases", [1])).toMatchObject({ code: -32_602 });
    expect(await wrong("restore", "db", "no bytes")).toMatchObject({ code: -32_602 });
    expect(seen).toEqual([]);
  });

  it("take the password from a function, and none where none is set", async () => {
    const asked: string[] = [];
    const { admin } = bench({
      masterPassword: async (shown) => {
        asked.push(shown);
        return Promise.resolve(shown === "later");
      },
    });
    await admin("drop", ["db"], { credentials: { scheme: "bearer", secret: "later" } });
    expect(await thrownBy(admin("drop", ["db"], MASTER))).toMatchObject({ status: 403 });
    expect(asked).toEqual(["later", "master"]);
    const without = bench({ masterPassword: undefined });
    expect(await thrownBy(without.admin("drop", ["db"], MASTER))).toMatchObject({ status: 403 });
  });

  it("cannot be guessed at: after 20 wrong passwords of an address even the right one waits", async () => {
    const clock = createFakeClock();
    const { admin } = bench({ clock });
    for (let i = 0; i < 20; i++)
      expect(await thrownBy(admin("drop", ["db"], { credentials: { secret: `wrong${i}` } }))).toMatchObject({
        status: 403,
      });
    expect(await thrownBy(admin("drop", ["db"], MASTER))).toMatchObject({
      status: 429,
      headers: { "retry-after": "60" },
    });
    clock.advance(60_000);
    for (let i = 0; i < 30; i++) expect(await admin("drop", ["db"], MASTER)).toBe(true);
  });

  it("X09 are refused by a fault inside a multicall, where HTTP can refuse nothing", async () => {
    const { admin } = bench();
    const items = [
      { methodName: "drop", params: ["db"] },
      { methodName: "version", params: [] },
    ];
    expect(await admin("system.multicall", [items])).toEqual([
      { faultCode: -32_101, faultString: "AccessDenied: 'drop' needs the master password" },
      [expect.objectContaining({ protocol_version: 1 })],
    ]);
    expect(await admin("system.multicall", [items], MASTER)).toEqual([[true], [expect.anything()]]);
  });

  it("X30 show their signatures, with and without what may be left out", async () => {
    const { admin } = bench();
    expect(await admin("system.methodSignature", ["create"])).toEqual([
      ["boolean", "string", "boolean", "string"],
      ["boolean", "string", "boolean", "string", "string"],
      ["boolean", "struct"],
    ]);
    expect(await admin("system.methodHelp", ["version"])).toBe("The server's version");
    expect(await admin("system.listMethods")).toEqual(expect.arrayContaining(["create", "version", "authenticate"]));
  });
});

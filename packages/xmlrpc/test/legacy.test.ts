import { createRouter, defineContract, type RpcError, unary } from "@rpc/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DecodedReply } from "../src/codec/document-codec.ts";
import { databases, type DatabasesOptions } from "../src/databases/databases.ts";
import { AccessError, UserError } from "../src/exceptions.ts";
import type { XmlRpcListenerOptions } from "../src/index.ts";
import { partnerBench } from "./partners.ts";
import { rpc2Bench, type Rpc2Bench } from "./rpc2-bench.ts";

const Odd = defineContract("demo.Odd", {
  when: unary({}),
  nil: unary({}),
  raise: unary({ input: z.object({ name: z.string() }) }),
  search: unary({ input: z.object({ ids: z.array(z.number()) }) }),
});

const odd = createRouter(Odd, {
  when: () => ({ at: new Date("2024-05-06T07:08:09Z"), days: [new Date("2024-01-02T00:00:00Z")] }),
  nil: () => null,
  raise: ({ name }) => {
    if (name === "AccessError") throw new AccessError("not yours");
    if (name === "UserError") throw new UserError("not like this");
    throw new RangeError("broken");
  },
  search: ({ ids }) => ids.length,
});

interface LegacyBench extends AsyncDisposable {
  readonly http: Rpc2Bench;
  readonly errors: RpcError[];
  xml(service: string, method: string, ...params: unknown[]): Promise<DecodedReply>;
  json(path: string, params: unknown, extra?: object): Promise<Record<string, unknown>>;
  readonly calls: ReturnType<typeof partnerBench>["calls"];
}

const codec = createDocumentCodec();

async function legacyBench(
  options: DatabasesOptions = {},
  listener: Partial<XmlRpcListenerOptions> = {},
): Promise<LegacyBench> {
  const { partners, calls } = partnerBench();
  const errors: RpcError[] = [];
  const served = databases(
    { mydb: { models: { "res.partner": partners, odd } } },
    {
      legacy: true,
      version: "17.0",
      masterPassword: "master",
      admin: { drop: () => true, list: () => ["mydb"], exists: ({ dbname }) => dbname === "mydb" },
      ...options,
    },
  );
  const http = await rpc2Bench(served, { onError: (error) => void errors.push(error), ...listener });
  return {
    http,
    errors,
    calls,
    xml: async (service, method, ...params) => {
      const answer = await http.post(`/xmlrpc/2/${service}`, codec.encodeCall(method, params), {
        auth: "",
        headers: { "content-type": "text/xml" },
      });
      expect([answer.status, answer.headers.get("deprecation")]).toEqual([200, "@1758067200"]);
      return codec.decodeReply(Buffer.from(answer.text), "text/xml");
    },
    json: async (path, params, extra = {}) => {
      const body = JSON.stringify({ jsonrpc: "2.0", method: "call", params, id: 3, ...extra });
      const answer = await http.post(path, body, { auth: "", headers: { "content-type": "application/json" } });
      expect(answer.status).toBe(200);
      return JSON.parse(answer.text) as Record<string, unknown>;
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

describe("/xmlrpc/2", () => {
  let bench: LegacyBench;
  let uid: number;
  beforeAll(async () => {
    bench = await legacyBench();
    const reply = await bench.xml("common", "authenticate", "mydb", "ada", "ada-pw", {});
    uid = (reply as { value: number }).value;
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const execute = (method: string, ...args: unknown[]): Promise<DecodedReply> =>
    bench.xml("object", "execute", "mydb", uid, "ada-pw", "res.partner", method, ...args);
  const executeKw = (model: string, method: string, ...rest: unknown[]): Promise<DecodedReply> =>
    bench.xml("object", "execute_kw", "mydb", uid, "ada-pw", model, method, ...rest);

  it("X36 tells its version and logs in", async () => {
    expect(await bench.xml("common", "version")).toMatchObject({
      value: { server_version: "17.0", protocol_version: 1 },
    });
    expect(uid).toBeGreaterThan(0);
    expect(await bench.xml("common", "login", "mydb", "ada", "ada-pw")).toEqual({ value: uid });
    expect(await bench.xml("common", "login", "mydb", "ada", "wrong")).toEqual({ value: false });
    expect(await bench.xml("common", "login", "mydb", "ada", "")).toEqual({ value: false });
    expect(await bench.xml("common", "nosuch")).toMatchObject({ fault: { code: 1 } });
  });

  it("X36 calls methods on records and on the model, with keyword arguments and context", async () => {
    expect(await executeKw("res.partner", "read", [[2]], { fields: ["name"], context: { lang: "de_DE" } })).toEqual({
      value: [{ id: 2, name: "Grace" }],
    });
    expect(bench.calls.at(-1)).toMatchObject({ records: [2], identity: "ada", context: { lang: "de_DE" } });
    expect(await executeKw("res.partner", "read", [1])).toEqual({ value: [{ id: 1, name: "Ada" }] });
    expect(await execute("read", [1, 2], ["name"])).toMatchObject({ value: [{ id: 1 }, { id: 2 }] });
    expect(await execute("search", [["is_company", "=", true]], 1)).toEqual({ value: [1] });
    // A list of numbers in front, but the method is the model's.
    expect(await executeKw("odd", "search", [[1, 2, 3]])).toEqual({ value: 3 });
  });

  it("X36 asks for the password with every call", async () => {
    expect(await bench.xml("object", "execute", "mydb", uid, "wrong", "res.partner", "read", [1])).toMatchObject({
      fault: { code: 3 },
    });
    expect(await bench.xml("object", "execute", "mydb", 99, "ada-pw", "res.partner", "read", [1])).toMatchObject({
      fault: { code: 3 },
    });
    expect(await bench.xml("object", "execute", "mydb", false, "ada-pw", "res.partner", "read", [1])).toMatchObject({
      fault: { code: 3 },
    });
    expect(await bench.xml("object", "execute", "mydb", uid, 5, "res.partner", "read", [1])).toMatchObject({
      fault: { code: 1 },
    });
    expect(await bench.xml("object", "execute", "nosuch", uid, "ada-pw", "res.partner", "read", [1])).toMatchObject({
      fault: { code: 1 },
    });
  });

  it("X36 has faults 1 to 4, and no stack in any", async () => {
    expect(await executeKw("odd", "raise", [], { name: "UserError" })).toEqual({
      fault: { code: 2, message: "not like this" },
    });
    expect(await executeKw("odd", "raise", [], { name: "AccessError" })).toEqual({
      fault: { code: 4, message: "not yours" },
    });
    expect(await executeKw("odd", "raise", [], { name: "other" })).toEqual({
      fault: { code: 1, message: "RangeError: broken" },
    });
    expect(await executeKw("res.partner", "_search", [[]])).toMatchObject({ fault: { code: 4 } });
    expect(await executeKw("no.model", "read", [[1]])).toEqual({
      fault: { code: 1, message: "NameError: no model 'no.model' found" },
    });
    expect(await bench.xml("object", "nosuch")).toMatchObject({ fault: { code: 1 } });
  });

  it("X36 writes dates as text and refuses nil, as it was", async () => {
    expect(await executeKw("odd", "when", [])).toEqual({
      value: { at: "2024-05-06 07:08:09", days: ["2024-01-02 00:00:00"] },
    });
    expect(await executeKw("odd", "nil", [])).toMatchObject({
      fault: {
        code: 1,
        message: expect.stringContaining("cannot marshal None unless allow_none is enabled") as string,
      },
    });
  });

  it("X36 offers the admin functions as db, the master password first", async () => {
    expect(await bench.xml("db", "list")).toEqual({ value: ["mydb"] });
    expect(await bench.xml("db", "db_exist", "mydb")).toEqual({ value: true });
    expect(await bench.xml("db", "server_version")).toEqual({ value: "17.0" });
    expect(await bench.xml("db", "drop", "master", "mydb")).toEqual({ value: true });
    expect(await bench.xml("db", "drop", "wrong", "mydb")).toMatchObject({ fault: { code: 3 } });
    expect(await bench.xml("db", "dump", "master", "mydb", "zip")).toMatchObject({ fault: { code: 1 } });
  });

  it("answers documents that cannot be read with a fault", async () => {
    const answer = await bench.http.post("/xmlrpc/2/common", "<methodCall>", {
      auth: "",
      headers: { "content-type": "text/xml" },
    });
    expect(answer.status).toBe(200);
    expect(codec.decodeReply(Buffer.from(answer.text), "text/xml")).toMatchObject({ fault: { code: 1 } });
  });

  it("X36 is told of once for each caller", async () => {
    const told = bench.errors.filter(({ reason }) => reason === "DEPRECATED_ENDPOINT");
    expect(told).toHaveLength(1);
    expect(told[0]?.message).toMatch(/calls \/xmlrpc\/2\/common, which is deprecated; it should call \/RPC2/);
  });
});

describe("/jsonrpc and what OdooRPC asks for", () => {
  let bench: LegacyBench;
  beforeAll(async () => {
    bench = await legacyBench();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it("X36 lets OdooRPC log in and call", async () => {
    const version = await bench.json("/web/webclient/version_info", {});
    expect(version).toMatchObject({ jsonrpc: "2.0", id: 3, result: { server_version: "17.0" } });
    const session = await bench.json("/web/session/authenticate", { db: "mydb", login: "ada", password: "ada-pw" });
    const { uid } = session["result"] as { uid: number };
    expect(session).toMatchObject({ result: { uid, username: "ada", user_context: { lang: "en_US" } } });
    const object = (model: string, method: string, ...args: unknown[]): Promise<Record<string, unknown>> =>
      bench.json("/jsonrpc", {
        service: "object",
        method: "execute",
        args: ["mydb", uid, "ada-pw", model, method, ...args],
      });
    expect(await object("res.users", "context_get")).toMatchObject({ result: { uid } });
    expect(await object("res.users", "read", [uid], ["name"])).toMatchObject({ result: [{ id: uid, login: "ada" }] });
    expect(await object("ir.model", "search", [["model", "=", "res.partner"]])).toMatchObject({ result: [1] });
    expect(await object("ir.model", "search", [["model", "=", "nosuch"]])).toMatchObject({ result: [] });
    expect(await object("res.partner", "fields_get")).toMatchObject({ result: { id: { type: "integer" } } });
    expect(await object("res.partner", "read", [1], ["name"])).toMatchObject({ result: [{ id: 1, name: "Ada" }] });
    expect(await bench.json("/web/session/destroy", {})).toMatchObject({ result: null });
  });

  it("X36 says errors under code 200", async () => {
    expect(
      await bench.json("/web/session/authenticate", { db: "mydb", login: "ada", password: "wrong" }),
    ).toMatchObject({
      error: {
        code: 200,
        message: "Odoo Server Error",
        data: { name: "AccessDenied", message: "Access Denied", debug: "" },
      },
    });
    expect(await bench.json("/jsonrpc", { service: "nosuch", method: "x", args: [] })).toMatchObject({
      error: { code: 200 },
    });
    expect(
      await bench.json("/jsonrpc", { service: "common", method: "login", args: ["nosuch", "a", "b"] }),
    ).toMatchObject({ error: { code: 404 } });
    expect(await bench.json("/jsonrpc", "text")).toMatchObject({ error: { code: 200 } });
    expect(await bench.json("/jsonrpc", { service: "common" })).toMatchObject({ error: { code: 200 } });
  });

  it("takes the method's name for nothing", async () => {
    expect(
      await bench.json("/jsonrpc", { service: "common", method: "version", args: [] }, { method: "whatever" }),
    ).toMatchObject({ result: { protocol_version: 1 } });
  });
});

describe("users by number", () => {
  it("X36 are known again after a restart where the server can name them", async () => {
    const asked: unknown[] = [];
    await using bench = await legacyBench({
      legacy: {
        uidOf: () => 7,
        loginOf: (uid, database) => (asked.push([uid, database]), uid === 7 ? "ada" : undefined),
      },
    });
    expect(await bench.xml("object", "execute", "mydb", 7, "ada-pw", "res.partner", "read", [1])).toMatchObject({
      value: [{ id: 1 }],
    });
    expect(await bench.xml("common", "login", "mydb", "ada", "ada-pw")).toEqual({ value: 7 });
    expect(asked).toEqual([[7, "mydb"]]);
  });

  it("are guessed at no faster than passwords elsewhere", async () => {
    await using bench = await legacyBench({}, { authFailures: { perAddress: 3 } });
    for (let i = 0; i < 3; i++)
      expect(await bench.xml("common", "login", "mydb", "ada", `wrong${i}`)).toEqual({ value: false });
    expect(await bench.xml("common", "login", "mydb", "ada", "ada-pw")).toMatchObject({
      fault: { code: 1, message: expect.stringContaining("Too many") as string },
    });
  });
});

it("X36 is not there unless it is asked for", async () => {
  await using bench = await legacyBench({ legacy: false });
  expect((await bench.http.post("/xmlrpc/2/common", "<x/>", { headers: { "content-type": "text/xml" } })).status).toBe(
    404,
  );
});

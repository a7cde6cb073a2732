import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRouter, defineContract, unary } from "@rpc/core";
import { z } from "zod";
import { databases } from "../src/databases/databases.ts";
import { AccessDenied, AccessError, MissingError, UserError, ValidationError } from "../src/exceptions.ts";
import { type HttpAnswer, rpc2Bench, type Rpc2Bench } from "./rpc2-bench.ts";

const Model = defineContract("demo.Errors", {
  search: unary({ input: z.object({ domain: z.array(z.unknown()) }) }),
  raise: unary({ input: z.object({ name: z.string() }), errors: { MissingError: z.object({ id: z.number() }) } }),
  unsayable: unary({ input: z.object({}).optional() }),
});

const CLASSES = { UserError, AccessDenied, AccessError, MissingError, ValidationError } as const;

const model = createRouter(Model, {
  search: () => [],
  raise: ({ name }) => {
    if (name === "declared") throw Model.raise.error("MissingError", { id: 7 }, { message: "record 7 is gone" });
    if (Object.hasOwn(CLASSES, name)) throw new CLASSES[name as keyof typeof CLASSES]("because");
    throw new RangeError("handler broke");
  },
  unsayable: () => ({ callback: () => 1 }),
});

let bench: Rpc2Bench;
let odoo: Rpc2Bench;

beforeAll(async () => {
  const served = databases({ mydb: { models: { "res.partner": model } } });
  bench = await rpc2Bench(served);
  odoo = await rpc2Bench(served, { profile: "odoo" });
});

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await odoo[Symbol.asyncDispose]();
});

interface Row {
  readonly situation: string;
  readonly method: string;
  readonly params?: readonly unknown[];
  readonly path?: string;
  readonly code: number;
  readonly text: string | RegExp;
  /** In the profile `odoo`. */
  readonly odooText?: string;
}

const raise = (name: string): Pick<Row, "method" | "params"> => ({ method: "res.partner.raise", params: [[], [name]] });
const modelError = (name: string, code: number): Row => ({
  situation: name,
  ...raise(name),
  code,
  text: `${name}: because`,
  odooText: `odoo.exceptions.${name}: because`,
});
const ENVELOPE = "TypeError: the RPC2 endpoint takes a single parameter: a dict with";

const ROWS: readonly Row[] = [
  {
    situation: "admin function unknown",
    path: "/RPC2",
    method: "idontexist",
    code: -32_601,
    text: "NameError: no admin function 'idontexist' found",
  },
  {
    situation: "dotted name on admin",
    path: "/RPC2",
    method: "res.partner.search",
    code: -32_601,
    text: "NameError: 'res.partner.search' is not a valid admin function",
  },
  { situation: "model unknown", method: "i.dont.exist", code: -32_601, text: "NameError: no model 'i.dont' found" },
  {
    situation: "method unknown",
    method: "res.partner.idontexist",
    code: -32_601,
    text: "NameError: no method 'idontexist' found on model 'res.partner'",
  },
  {
    situation: "undotted on database",
    method: "version",
    code: -32_601,
    text: "NameError: 'version' is not a valid model name",
  },
  {
    situation: "arguments do not fit",
    method: "res.partner.search",
    params: [[]],
    code: -32_602,
    text: "TypeError: missing a required argument: 'domain'",
  },
  {
    situation: "arguments of wrong types",
    method: "res.partner.search",
    params: [[], [5]],
    code: -32_602,
    text: /domain/,
  },
  {
    situation: "wrong envelope",
    method: "res.partner.search",
    params: [{ args: [], domain: [] }],
    code: -32_602,
    text: new RegExp(`^${ENVELOPE} records, context, args and kwargs \\(all optional\\) keys`),
  },
  {
    situation: "wrong envelope on admin",
    path: "/RPC2",
    method: "version",
    params: [{ args: [], x: 1 }],
    code: -32_602,
    text: new RegExp(`^${ENVELOPE} args and kwargs \\(both optional\\) keys`),
  },
  {
    situation: "subject of another type",
    method: "res.partner.search",
    params: [5],
    code: -32_602,
    text: "TypeError: Unknown RPC subject 5, expected falsy value, list or dict",
  },
  modelError("UserError", -32_100),
  modelError("AccessDenied", -32_101),
  modelError("AccessError", -32_102),
  modelError("MissingError", -32_103),
  modelError("ValidationError", -32_104),
  {
    situation: "an error that the contract declares under such a name",
    ...raise("declared"),
    code: -32_103,
    text: "MissingError: record 7 is gone",
    odooText: "odoo.exceptions.MissingError: record 7 is gone",
  },
  {
    situation: "private method",
    method: "res.partner._search",
    code: -32_102,
    text: "AccessError: '_search' is a private method and can not be called over RPC",
    odooText: "odoo.exceptions.AccessError: '_search' is a private method and can not be called over RPC",
  },
  { situation: "any other throw", ...raise("other"), code: -32_500, text: "RangeError: handler broke" },
  {
    situation: "result cannot be marshalled",
    method: "res.partner.unsayable",
    code: -32_603,
    text: /^TypeError: cannot marshal/,
  },
];

/** A text stands for itself, from its first letter to its last. */
function pattern(text: string | RegExp): RegExp {
  return typeof text === "string" ? new RegExp(`^${text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`) : text;
}

describe.each(ROWS.map((row) => [row.situation, row] as const))("%s", (_situation, row) => {
  const { method, params = [], path = "/RPC2/mydb", code, text } = row;
  const odooText = row.odooText ?? text;

  it("X24 is the same fault in XML and in JSON, with HTTP 200", async () => {
    const { status, reply } = await bench.xml(method, params, { path });
    expect(status).toBe(200);
    expect(reply).toMatchObject({ fault: { code } });
    const said = (reply as { fault: { message: string } }).fault.message;
    expect(said).toMatch(pattern(text));
    const json = await bench.json(method, params, { path });
    expect(json.status).toBe(200);
    expect(json.body.error).toMatchObject({ code });
    expect(json.body.error?.message).toMatch(pattern(text));
  });

  it("X24 X25 has the names of the profile, and never a stack", async () => {
    const { reply, text: document } = await odoo.xml(method, params, { path });
    const said = (reply as { fault: { message: string } }).fault.message;
    expect(said).toMatch(pattern(odooText));
    expect(document).not.toMatch(/\.ts:|node:internal|\n\s+at |\\n +at /);
    const json = await bench.json(method, params, { path });
    expect(json.text).not.toMatch(/\.ts:|node:internal|\n\s+at |\\n +at /);
  });
});

describe("documents", () => {
  const post = (body: string | Uint8Array, contentType: string, path = "/RPC2/mydb"): Promise<HttpAnswer> =>
    bench.post(path, body, { headers: { "content-type": contentType } });
  const code = (answer: HttpAnswer): unknown => {
    if (answer.text.startsWith("{")) return (JSON.parse(answer.text) as { error: { code: number } }).error.code;
    return Number(/<name>faultCode<\/name>\s*<value><int>(-?\d+)/.exec(answer.text)?.[1]);
  };

  it("X22 of another mime type are refused with what there is", async () => {
    const answer = await post("<methodCall/>", "text/plain");
    expect(answer.status).toBe(415);
    expect(answer.headers.get("accept")).toMatch(/text\/xml.*application\/json/);
    expect(answer.text).toMatch(
      /^text\/plain mime type not supported by \/RPC2, request may be either XML-RPC as text\/xml or JSON-RPC 2\.0 as application\/json\./,
    );
  });

  it("that are not well-formed get 400 and -32700", async () => {
    for (const [body, type] of [
      ["<methodCall>", "text/xml"],
      ["{", "application/json"],
    ] as const) {
      const answer = await post(body, type);
      expect([answer.status, code(answer)]).toEqual([400, -32_700]);
    }
  });

  it("X23 of an unknown charset get 415, -32701 and what there is", async () => {
    for (const type of ["text/xml; charset=ansi", "application/json; charset=ansi"]) {
      const answer = await post(type.startsWith("text") ? "<methodCall/>" : "{}", type);
      expect([answer.status, code(answer)]).toEqual([415, -32_701]);
      expect(answer.text).toContain("LookupError: unknown encoding: ansi");
      expect(answer.headers.get("accept")).toMatch(/utf-8/);
    }
  });

  it("X23 that their charset cannot decode get 400 and -32702", async () => {
    const xml = await post(Buffer.from([0x3c, 0x61, 0x3e, 0xff]), "text/xml; charset=utf-8");
    expect([xml.status, code(xml)]).toEqual([400, -32_702]);
    const json = await post(Buffer.from([0x22, 0xff, 0x22]), "application/json");
    expect([json.status, code(json)]).toEqual([400, -32_702]);
    expect(json.text).toContain("UnicodeDecodeError: ");
  });

  it("that are no request get 400 and -32600", async () => {
    const xml = await post("<methodResponse/>", "text/xml");
    expect([xml.status, code(xml)]).toEqual([400, -32_600]);
    const json = await post('{"jsonrpc": "2.0", "id": 1}', "application/json");
    expect([json.status, code(json)]).toEqual([400, -32_600]);
    expect(json.text).toContain("ValueError: malformed JSON-RPC request");
  });

  it("for an unknown database get 404 in plain text, whatever they hold", async () => {
    const answer = await post("<nothing", "text/xml", "/RPC2/nosuch");
    expect(answer.status).toBe(404);
    expect(answer.text.trim()).toBe("Database not found");
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  });
});

describe("credentials", () => {
  it("X07 missing at a database get 401 with the realm, in plain text", async () => {
    const answer = await bench.xml("res.partner.search", [[], [[]]], { auth: "" });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe('Basic realm="RPC"');
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
    const named = await odoo.xml("res.partner.search", [[], [[]]], { auth: "" });
    expect(named.headers.get("www-authenticate")).toBe('Basic realm="Odoo-RPC"');
  });

  it("X07 of another scheme get 401, wrong ones 403", async () => {
    expect((await bench.xml("res.partner.search", [], { auth: "Digest x" })).status).toBe(401);
    expect((await bench.xml("res.partner.search", [], { auth: `Basic ${btoa("ada:wrong")}` })).status).toBe(403);
    expect((await bench.xml("res.partner.search", [[], [[]]], { auth: "Bearer key-of-ada" })).status).toBe(200);
  });

  it("X09 are not asked for by functions that need no master password", async () => {
    expect((await bench.xml("version", [], { path: "/RPC2/", auth: "" })).reply).toMatchObject({
      value: { protocol_version: 1 },
    });
    expect((await bench.xml("system.listMethods", [], { path: "/RPC2", auth: "" })).status).toBe(200);
  });

  it("come before the name of a database where that is asked for", async () => {
    await using hidden = await rpc2Bench(databases({ mydb: { models: {} } }, { authenticateFirst: true }));
    const at = async (path: string, auth: string): Promise<number> =>
      (await hidden.xml("system.noop", [], { path, auth })).status;
    const right = `Basic ${btoa("ada:ada-pw")}`;
    for (const path of ["/RPC2/mydb", "/RPC2/nosuch"]) {
      expect(await at(path, "")).toBe(401);
      expect(await at(path, `Basic ${btoa("ada:wrong")}`)).toBe(403);
    }
    expect([await at("/RPC2/mydb", right), await at("/RPC2/nosuch", right)]).toEqual([200, 404]);
  });
});

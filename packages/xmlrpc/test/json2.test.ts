import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { databases } from "../src/databases/databases.ts";
import { MissingError, UserError } from "../src/exceptions.ts";
import { createXmlRpcTransport } from "../src/index.ts";
import { type HttpAnswer, rpc2Bench, type Rpc2Bench } from "./rpc2-bench.ts";
import { partnerBench } from "./partners.ts";

const KEY = "Bearer key-of-ada";

const Values = defineContract("demo.Values", {
  echo: unary({
    input: z.object({ when: z.date().optional(), count: z.bigint().optional(), text: z.string().optional() }),
    output: z.object({ when: z.date().optional(), count: z.bigint().optional(), text: z.string().optional() }),
  }),
  raise: unary({ input: z.object({ name: z.string() }) }),
  nothing: unary({}),
  unsayable: unary({}),
});

const values = createRouter(Values, {
  echo: (input) => input,
  raise: ({ name }) => {
    if (name === "UserError") throw new UserError("not like this");
    if (name === "MissingError") throw new MissingError("gone");
    throw new RangeError("broken");
  },
  nothing: () => undefined,
  unsayable: () => ({ run: () => 1 }),
});

function setUp() {
  const { partners, calls } = partnerBench();
  return { calls, served: databases({ mydb: { models: { "res.partner": partners, values } } }, { version: "19.0" }) };
}

interface Call {
  readonly auth?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function call(
  bench: Rpc2Bench,
  path: string,
  body: unknown = {},
  { auth = KEY, headers = {} }: Call = {},
): Promise<HttpAnswer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return bench.post(`/json/2/${path}`, text, { auth, headers: { "content-type": "application/json", ...headers } });
}

function errorOf({ text }: HttpAnswer): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

describe("JSON-2 in front of databases", () => {
  const { served, calls } = setUp();
  let bench: Rpc2Bench;
  beforeAll(async () => {
    bench = await rpc2Bench(served);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it("X42 takes ids, context and named arguments in one flat object, and answers the bare value", async () => {
    const answer = await call(bench, "res.partner/read", { ids: [2], context: { lang: "de_DE" }, fields: ["name"] });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(answer.text)).toEqual([{ id: 2, name: "Grace" }]);
    expect(calls.at(-1)).toMatchObject({ database: "mydb", model: "res.partner", records: [2], identity: "ada" });
    expect(calls.at(-1)?.context).toEqual({ lang: "de_DE" });
  });

  it("X42 answers records as their ids, and takes an empty body for no arguments", async () => {
    expect(JSON.parse((await call(bench, "res.partner/search", { domain: [] })).text)).toEqual([1, 2]);
    expect((await call(bench, "values/nothing", "")).text).toBe("null");
  });

  it("carries dates and big integers as text where the contract has them", async () => {
    const when = "2024-05-06T07:08:09.000Z";
    const answer = await call(bench, "values/echo", { when, count: "9007199254740993", text: when });
    expect(JSON.parse(answer.text)).toEqual({ when, count: "9007199254740993", text: when });
  });

  it.each([
    ["res.partner/idontexist", {}, 404, "NameError", "no method 'idontexist' found on model 'res.partner'"],
    ["i.dont/exist", {}, 404, "NameError", "no model 'i.dont' found"],
    ["res.partner/_search", {}, 403, "AccessError", "'_search' is a private method and can not be called over RPC"],
    ["res.partner/search", {}, 422, "TypeError", "missing a required argument: 'domain'"],
    ["res.partner/search", { domain: [], colour: 1 }, 422, "TypeError", "got an unexpected keyword argument 'colour'"],
    ["res.partner/search", { ids: 5, domain: [] }, 422, "TypeError", "records must be a list, got 5"],
    ["res.partner/search", [], 400, "ValueError", "the body must be a JSON object"],
    ["res.partner/search", "{", 400, "JSONDecodeError", "the body is not JSON"],
    ["values/raise", { name: "UserError" }, 422, "UserError", "not like this"],
    ["values/raise", { name: "MissingError" }, 404, "MissingError", "gone"],
    ["values/raise", { name: "other" }, 500, "RangeError", "broken"],
    ["%zz/read", {}, 404, "NameError", "the path has no name of a method"],
  ])("X42 answers %s with %j by HTTP %i", async (path, body, status, name, message) => {
    const answer = await call(bench, path, body);
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toEqual({ name, message, arguments: [message], context: {}, debug: "" });
  });

  it("says that a result cannot be said", async () => {
    const answer = await call(bench, "values/unsayable");
    expect(answer.status).toBe(500);
    expect(errorOf(answer)).toMatchObject({
      name: "TypeError",
      message: expect.stringMatching(/^cannot marshal/) as string,
    });
  });

  it("X42 refuses by the statuses of HTTP, in JSON", async () => {
    const nobody = await call(bench, "res.partner/read", {}, { auth: "" });
    expect(nobody.status).toBe(401);
    expect(nobody.headers.get("www-authenticate")).toContain("Basic realm");
    expect(errorOf(nobody)).toMatchObject({ message: "Authentication required" });
    expect((await call(bench, "res.partner/read", {}, { auth: "Bearer wrong" })).status).toBe(403);
    expect((await call(bench, "res.partner/read", "x", { headers: { "content-type": "text/plain" } })).status).toBe(
      415,
    );
    expect((await bench.get("/json/2/res.partner/read")).status).toBe(405);
    expect((await bench.get("/json/2/res.partner")).status).toBe(404);
  });

  it("X42 finds the database by header, or by itself where there is one alone", async () => {
    const named = (name: string): Promise<HttpAnswer> =>
      call(bench, "res.partner/search", { domain: [] }, { headers: { "x-odoo-database": name } });
    expect((await named("mydb")).status).toBe(200);
    expect((await named("other")).status).toBe(404);
    expect((await named("../x")).status).toBe(404);
    await using two = await rpc2Bench(databases({ a: { models: { values } }, b: { models: { values } } }));
    expect((await call(two, "values/nothing")).status).toBe(400);
    expect((await call(two, "values/nothing", {}, { headers: { "x-odoo-database": "b" } })).status).toBe(200);
    await using none = await rpc2Bench(databases({}));
    expect((await call(none, "values/nothing")).status).toBe(404);
  });

  it.each(["/json/version", "/web/version"])("X42 tells its version at %s, without credentials", async (path) => {
    const answer = await bench.get(path);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ version_info: [19, 0, 0, "final", 0], version: "19.0" });
  });

  it("X42 describes what there is as OpenAPI, to who may call", async () => {
    expect((await bench.get("/json/2/openapi.json")).status).toBe(401);
    const response = await fetch(`${bench.origin}/json/2/openapi.json`, {
      headers: { authorization: KEY, connection: "close" },
    });
    const { openapi, info, paths } = (await response.json()) as {
      openapi: string;
      info: unknown;
      paths: Record<string, unknown>;
    };
    expect([openapi, info]).toEqual(["3.1.0", { title: "JSON-2", version: "19.0" }]);
    expect(paths["/json/2/res.partner/search"]).toMatchObject({
      post: {
        operationId: "res.partner.search",
        summary: "Finds partners",
        requestBody: {
          content: {
            "application/json": {
              schema: {
                type: "object",
                required: ["domain"],
                properties: { ids: { type: "array" }, domain: { type: "array" } },
              },
            },
          },
        },
        responses: { "404": {} },
      },
    });
  });

  it("shows stacks only where the listener exposes them", async () => {
    await using exposing = await rpc2Bench(served, { exposeStacks: true });
    const answer = await call(exposing, "values/raise", { name: "other" });
    expect(errorOf(answer)).toMatchObject({ debug: expect.stringContaining("RangeError: broken") as string });
  });

  it("is not there when it is switched off", async () => {
    await using off = await rpc2Bench(databases({ mydb: { models: { values } } }, { json2: false }));
    expect((await call(off, "values/nothing")).status).toBe(404);
    expect((await off.get("/json/version")).status).toBe(404);
  });

  it("runs when nobody has to show anything", async () => {
    await using open = await rpc2Bench(served, { authenticate: undefined });
    expect((await call(open, "values/nothing", {}, { auth: "" })).status).toBe(200);
  });
});

describe("JSON-2 in front of a plain router", () => {
  it("X42 D19 serves the same handler, a contract being the model", async () => {
    await using bench = await rpc2Bench(values);
    const answer = await call(bench, "demo.Values/echo", { text: "hello" });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { text: "hello" }]);
    expect((await call(bench, "demo.Values/nosuch")).status).toBe(404);
    expect((await call(bench, "demo.Values/nothing", {}, { auth: "" })).status).toBe(401);
    const described = await fetch(`${bench.origin}/json/2/openapi.json`, {
      headers: { authorization: KEY, connection: "close" },
    });
    expect(await described.json()).toMatchObject({ paths: { "/json/2/demo.Values/echo": { post: {} } } });
    await using off = await rpc2Bench(values, { json2: false });
    expect((await call(off, "demo.Values/nothing")).status).toBe(404);
  });

  it("D19 is called by our own client with one line changed", async () => {
    await using bench = await rpc2Bench(values, { authenticate: undefined });
    await using transport = createXmlRpcTransport(`${bench.origin}/RPC2`, { protocol: "json-2" });
    const client = createClient(Values, transport);
    const when = new Date("2024-05-06T07:08:09Z");
    expect(await client.echo({ when, count: 2n ** 60n })).toEqual({ when, count: 2n ** 60n });
    expect(await client.nothing()).toBeUndefined();
    await expect(client.raise({ name: "UserError" })).rejects.toMatchObject({ reason: "UserError" });
  });
});

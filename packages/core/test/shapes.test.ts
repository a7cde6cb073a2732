import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  RpcError,
  serverStream,
  type StandardSchema,
  unary,
} from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { settled } from "./fake-clock.ts";
import { all, call, failure, json, listen, memory, rawClient, thrownBy } from "./rig.ts";

/** The same contract in three dialects; a caller passes `{ name, age? }`, the handler gets an age in any case. */
const dialects = {
  zod: defineContract("test.People", {
    greet: unary({
      input: z.object({ name: z.string().min(1), age: z.number().default(30) }),
      output: z.object({ text: z.string().transform((text) => text.toUpperCase()) }),
    }),
    steps: unary({ input: z.object({ steps: z.array(z.object({ command: z.string() })) }) }),
  }),
  valibot: defineContract("test.People", {
    greet: unary({
      input: v.object({ name: v.pipe(v.string(), v.minLength(1)), age: v.optional(v.number(), 30) }),
      output: v.object({ text: v.pipe(v.string(), v.toUpperCase()) }),
    }),
    steps: unary({ input: v.object({ steps: v.array(v.object({ command: v.string() })) }) }),
  }),
  arktype: defineContract("test.People", {
    greet: unary({
      input: type({ name: "string > 0", age: "number = 30" }),
      output: type({ text: type("string").pipe((text) => text.toUpperCase()) }),
    }),
    steps: unary({ input: type({ steps: type({ command: "string" }).array() }) }),
  }),
};

describe.each(Object.entries(dialects))("a contract in %s", (_name, people) => {
  // One dialect stands for all three: their types are equal where this test looks.
  const People = people as (typeof dialects)["zod"];
  let runs = 0;
  const router = createRouter(People, {
    greet: ({ name, age }) => {
      runs++;
      return { text: `${name} is ${age}` };
    },
    steps: () => runs++,
  });

  it("gives the handler what the validator made of the input, defaults included", async () => {
    const client = createClient(People, memory(router));
    expect(await client.greet({ name: "Ada" })).toEqual({ text: "ADA IS 30" });
    expect(await client.greet({ name: "Ada", age: 36 })).toEqual({ text: "ADA IS 36" });
  });

  it("refuses input at the server with its path, and does not run the handler", async () => {
    const client = createClient(People, memory(router));
    const before = runs;
    const error = await failure(
      client.steps({ steps: [{ command: "a" }, { command: "b" }, { command: 7 as unknown as string }] }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_ARGUMENT" });
    expect(error.message).toContain("test.People.steps: input: steps[2].command: ");
    expect(error.details).toMatchObject({ issues: [{ path: "steps[2].command" }] });
    expect(runs).toBe(before);
  });

  it("refuses input at the client when it is asked to, and sends nothing", async () => {
    const transport = memory(router);
    const client = createClient(People, transport, { validateInput: true });
    expect(await failure(client.greet({ name: "" }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(transport.connected).toBe(false);
  });

  it("works with validation at both ends, and fills in defaults once", async () => {
    const client = createClient(People, memory(router), { validateInput: true });
    expect(await client.greet({ name: "Ada" })).toEqual({ text: "ADA IS 30" });
  });

  it("H76 refuses a list where a record is due", async () => {
    const client = createClient(People, memory(router));
    expect(await failure(client.steps([] as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("C35 turns output that breaks the contract into INTERNAL", async () => {
    const broken = createRouter(People, { greet: () => ({ text: 5 as unknown as string }), steps: () => null });
    const error = await failure(createClient(People, memory(broken)).greet({ name: "Ada" }));
    expect(error).toMatchObject({ code: "INTERNAL", reason: "INTERNAL" });
    expect(error.message).toContain("test.People.greet: output: text: ");
  });

  it("sends output as the handler made it when validateOutput is off", async () => {
    const plain = createRouter(
      People,
      { greet: () => ({ text: "small" }), steps: () => null },
      { validateOutput: false },
    );
    expect(await createClient(People, memory(plain)).greet({ name: "Ada" })).toEqual({ text: "small" });
  });
});

describe("validators of every kind", () => {
  it.each([
    ["zod", z.string().refine(async (text) => Promise.resolve(text.length < 5))],
    [
      "valibot",
      v.pipeAsync(
        v.string(),
        v.checkAsync(async (text) => Promise.resolve(text.length < 5)),
      ),
    ],
  ])("H78 may be asynchronous: %s", async (_name, schema) => {
    const Async = defineContract("test.Async", { take: unary({ input: schema, output: schema }) });
    let runs = 0;
    const router = createRouter(Async, {
      take: (text) => {
        runs++;
        return `${text}!`;
      },
    });
    const client = createClient(Async, memory(router));
    expect(await client.take("abc")).toBe("abc!");
    expect(await failure(client.take("abcdef"))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(runs).toBe(1);
    // Input passes, output does not.
    expect(await failure(client.take("abcd"))).toMatchObject({ code: "INTERNAL" });
    expect(await failure(createClient(Async, memory(router), { validateInput: true }).take("abcdef"))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("may be a function, as arktype's are", () => {
    expect(() => defineContract("test.F", { f: unary({ input: type("string") }) })).not.toThrow();
  });

  function custom(validate: StandardSchema["~standard"]["validate"]): StandardSchema {
    return { "~standard": { version: 1, vendor: "test", validate } };
  }

  it.each([
    [
      "throws",
      () => {
        throw new Error("regex engine on fire");
      },
    ],
    ["rejects", () => Promise.reject(new Error("regex engine on fire"))],
  ] as const)("H78 is INTERNAL when the validator itself %s", async (_what, validate) => {
    const Broken = defineContract("test.Broken", { take: unary({ input: custom(validate) }) });
    let ran = false;
    const client = createClient(Broken, memory(createRouter(Broken, { take: () => (ran = true) })));
    const error = await failure(client.take(1));
    expect(error).toMatchObject({ code: "INTERNAL", reason: "INTERNAL" });
    expect(error.message).toContain("test.Broken.take: input: the validator failed: regex engine on fire");
    expect(ran).toBe(false);
  });

  it("H78 changes nothing for other calls when a validator throws", async () => {
    const Mixed = defineContract("test.Mixed", {
      bad: unary({
        input: custom(() => {
          throw new Error("no");
        }),
      }),
      good: unary({ input: z.number() }),
    });
    const client = createClient(Mixed, memory(createRouter(Mixed, { bad: () => null, good: (n) => n + 1 })));
    const [bad, good] = await Promise.allSettled([client.bad(1), client.good(1)]);
    expect(bad.status).toBe("rejected");
    expect(good).toEqual({ status: "fulfilled", value: 2 });
  });

  it("H78 H83 tells no more than sixteen issues of a hostile list", async () => {
    const Many = defineContract("test.Many", { take: unary({ input: z.array(z.number()) }) });
    const client = createClient(Many, memory(createRouter(Many, { take: () => null })));
    const error = await failure(client.take(Array.from({ length: 50_000 }, () => "x") as never));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((error.details as { readonly issues: readonly unknown[] }).issues).toHaveLength(16);
  });

  it("H74 does not send the caller's own megabytes back as a path", async () => {
    const Strict = defineContract("test.Strict", { take: unary({ input: z.record(z.string(), z.number()) }) });
    const peer = await rawClient(listen(createRouter(Strict, { take: () => null })));
    await peer.send(
      call(1, "test.Strict.take", { payload: json({ [`\u001b[31m${"k".repeat(1_000_000)}`]: "no number" }) }),
    );
    const [fail] = peer.of(Body.Fail);
    expect(fail?.error).toMatchObject({ code: 3 });
    expect(JSON.stringify(fail).length).toBeLessThan(5_000);
    expect(fail?.error.message).not.toContain("\u001b");
  });

  it("names keys, indexes and path segments that are objects", async () => {
    const Paths = defineContract("test.Paths", {
      take: unary({
        input: custom(() => ({ issues: [{ message: "is wrong", path: ["list", { key: 3 }, { key: "name" }] }] })),
      }),
    });
    const client = createClient(Paths, memory(createRouter(Paths, { take: () => null })));
    expect((await failure(client.take(0))).message).toBe("test.Paths.take: input: list[3].name: is wrong");
  });

  it("names the method alone when an issue has no path", async () => {
    const Flat = defineContract("test.Flat", {
      take: unary({ input: custom(() => ({ issues: [{ message: "is wrong" }] })) }),
    });
    const client = createClient(Flat, memory(createRouter(Flat, { take: () => null })));
    expect((await failure(client.take(0))).message).toBe("test.Flat.take: input: is wrong");
  });

  it("refuses when there are issues, even none", async () => {
    const Odd = defineContract("test.Odd", { take: unary({ input: custom(() => ({ issues: [] })) }) });
    const client = createClient(Odd, memory(createRouter(Odd, { take: () => null })));
    expect(await failure(client.take(0))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each([
    ["a string", "string"],
    ["a record", {}],
    ["null", null],
    [
      "a class",
      class {
        readonly member = 1;
      },
    ],
  ])("refuses %s as schema when the contract is made", (_what, schema) => {
    const error = thrownBy(() =>
      defineContract("test.Wrong", { take: unary({ input: schema as unknown as StandardSchema }) }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(error.message).toContain("test.Wrong.take: input is no schema");
  });

  it("H80 never see a prototype that the peer sent", async () => {
    const Open = defineContract("test.Open", { take: unary({ input: z.looseObject({ a: z.number() }) }) });
    let got: Record<string, unknown> = {};
    const peer = await rawClient(listen(createRouter(Open, { take: (input) => void (got = input) })));
    await peer.sendJson('{"b":16,"id":1,"method":"test.Open.take","p":{"a":1,"__proto__":{"admin":true}}}');
    expect(got["a"]).toBe(1);
    expect(got["admin"]).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("admin");
  });
});

describe("streams and their validators", () => {
  const Lines = defineContract("test.Lines", {
    lines: serverStream({ input: z.number().max(5), output: z.string().max(3) }),
    slowly: serverStream({
      input: z.number().refine(async (n) => Promise.resolve(n < 5)),
      output: z.string().refine(async (t) => Promise.resolve(t !== "c")),
    }),
  });
  const router = createRouter(Lines, { lines: () => ["a", "bb", "much too long"], slowly: () => ["a", "b", "c", "d"] });

  it("prove the input before the handler is asked", async () => {
    expect(await failure(all(createClient(Lines, memory(router)).lines(6)))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("deliver what came before an output that breaks the contract", async () => {
    const got: string[] = [];
    const error = await failure(
      (async () => {
        for await (const line of createClient(Lines, memory(router)).lines(1)) got.push(line);
      })(),
    );
    expect(got).toEqual(["a", "bb"]);
    expect(error).toMatchObject({ code: "INTERNAL" });
  });

  it("may be asynchronous", async () => {
    const client = createClient(Lines, memory(router));
    const got: string[] = [];
    const error = await failure(
      (async () => {
        for await (const line of client.slowly(1)) got.push(line);
      })(),
    );
    expect(got).toEqual(["a", "b"]);
    expect(error).toMatchObject({ code: "INTERNAL" });
    expect(await failure(all(client.slowly(9)))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("H78 leave no rejection behind when an asynchronous validator refuses a stream that is never read", async () => {
    const peer = await rawClient(listen(router));
    await peer.send(call(1, "test.Lines.slowly", { kind: "serverStream", payload: json(9), credits: 0 }));
    await peer.send({ body: Body.Cancel, id: 1, reason: "changed my mind" });
    // An unhandled rejection fails the whole run.
    expect(peer.ends).toEqual([]);
  });
});

describe("details of declared errors", () => {
  it("H78 are not what the contract says when they cannot be proved at once", async () => {
    const schema = z.object({ at: z.string().refine(async () => Promise.resolve(false)) });
    const Late = defineContract("test.Late", { run: unary({ errors: { Late: schema } }) });
    const caught: unknown = new RpcError("ABORTED", "", { reason: "Late", details: { at: "x" } });
    expect(Late.run.isError(caught, "Late")).toBe(false);
    // An unhandled rejection fails the whole run.
    await settled();
  });
});

import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adminArguments,
  type Arguments,
  type ConventionOptions,
  databaseArguments,
} from "../src/databases/conventions.ts";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import { splitMethod } from "../src/databases/addressing.ts";
import { FaultError } from "../src/fault.ts";
import { Double, XmlRpcDateTime } from "../src/values.ts";

const AUTO: ConventionOptions = { convention: "auto", unknownSubjectKeys: "ignore" };

function read(
  params: readonly unknown[] | Record<string, unknown>,
  options: Partial<ConventionOptions> = {},
): Partial<Arguments> {
  const { form, records, context, args, kwargs } = databaseArguments(params, { ...AUTO, ...options });
  return { form, records, context: { ...context }, args, kwargs: { ...kwargs } };
}

function refusal(run: () => unknown): FaultError["fault"] {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof FaultError) return thrown.fault;
    throw thrown;
  }
  throw new Error("nothing was refused");
}

/** Whether it gives arguments or the fault of wrong ones. */
function outcome(run: () => Arguments): boolean {
  try {
    const { args, records } = run();
    return Array.isArray(args) && Array.isArray(records);
  } catch (thrown) {
    return thrown instanceof FaultError && thrown.fault.code === -32_602;
  }
}

describe("subject form", () => {
  it.each([[[]], [[false]], [[0]], [[-0]], [[0n]], [[""]], [[null]], [[undefined]], [[[]]], [[{}]], [[new Map()]]])(
    "X11 takes the falsy subject of %s for no records",
    (params) => {
      expect(read(params)).toEqual({ form: "subject", records: [], context: {}, args: [], kwargs: {} });
    },
  );

  it("X11 takes a list for record ids and a struct for records and context", () => {
    expect(read([[1, 2]]).records).toEqual([1, 2]);
    expect(read([{ records: [3], context: { lang: "de_DE" } }])).toMatchObject({
      records: [3],
      context: { lang: "de_DE" },
    });
  });

  it("X11 takes falsy records and a falsy context in a struct for none", () => {
    for (const nothing of [null, false, 0, "", [], {}])
      expect(read([{ records: nothing, context: nothing, timeout: null }])).toMatchObject({ records: [], context: {} });
  });

  it.each([
    [1],
    [true],
    ["abc"],
    [1.5],
    [new Uint8Array(2)],
    [new Date(0)],
    [new Double(1)],
    [Number.NaN],
    [new XmlRpcDateTime({ year: 2000, month: 1, day: 1 })],
  ])("X11 refuses the subject %s", (subject) => {
    const fault = refusal(() => read([subject]));
    expect(fault.code).toBe(-32_602);
    expect(fault.message).toMatch(/^TypeError: Unknown RPC subject .+, expected falsy value, list or dict$/);
  });

  it("X12 takes args, kwargs, both, and either alone", () => {
    expect(read([[1], ["a"], { b: 2 }])).toMatchObject({ records: [1], args: ["a"], kwargs: { b: 2 } });
    expect(read([[1], ["a"]])).toMatchObject({ args: ["a"], kwargs: {} });
    expect(read([[1], { b: 2 }])).toMatchObject({ args: [], kwargs: { b: 2 } });
    expect(read([[1], ["a"], null])).toMatchObject({ args: ["a"], kwargs: {} });
    expect(read([[1], null, { b: 2 }])).toMatchObject({ args: [], kwargs: { b: 2 } });
  });

  it("refuses a third parameter after kwargs, a fourth one, and parts of other types", () => {
    for (const params of [
      [[], { a: 1 }, { b: 1 }],
      [[], [], {}, 1],
      [[], 5],
      [[], "ab"],
      [[], [], []],
      [[], [], "x"],
    ])
      expect(refusal(() => read(params)).code).toBe(-32_602);
  });

  it("X13 keeps the keys that it does not know, unless they are to be refused", () => {
    expect(databaseArguments([{ records: [1], company: 3 }], AUTO).subject).toEqual({ records: [1], company: 3 });
    const fault = refusal(() => read([{ company: 3 }], { unknownSubjectKeys: "reject" }));
    expect(fault).toEqual({ code: -32_602, message: "TypeError: unknown key 'company' in the RPC subject" });
  });

  it("X13 refuses a lone struct that has nothing of a subject: as one, its members would be lost", () => {
    for (const struct of [{ domain: [], limit: 5 }, new Map([["domain", []]])])
      expect(refusal(() => read([struct]))).toEqual({
        code: -32_602,
        message:
          "TypeError: the only parameter is a dict that has 'domain' but neither records nor context. Did you mean {'kwargs': {...}}?",
      });
    expect(refusal(() => read([{ args: [] }], { convention: "subject" })).message).toMatch(
      /Did you mean \[false, \{\.\.\.\}\]\?$/,
    );
    expect(databaseArguments([{ timeout: 1, domain: [] }], AUTO)).toMatchObject({ form: "subject", timeout: 1 });
    expect(read([{ domain: [] }, null])).toMatchObject({ form: "subject" });
  });

  it("X13 reads the reserved keys in either form, and refuses what they cannot be", () => {
    const keys = { timeout: 1.5, idempotencyKey: "k", trace: "00-1-2-01" };
    expect(databaseArguments([{ records: [1], ...keys }], AUTO)).toMatchObject(keys);
    expect(databaseArguments([{ args: [], ...keys }], AUTO)).toMatchObject({ form: "struct", ...keys });
    for (const bad of [
      { timeout: "1" },
      { timeout: -1 },
      { timeout: Infinity },
      { timeout: Number.NaN },
      { idempotencyKey: 7 },
      { trace: "x".repeat(2_000) },
    ])
      expect(refusal(() => databaseArguments([bad], AUTO)).code).toBe(-32_602);
  });
});

describe("single struct", () => {
  it("X14 takes records, context, args and kwargs, all optional", () => {
    expect(read([{ records: [1], context: { a: 1 }, args: ["x"], kwargs: { y: 2 } }])).toEqual({
      form: "struct",
      records: [1],
      context: { a: 1 },
      args: ["x"],
      kwargs: { y: 2 },
    });
    expect(read([{ args: null, kwargs: { y: 2 } }])).toMatchObject({ form: "struct", args: [], kwargs: { y: 2 } });
  });

  it("X14 says what it takes when there is a key that it does not know", () => {
    const fault = refusal(() => read([{ args: [], contxt: {} }]));
    expect(fault.code).toBe(-32_602);
    expect(fault.message).toBe(
      "TypeError: the RPC2 endpoint takes a single parameter: a dict with records, context, args and kwargs (all optional) keys, it has 'contxt'",
    );
  });

  it("X14 gives a hint when it is demanded and several parameters came", () => {
    expect(refusal(() => read([[1], ["a"]], { convention: "struct" })).message).toMatch(
      /Did you mean \{'args': \[\.\.\.\]\}\?$/,
    );
    expect(read([], { convention: "struct" })).toMatchObject({ form: "struct", args: [] });
    expect(refusal(() => read([[1]], { convention: "struct" })).code).toBe(-32_602);
  });

  it("reads the params object of JSON-RPC as the single struct, whatever is demanded", () => {
    for (const convention of ["auto", "struct", "subject"] as const)
      expect(read({ records: [1], args: [2] }, { convention })).toMatchObject({
        form: "struct",
        records: [1],
        args: [2],
      });
    expect(refusal(() => read({ domain: [] })).code).toBe(-32_602);
  });

  it("leaves a struct with args to be a subject where only subjects are taken", () => {
    expect(read([{ records: [1], args: [2] }], { convention: "subject" })).toMatchObject({ form: "subject", args: [] });
  });

  it("takes a Map where structs are decoded to maps", () => {
    const struct = new Map<string, unknown>([
      ["args", [1]],
      ["kwargs", new Map([["a", 1]])],
    ]);
    expect(read([struct])).toEqual({ form: "struct", records: [], context: {}, args: [1], kwargs: { a: 1 } });
  });

  it("H125 takes members called __proto__ and constructor for data", () => {
    const kwargs = Object.create(null) as Record<string, unknown>;
    kwargs["__proto__"] = { polluted: true };
    const given = databaseArguments([[], [], kwargs], AUTO);
    expect(Object.keys(given.kwargs)).toEqual(["__proto__"]);
    const subject = JSON.parse('{"records": [1], "constructor": 1}') as Record<string, unknown>;
    expect(read([subject])).toMatchObject({ form: "subject", records: [1] });
    expect(refusal(() => read([{ constructor: 1 }])).code).toBe(-32_602);
  });
});

describe("detection", () => {
  const value = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null));
  const struct = fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"),
    value,
  );
  const optional = fc.record(
    { records: fc.array(fc.integer()), context: struct, args: fc.array(value), kwargs: struct },
    { requiredKeys: [] },
  );

  it("takes one struct with args or kwargs for the single struct, and nothing else", () => {
    fc.assert(
      fc.property(optional, (single) => {
        const isStruct = "args" in single || "kwargs" in single;
        const given = databaseArguments([single], AUTO);
        expect(given.form).toBe(isStruct ? "struct" : "subject");
        expect(given.records).toEqual(single.records ?? []);
        expect({ ...given.context }).toEqual({ ...single.context });
        expect(given.args).toEqual(single.args ?? []);
        expect({ ...given.kwargs }).toEqual({ ...single.kwargs });
      }),
    );
  });

  it("gives the same call in both conventions", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), struct, fc.array(value), struct, (records, context, args, kwargs) => {
        const bySubject = read([{ records, context }, args, kwargs]);
        const byStruct = read([{ records, context, args, kwargs }]);
        expect({ ...bySubject, form: "" }).toEqual({ ...byStruct, form: "" });
      }),
    );
  });

  it("answers whatever comes with arguments or with -32602", () => {
    fc.assert(
      fc.property(fc.array(fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true })), (params) => {
        for (const convention of ["auto", "struct", "subject"] as const) {
          expect(outcome(() => databaseArguments(params, { convention, unknownSubjectKeys: "reject" }))).toBe(true);
        }
      }),
    );
  });

  it("never drops an argument of a struct that has a typing error", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(value), (key, args) => {
        fc.pre(
          !["records", "context", "kwargs", "args", "timeout", "idempotencyKey", "trace", "__proto__"].includes(key),
        );
        expect(refusal(() => read([{ args, [key]: 1 }])).code).toBe(-32_602);
      }),
    );
  });
});

describe("functions without a database", () => {
  it("take positional parameters as they are, or the single struct", () => {
    expect(adminArguments(["db", true])).toMatchObject({ form: "plain", args: ["db", true], kwargs: {} });
    expect(adminArguments([{ kwargs: { dbname: "x" } }])).toMatchObject({ form: "struct", kwargs: { dbname: "x" } });
    expect(adminArguments([{ dbname: "x" }])).toMatchObject({ form: "plain", args: [{ dbname: "x" }] });
    expect(adminArguments({ args: ["db"] })).toMatchObject({ form: "struct", args: ["db"] });
  });

  it("say what they take", () => {
    expect(refusal(() => adminArguments([{ args: [], records: [] }]))).toEqual({
      code: -32_602,
      message:
        "TypeError: the RPC2 endpoint takes a single parameter: a dict with args and kwargs (both optional) keys, it has 'records'",
    });
  });
});

interface Rpc2Vector {
  readonly id: string;
  readonly title: string;
  readonly xml: string;
  readonly expect: {
    readonly rpc2: { readonly form: string; readonly model: string; readonly name: string; readonly args: unknown[] };
  };
}

describe("documents", () => {
  const file = JSON.parse(readFileSync(new URL("vectors/xmlrpc.json", import.meta.url), "utf8")) as {
    readonly vectors: readonly Rpc2Vector[];
  };
  const vectors = file.vectors.filter(({ expect: expected }) => expected.rpc2 !== undefined);

  it.each(vectors.map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: %s",
    (_id, _title, { xml, expect: { rpc2 } }) => {
      const { method, params } = createDocumentCodec().decodeCall(Buffer.from(xml), "text/xml");
      const { form, model, name, ...parts } = rpc2;
      expect(splitMethod(method)).toEqual({ model, method: name });
      const given = databaseArguments(params, AUTO);
      expect(given.form).toBe(form);
      expect(given).toMatchObject(parts);
    },
  );

  it("are there", () => {
    expect(vectors.length).toBeGreaterThanOrEqual(2);
  });
});

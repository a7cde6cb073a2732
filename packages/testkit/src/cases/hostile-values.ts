import type { RpcError } from "@rpc/core";
import { check, equal, rejects } from "../assert.ts";
import { one, proves, type TransportBench, type TransportCase } from "../transport-bench.ts";

/** Values that no wire can carry, with the part of the path that the refusal must name. */
function unsendable(bench: TransportBench): readonly (readonly [string, unknown])[] {
  const cycle: Record<string, unknown> = { a: 1 };
  cycle["self"] = cycle;
  const throwing = Object.defineProperty({}, "trap", {
    enumerable: true,
    get: () => {
      throw new TypeError("the getter broke");
    },
  });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const all: readonly (readonly [string, unknown])[] = [
    ["a cycle", cycle],
    ["a throwing getter", throwing],
    ["a revoked proxy", revoked.proxy],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a map", new Map([[1, 2]])],
    ["a class instance", new URL("http://localhost/")],
    ["a promise", Promise.resolve(1)],
  ];
  // What a wire takes all the same, as another value, stands in its table of losses.
  return all.filter(([name]) => !bench.loses(name));
}

/** H89–H92: values that cannot travel, and whatever a handler throws. */
export const hostileValueCases: readonly TransportCase[] = [
  proves("H89", "fails locally, with the path, what cannot be encoded, and stays usable", async (bench) => {
    let runs = 0;
    const { client } = await one(bench, (input) => {
      runs += 1;
      return input;
    });
    for (const [name, value] of unsendable(bench)) {
      const error = await rejects((async () => client.run({ list: [1, value] }))(), { code: "INVALID_ARGUMENT" }, name);
      check(error.message.includes("list[1]"), `${name}: the message lacks the path: "${error.message}"`);
    }
    equal(runs, 0, "runs of the handler");
    equal(await client.run("next"), "next", "next call");
  }),

  proves("H90", "gives a reply that cannot be encoded as an error, never silence", async (bench) => {
    const values = unsendable(bench);
    const { client } = await one(bench, (input) => ({ list: [1, values[input as number]?.[1]] }));
    for (const [i, [name]] of values.entries()) {
      const error = await rejects(client.run(i), { code: "INTERNAL" }, name);
      check(error.message.includes("list[1]"), `${name}: the message lacks the path: "${error.message}"`);
    }
  }),

  proves("H90", "gives a reply beyond the limit as RESOURCE_EXHAUSTED", async (bench) => {
    const { client } = await one(bench, (input) => "x".repeat(input as number), {
      limits: { maxMessageBytes: 50_000 },
      callerLimits: { maxMessageBytes: 50_000 },
    });
    await rejects(client.run(60_000), { code: "RESOURCE_EXHAUSTED" }, "reply beyond the limit");
    equal(await client.run(3), "xxx", "next call");
  }),

  proves("H91", "gives an error for whatever a handler throws, and lives", async (bench) => {
    const trap = new Error("x");
    Object.defineProperty(trap, "message", {
      get: () => {
        throw new TypeError("the getter broke");
      },
    });
    Object.defineProperty(trap, "name", {
      get: () => {
        throw new TypeError("the getter broke");
      },
    });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const named = new Error("odd name");
    named.name = "constructor";
    const thrown = [
      undefined,
      null,
      "text",
      5,
      Symbol("s"),
      Object.freeze(new Error("frozen")),
      trap,
      revoked.proxy,
      named,
      () => 1,
    ];
    await throwsEach(bench, thrown);
  }),

  proves("H92", "cuts long and cyclic cause chains and lets no stack out", async (bench) => {
    const cyclic = new Error("cyclic");
    cyclic.cause = cyclic;
    let chain = new Error("bottom");
    for (let i = 0; i < 10_000; i += 1) chain = new Error(`level ${i}`, { cause: chain });
    const many = new AggregateError(
      Array.from({ length: 20_000 }, () => new Error("one of many")),
      "many",
    );
    const errors = await throwsEach(bench, [cyclic, chain, many]);
    for (const error of errors) {
      check(error.remoteStack === undefined, "a stack left the process");
      check(error.message.length < 10_000, `a message of ${error.message.length} characters`);
    }
  }),

  proves("H92", "keeps the stack within bounds with exposeStacks", async (bench) => {
    const cyclic = new Error("cyclic");
    cyclic.cause = cyclic;
    const { client } = await one(
      bench,
      () => {
        throw cyclic;
      },
      { exposeStacks: true },
    );
    const error = await rejects(client.run(), { code: "UNKNOWN" }, "call");
    check((error.remoteStack?.length ?? 0) < 100_000, `a stack of ${error.remoteStack?.length} characters`);
  }),
];

async function throwsEach(bench: TransportBench, thrown: readonly unknown[]): Promise<RpcError[]> {
  const errors: RpcError[] = [];
  const { client } = await one(bench, async (input) => {
    const { n, later } = input as { readonly n: number; readonly later: boolean };
    if (later) await Promise.resolve();
    // oxlint-disable-next-line typescript/only-throw-error -- what handlers should not throw is what is thrown here
    throw thrown[n];
  });
  for (const n of thrown.keys()) {
    for (const later of [false, true])
      errors.push(await rejects(client.run({ n, later }), { code: "UNKNOWN" }, `thrown value ${n}`));
  }
  equal(errors.length, thrown.length * 2, "errors");
  return errors;
}

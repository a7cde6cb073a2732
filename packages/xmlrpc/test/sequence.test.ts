import { createRouter, defineContract, type Handler, unary } from "@rpc/core";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { databaseCall } from "../src/databases/database-call.ts";
import { databases, type DatabasesOptions } from "../src/databases/databases.ts";
import { UserError } from "../src/exceptions.ts";
import {
  inTransaction,
  isSerializationFailure,
  serializationFailure,
  type TransactionCall,
} from "../src/databases/transactions.ts";
import { FaultError } from "../src/fault.ts";
import { RequestScope } from "../src/server/request-scope.ts";
import { Records } from "../src/values.ts";
import { RpcError } from "@rpc/core";
import { databaseBench } from "./databases-bench.ts";

const Stock = defineContract("demo.Stock", {
  find: unary({ input: z.object({ ids: z.array(z.number()) }) }),
  add: unary({ input: z.object({ count: z.number() }), idempotent: true }),
  total: unary({ input: z.object({}).optional() }),
  fail: unary({ input: z.object({}).optional() }),
  collide: unary({ input: z.object({}).optional() }),
  hang: unary({ input: z.object({}).optional() }),
});

interface Ledger {
  /** What was committed. */
  readonly counts: Map<number, number>;
  readonly log: string[];
  readonly calls: TransactionCall[];
}

/** What a transaction has changed, on top of what is committed. */
type Changes = Map<number, number>;

function stockBench(options: Partial<DatabasesOptions> & { clock?: FakeClock; collisions?: number } = {}) {
  const { clock = createFakeClock(), collisions = 0, ...others } = options;
  const ledger: Ledger = {
    counts: new Map([
      [1, 10],
      [2, 20],
    ]),
    log: [],
    calls: [],
  };
  let left = collisions;
  const hanging = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const stock: Handler = createRouter(Stock, {
    find: ({ ids }) => new Records("stock", ids),
    add: ({ count }, context) => {
      const { records, transaction, context: values } = databaseCall(context);
      const changes = transaction as Changes;
      for (const id of records as number[]) changes.set(id, (changes.get(id) ?? ledger.counts.get(id) ?? 0) + count);
      ledger.log.push(`add ${count} lang=${String(values["lang"])}`);
      return new Records("stock", records as number[]);
    },
    total: (_input, context) => {
      const { records, transaction } = databaseCall(context);
      const changes = transaction as Changes | undefined;
      return (records as number[]).reduce((sum, id) => sum + (changes?.get(id) ?? ledger.counts.get(id) ?? 0), 0);
    },
    fail: () => {
      throw new UserError("no");
    },
    collide: () => {
      if (left > 0) {
        left -= 1;
        throw serializationFailure(new Error("40001"));
      }
      return "done";
    },
    hang: async (_input, { signal }) => {
      hanging.resolve();
      await released.promise;
      ledger.log.push(`hang ends, aborted=${signal.aborted}`);
    },
  });
  const served = databases(
    { mydb: { models: { stock } } },
    {
      clock,
      random: () => 0.5,
      around: async (call, next) => {
        ledger.calls.push(call);
        const changes: Changes = new Map();
        ledger.log.push("begin");
        try {
          const value = await next(changes);
          for (const [id, count] of changes) ledger.counts.set(id, count);
          ledger.log.push("commit");
          return value;
        } catch (thrown) {
          ledger.log.push("rollback");
          throw thrown;
        }
      },
      ...others,
    },
  );
  return {
    ...databaseBench(served, { identity: "ada", clock }),
    ...ledger,
    clock,
    hanging: hanging.promise,
    release: () => released.resolve(),
  };
}

const FIRST = { methodName: "stock.find", params: [[], [[1, 2]]] };
const ADD = { methodName: "add", params: [[5]] };
const TOTAL = { methodName: "total", params: [] };

async function thrownBy(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (thrown: unknown) => thrown as RpcError,
  );
}

/** Lets time go by until something has settled. */
async function whileRunning(promise: Promise<unknown>, pass: () => void): Promise<void> {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  while (!state.settled) {
    await new Promise((resolve) => setImmediate(resolve));
    pass();
  }
}

describe("system.sequence", () => {
  it.each([
    ["[firstCall, pipeline]", [FIRST, [ADD, TOTAL]]],
    ["[subject, [firstCall, pipeline]]", [[], [FIRST, [ADD, TOTAL]]]],
    ["the single struct", [{ args: [FIRST, [ADD, TOTAL]] }]],
    ["the single struct with names", [{ kwargs: { firstCall: FIRST, pipeline: [ADD, TOTAL] } }]],
  ])("X28 takes %s", async (_name, params) => {
    const { call, counts, log } = stockBench();
    expect(await call("system.sequence", params)).toBe(40);
    expect([...counts.values()]).toEqual([15, 25]);
    expect(log).toEqual(["begin", "add 5 lang=en_US", "commit"]);
  });

  it("X28 answers with the value of the first call when the pipeline is empty", async () => {
    const { call } = stockBench();
    expect(await call("system.sequence", [FIRST, []])).toBeInstanceOf(Records);
    expect(await call("system.sequence", [FIRST])).toBeInstanceOf(Records);
  });

  it("X28 rolls back everything when a later call fails", async () => {
    const { call, counts, log, calls } = stockBench();
    const thrown = await thrownBy(call("system.sequence", [FIRST, [ADD, { methodName: "fail" }]]));
    expect(thrown.reason).toBe("UserError");
    expect([...counts.values()]).toEqual([10, 20]);
    expect(log).toEqual(["begin", "add 5 lang=en_US", "rollback"]);
    expect(calls).toMatchObject([
      { database: "mydb", model: undefined, method: "system.sequence", identity: "ada", attempt: 1 },
    ]);
  });

  it("X28 refuses to go on from what are no records", async () => {
    const { call, log } = stockBench();
    const thrown = await thrownBy(call("system.sequence", [FIRST, [TOTAL, TOTAL]]));
    expect(thrown).toMatchObject({ reason: "AccessError", message: "Can only perform RPC calls on recordsets" });
    expect(log).toEqual(["begin", "rollback"]);
  });

  it("X28 X15 refuses private names, whole names in the pipeline, and what is no call", async () => {
    const { call } = stockBench();
    const refused = (...params: unknown[]): Promise<RpcError> => thrownBy(call("system.sequence", params));
    expect(await refused(FIRST, [{ methodName: "_add", params: [] }])).toMatchObject({ reason: "AccessError" });
    expect(await refused({ methodName: "stock._find", params: [] }, [])).toMatchObject({ reason: "AccessError" });
    expect(await refused(FIRST, [{ methodName: "stock.add", params: [[1]] }])).toMatchObject({
      fault: { code: -32_601 },
    });
    expect(await refused({ methodName: "system.noop", params: [] }, [])).toMatchObject({ fault: { code: -32_602 } });
    for (const pipeline of [
      [5],
      [{}],
      [{ methodName: "add", params: 5 }],
      "x",
      [{ methodName: "add", params: [1, 2, 3, 4] }],
    ])
      expect(await refused(FIRST, pipeline)).toMatchObject({ fault: { code: -32_602 } });
    expect(await refused()).toMatchObject({ fault: { code: -32_602 } });
    expect(await refused(FIRST, [], [])).toMatchObject({ fault: { code: -32_602 } });
  });

  it("gives keyword arguments and the context of sequence and first call to each step", async () => {
    const { call, log } = stockBench();
    const first = { methodName: "stock.find", params: [{ kwargs: { ids: [1] }, context: { lang: "de_DE" } }] };
    const steps = [
      { methodName: "add", params: [[], { count: 1 }] },
      { methodName: "add", params: [{ count: 1 }] },
      { methodName: "add", params: [{ kwargs: { count: 2 } }] },
    ];
    await call("system.sequence", [{ context: { lang: "fr_FR", tz: "UTC" } }, [first, steps]]);
    expect(log.slice(1, -1)).toEqual(["add 1 lang=de_DE", "add 1 lang=de_DE", "add 2 lang=de_DE"]);
    await call("system.sequence", [{ context: { lang: "fr_FR" } }, [FIRST, [ADD]]]);
    expect(log.at(-2)).toBe("add 5 lang=fr_FR");
  });

  it("ends the transaction only when the step under way has ended, though the caller is answered at once", async () => {
    const { call, log, hanging, release } = stockBench();
    const scope = new RequestScope();
    const answer = thrownBy(call("system.sequence", [FIRST, [{ methodName: "hang" }, TOTAL]], { scope }));
    await hanging;
    scope.cancel(new RpcError("CANCELLED", "gone", { reason: "CANCELLED" }));
    expect((await answer).code).toBe("CANCELLED");
    expect(log).toEqual(["begin"]);
    release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(["begin", "hang ends, aborted=true", "rollback"]);
  });

  it("says on the admin endpoint that there are no records", async () => {
    const { call } = stockBench();
    const version = { methodName: "version", params: [] };
    expect(await call("system.sequence", [version, []], { path: "/RPC2" })).toMatchObject({ protocol_version: 1 });
    expect(await thrownBy(call("system.sequence", [version, [TOTAL]], { path: "/RPC2" }))).toMatchObject({
      reason: "AccessError",
    });
  });
});

describe("system.multicall", () => {
  const ITEMS = [
    { methodName: "stock.add", params: [[1], [1]] },
    { methodName: "stock.fail", params: [] },
    { methodName: "stock.total", params: [{ records: [1], args: [] }] },
  ];

  it.each([
    ["[[call, …]]", [ITEMS]],
    ["[subject, [[call, …]]]", [[], [ITEMS]]],
    ["the single struct", [{ args: [ITEMS] }]],
    ["the single struct with a name", [{ kwargs: { calls: ITEMS } }]],
  ])("X27 takes %s, each call in a transaction of its own", async (_name, params) => {
    const { call, log, counts } = stockBench();
    const answers = await call("system.multicall", params);
    expect(answers).toEqual([[expect.any(Records)], { faultCode: -32_100, faultString: "UserError: no" }, [11]]);
    expect(counts.get(1)).toBe(11);
    expect(log).toEqual(["begin", "add 1 lang=en_US", "commit", "begin", "rollback", "begin", "commit"]);
  });

  it("X27 merges its context under each call's", async () => {
    const { call, log } = stockBench();
    const add = (context: object) => ({ methodName: "stock.add", params: [{ records: [1], context }, [1]] });
    await call("system.multicall", [{ context: { lang: "fr_FR" } }, [[add({}), add({ lang: "de_DE" })]]]);
    expect(log.filter((line) => line.startsWith("add"))).toEqual(["add 1 lang=fr_FR", "add 1 lang=de_DE"]);
  });

  it("H130 answers each bad item with its fault", async () => {
    const { call } = stockBench();
    const items = [
      5,
      {},
      { methodName: "stock.total" },
      { methodName: "system.multicall", params: [[]] },
      { methodName: "nosuch.model", params: [] },
      { methodName: "system.noop", params: [] },
    ];
    const answers = (await call("system.multicall", [items])) as { faultCode?: number }[];
    expect(answers.map((answer) => answer.faultCode)).toEqual([-32_600, -32_601, -32_602, -32_603, -32_601, undefined]);
  });

  it("calls system methods and sequences among the others", async () => {
    const { call } = stockBench();
    const items = [
      { methodName: "system.listMethods", params: [] },
      { methodName: "system.sequence", params: [FIRST, [TOTAL]] },
    ];
    expect(await call("system.multicall", [items])).toEqual([[expect.arrayContaining(["stock.find"])], [30]]);
  });

  it("H130 refuses too many calls as a whole", async () => {
    const { call } = stockBench();
    const items = Array.from({ length: 1_001 }, () => ITEMS[0]);
    expect(await thrownBy(call("system.multicall", [items]))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxCallsPerBatch",
    });
    expect(await thrownBy(call("system.multicall", []))).toMatchObject({ fault: { code: -32_602 } });
  });

  it("never takes two of its calls for one, whatever key the request has", async () => {
    const { call, counts } = stockBench();
    const items = [ITEMS[0], ITEMS[0]];
    await call("system.multicall", [items], { headers: { "idempotency-key": "k" } });
    expect(counts.get(1)).toBe(12);
  });
});

describe("around", () => {
  it("X26 X37 wraps each call, and shows what it is for", async () => {
    const { call, calls, counts } = stockBench();
    await call("stock.add", [[1], [3]]);
    expect(counts.get(1)).toBe(13);
    expect(calls).toMatchObject([
      { database: "mydb", model: "stock", method: "stock.add", identity: "ada", idempotent: true, attempt: 1 },
    ]);
  });

  it("X26 tries again after a collision, with a pause that grows", async () => {
    const clock = createFakeClock();
    const { call, log, calls } = stockBench({ clock, collisions: 5 });
    const started = clock.now();
    const answer = call("stock.collide");
    await whileRunning(answer, () => clock.advance(1_000));
    expect(await answer).toBe("done");
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    // Half of 2, 4, 8, 16 and 32 seconds.
    expect(clock.now() - started).toBeGreaterThanOrEqual(31_000);
    expect(log.filter((line) => line === "rollback")).toHaveLength(5);
  });

  it("X26 gives up after five repetitions, and at once for other errors", async () => {
    const clock = createFakeClock();
    const { call, calls } = stockBench({ clock, collisions: 100 });
    const answer = thrownBy(call("stock.collide"));
    await whileRunning(answer, () => clock.advance(5_000));
    expect(await answer).toMatchObject({ code: "ABORTED", reason: "SERIALIZATION_FAILURE", retryable: true });
    expect(calls).toHaveLength(6);
    await thrownBy(call("stock.fail"));
    expect(calls).toHaveLength(7);
  });

  it.each([
    ["a driver's own error", Object.assign(new Error("deadlock detected"), { code: "40P01" }), "ABORTED"],
    ["one that a router has wrapped", new RpcError("UNKNOWN", "x", { cause: { code: "40001" } }), "ABORTED"],
    ["one with a word of its own", new RpcError("ALREADY_EXISTS", "x", { cause: { code: "40001" } }), "ALREADY_EXISTS"],
  ])("X26 tells callers what to do when no try helped: %s", async (_name, thrown, code) => {
    const clock = createFakeClock();
    const options = { around: () => Promise.reject(thrown), isSerializationFailure, clock, random: () => 0 };
    const { signal } = new AbortController();
    const about = { database: "mydb", model: "stock", method: "stock.add", identity: "ada", idempotent: false, signal };
    const answer = thrownBy(inTransaction(options, about, () => undefined));
    await whileRunning(answer, () => clock.advance(1_000));
    expect(await answer).toMatchObject({ code, retryable: code === "ABORTED" });
  });

  it("X26 stops waiting when the caller is gone", async () => {
    const { call, calls } = stockBench({ collisions: 100 });
    const scope = new RequestScope();
    const answer = thrownBy(call("stock.collide", [], { scope }));
    while (calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    scope.cancel(new RpcError("CANCELLED", "gone", { reason: "CANCELLED" }));
    expect((await answer).code).toBe("CANCELLED");
    expect(calls).toHaveLength(1);
  });

  it("knows collisions by their mark and by the codes of SQL", () => {
    expect(isSerializationFailure(serializationFailure())).toBe(true);
    expect(isSerializationFailure(Object.assign(new Error("deadlock"), { code: "40P01" }))).toBe(true);
    expect(isSerializationFailure(new RpcError("UNKNOWN", "x", { cause: { code: "40001" } }))).toBe(true);
    for (const other of [new Error("x"), { code: "23505" }, null, "40001", new FaultError(-32_500, "x")])
      expect(isSerializationFailure(other)).toBe(false);
  });

  it("runs calls as they are where there is none", async () => {
    const { call, log } = stockBench({ around: undefined });
    expect(await call("stock.total", [[1]])).toBe(10);
    expect(await call("system.sequence", [FIRST, [TOTAL]])).toBe(30);
    expect(log).toEqual([]);
  });
});

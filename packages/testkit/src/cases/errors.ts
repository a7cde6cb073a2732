import { createRouter, defineContract, RpcError, type StatusCode, unary } from "@rpc/core";
import { check, equal, rejects } from "../assert.ts";
import { recordOf, text, whole } from "../shapes.ts";
import { clientOf, one, proves, type TransportCase } from "../transport-bench.ts";

const CODES: readonly StatusCode[] = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

const Shop = defineContract("testkit.Shop", {
  buy: unary({
    input: recordOf({ item: text, count: whole }),
    output: recordOf({ total: whole }),
    errors: { SoldOut: recordOf({ item: text, left: whole }) },
  }),
});

/** C27–C31, C34, C35: how calls fail. */
export const errorCases: readonly TransportCase[] = [
  proves("C27", "carries each of the sixteen status codes with message and reason", async (bench) => {
    const { client } = await one(bench, (input) => {
      const code = input as StatusCode;
      throw new RpcError(code, `this is ${code}`, { reason: "BECAUSE" });
    });
    for (const code of CODES) {
      await rejects(client.run(code), { code, message: `this is ${code}`, reason: "BECAUSE" }, code);
    }
  }),

  proves("C27", "keeps delivered and retryable", async (bench) => {
    const { client } = await one(bench, (input) => {
      if (input === 1) throw new RpcError("UNAVAILABLE", "busy", { delivered: "no", retryable: false });
      throw new RpcError("ABORTED", "again", { retryable: true });
    });
    const first = await rejects(client.run(1), { code: "UNAVAILABLE", delivered: "no" }, "first");
    const second = await rejects(client.run(2), { code: "ABORTED" }, "second");
    equal([first.retryable, second.retryable], [false, true], "retryable");
  }),

  proves("C28", "carries tabs, line ends and characters beyond the BMP in a message", async (bench) => {
    const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    const { client } = await one(bench, () => {
      throw new RpcError("UNKNOWN", message);
    });
    const error = await rejects(client.run(), { code: "UNKNOWN" }, "call");
    equal(error.message, message, "message");
  }),

  proves("C29", "carries details that the contract declares, and narrows to them", async (bench) => {
    const pair = await bench.connect(
      createRouter(Shop, {
        buy: ({ item }) => {
          throw Shop.buy.error("SoldOut", { item, left: 0 });
        },
      }),
    );
    const shop = clientOf(bench, Shop, pair.transport);
    const error = await rejects(
      shop.buy({ item: "hat", count: 2 }),
      { code: "FAILED_PRECONDITION", reason: "SoldOut" },
      "buy",
    );
    check(Shop.buy.isError(error, "SoldOut"), "isError does not know the declared error");
    equal(error.details, { item: "hat", left: 0 }, "details");
  }),

  proves("C29", "carries details that nobody declared as plain values", async (bench) => {
    const details = { at: new Date(0), list: [1, "two", null], bytes: Uint8Array.of(1, 2) };
    const { client } = await one(bench, () => {
      throw new RpcError("ABORTED", "no", { reason: "Odd", details });
    });
    const error = await rejects(client.run(), { code: "ABORTED", reason: "Odd" }, "call");
    equal(error.details, details, "details");
  }),

  proves("C31", "gives a plain throw as UNKNOWN with its message and no stack", async (bench) => {
    const { client } = await one(bench, (input) => {
      if (input === "later") return Promise.reject(new TypeError("it broke later"));
      throw new TypeError("it broke");
    });
    const error = await rejects(client.run("now"), { code: "UNKNOWN", message: "it broke" }, "throw");
    check(error.remoteStack === undefined, "a stack left the process without exposeStacks");
    check(!JSON.stringify(error.details ?? "").includes("    at "), "a stack stands in the details");
    await rejects(client.run("later"), { code: "UNKNOWN", message: "it broke later" }, "rejection");
  }),

  proves("C31", "lets the stack out with exposeStacks", async (bench) => {
    const { client } = await one(
      bench,
      () => {
        throw new TypeError("it broke");
      },
      { exposeStacks: true },
    );
    const error = await rejects(client.run(), { code: "UNKNOWN" }, "call");
    check(error.remoteStack?.includes("it broke"), `no stack arrived: ${String(error.remoteStack)}`);
  }),

  proves("C34", "refuses input that fails the contract with its path, and does not run the handler", async (bench) => {
    let runs = 0;
    const pair = await bench.connect(
      createRouter(Shop, {
        buy: () => {
          runs += 1;
          return { total: 1 };
        },
      }),
    );
    const shop = clientOf(bench, Shop, pair.transport);
    // The type says a number; an older or a careless peer sends what it likes.
    const wrong = { item: "hat", count: "two" } as unknown as { item: string; count: number };
    const error = await rejects(shop.buy(wrong), { code: "INVALID_ARGUMENT", message: "count" }, "buy");
    check(error.message.includes("whole number"), `the message does not say what is wrong: "${error.message}"`);
    equal(runs, 0, "runs of the handler");
    equal(await shop.buy({ item: "hat", count: 2 }), { total: 1 }, "call after the refusal");
  }),

  proves("C35", "gives output that fails the contract as INTERNAL", async (bench) => {
    const pair = await bench.connect(
      // A handler that breaks its own contract.
      createRouter(Shop, { buy: () => ({ total: "a lot" }) as unknown as { total: number } }, { validateOutput: true }),
    );
    const shop = clientOf(bench, Shop, pair.transport);
    await rejects(shop.buy({ item: "hat", count: 2 }), { code: "INTERNAL", message: "total" }, "buy");
  }),
];

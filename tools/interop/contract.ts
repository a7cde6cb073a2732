import {
  bidiStream,
  type Contract,
  clientStream,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  type RouterOf,
  RpcError,
  serverStream,
  unary,
  workQueue,
} from "@rpc/core";

const definitions = {
  add: unary(),
  divide: unary(),
  echo: unary(),
  /** Takes milliseconds, and remembers when it was cancelled. */
  wait: unary(),
  /** Calls `add` of its caller, and adds one. */
  callBack: unary(),
  /** Counts under a key. */
  increment: unary(),
  describe: unary(),
  /** Tells its steps and logs a line. */
  work: unary(),
  count: serverStream(),
  /** Numbers without end. */
  flood: serverStream(),
  sum: clientStream(),
  double: bidiStream(),
  note: notification(),
  printed: event({ lastValue: true }),
  print: job(),
};

/** What both languages serve, so that each can be asked the same; python/demo.py is the other half. Values are JSON. */
export const Demo: Contract<typeof definitions> = defineContract("interop.Demo", definitions);

/** What the handlers of one end remember. */
export interface Memory {
  readonly counters: Map<string, number>;
  readonly notes: unknown[];
  readonly cancelled: string[];
  flooded: number;
}

/** The handlers in TypeScript, with their memory. */
export function createDemo(): { readonly router: RouterOf<typeof Demo>; readonly memory: Memory } {
  const memory: Memory = { counters: new Map(), notes: [], cancelled: [], flooded: 0 };
  const router = createRouter(Demo, {
    add: (input) => {
      const { a, b } = input as { a: number; b: number };
      return a + b;
    },
    divide: (input) => {
      const { a, b } = input as { a: number; b: number };
      if (b !== 0) return a / b;
      throw new RpcError("FAILED_PRECONDITION", "division by zero", {
        reason: "DivisionByZero",
        details: { dividend: a },
      });
    },
    echo: (input) => input,
    wait: (input, context) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve("waited"), input as number);
        context.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          memory.cancelled.push(context.cancelReason?.message ?? "");
          resolve("cancelled");
        });
      }),
    callBack: async (input, context) => 1 + ((await context.peer.client(Demo).add(input, context)) as number),
    increment: (input) => {
      const key = input as string;
      const count = (memory.counters.get(key) ?? 0) + 1;
      memory.counters.set(key, count);
      return count;
    },
    describe: (_input, context) => {
      context.responseMetadata.set("answered-by", "typescript");
      return {
        metadata: Object.fromEntries(context.metadata),
        depth: context.depth,
        key: context.idempotencyKey ?? "",
        timed: context.deadline !== undefined,
      };
    },
    work: (input, context) => {
      for (let step = 1; step <= (input as number); step++) context.progress(step);
      context.log("worked", { steps: String(input) }, "notice");
      return input;
    },
    count: function* (input) {
      for (let number = 1; number <= (input as number); number++) yield number;
    },
    flood: function* (input) {
      memory.flooded = 0;
      for (;;) {
        memory.flooded += 1;
        yield input === undefined ? memory.flooded : "x".repeat(input as number);
      }
    },
    sum: async (numbers) => {
      let total = 0;
      for await (const number of numbers) total += number as number;
      return total;
    },
    double: async function* (numbers) {
      for await (const number of numbers) yield 2 * (number as number);
    },
    note: (input) => {
      memory.notes.push(input);
    },
    print: workQueue({ retryDelayMs: 1 }),
  });
  return { router, memory };
}

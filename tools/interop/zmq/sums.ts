import { type Contract, createRouter, defineContract, type RouterOf, RpcError, serverStream, unary } from "@rpc/core";

const definitions = {
  add: unary(),
  divide: unary(),
  echo: unary(),
  /** Takes milliseconds. */
  wait: unary(),
};

export const SERVICE = "interop.Sums";

/** What the workers of both languages serve. */
export const Sums: Contract<typeof definitions> = defineContract(SERVICE, definitions);

interface Pair {
  readonly a: number;
  readonly b: number;
}

/** The handlers in TypeScript; `waiting` is told when one begins to wait. */
export function sums(waiting: () => void = () => undefined): RouterOf<typeof Sums> {
  return createRouter(Sums, {
    add: (input) => {
      const { a, b } = input as Pair;
      return a + b;
    },
    divide: (input) => {
      const { a, b } = input as Pair;
      if (b === 0) throw new RpcError("FAILED_PRECONDITION", "division by zero");
      return a / b;
    },
    echo: (input) => input,
    wait: (input) => {
      waiting();
      return new Promise((resolve) => setTimeout(() => resolve(input), input as number));
    },
  });
}

const streams = { count: serverStream() };

/** What MDP 0.2 alone can carry. */
export const Counts: Contract<typeof streams> = defineContract("interop.Counts", streams);

export function counts(): RouterOf<typeof Counts> {
  return createRouter(Counts, {
    count: function* (input) {
      for (let number = 1; number <= (input as number); number++) yield number;
    },
  });
}

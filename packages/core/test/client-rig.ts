import { z } from "zod";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createRouter,
  defineContract,
  notification,
  RpcError,
  serverStream,
  unary,
} from "../src/index.ts";

export const Test = defineContract("test.Test", {
  echo: unary(),
  fail: unary(),
  hang: unary(),
  count: serverStream({ input: z.number() }),
  sum: clientStream({ input: z.number(), output: z.number() }),
  double: bidiStream({ input: z.number(), output: z.number() }),
  wake: notification({ input: z.string() }),
});

export function served(contexts: CallContext[] = [], woken: string[] = []) {
  return createRouter(Test, {
    echo: (input, ctx) => {
      contexts.push(ctx);
      return input;
    },
    fail: () => {
      throw new RpcError("ABORTED", "on purpose");
    },
    hang: (_input, ctx) => {
      contexts.push(ctx);
      return new Promise(() => undefined);
    },
    count: async function* (to) {
      for (let i = 1; i <= to; i++) yield i;
    },
    sum: async (numbers) => {
      let sum = 0;
      for await (const n of numbers) sum += n;
      return sum;
    },
    double: async function* (numbers) {
      for await (const n of numbers) yield n * 2;
    },
    wake: (reason) => void woken.push(reason),
  });
}

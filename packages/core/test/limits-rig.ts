import { bidiStream, type CallContext, createRouter, defineContract, serverStream, unary } from "../src/index.ts";

export const Test = defineContract("test.Test", {
  echo: unary(),
  large: unary(),
  hang: unary(),
  count: serverStream(),
  both: bidiStream(),
});

export function rig(contexts: CallContext[] = []) {
  return createRouter(Test, {
    echo: (input) => input,
    large: (size) => "x".repeat(Number(size)),
    hang: (_input, ctx) => {
      contexts.push(ctx);
      return new Promise(() => undefined);
    },
    count: async function* (_input, ctx) {
      contexts.push(ctx);
      for (let i = 1; ; i++) {
        yield i;
        if (ctx.signal.aborted) return;
      }
    },
    both: async function* (items) {
      for await (const item of items) yield item;
    },
  });
}

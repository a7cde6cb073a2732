import { createRouter, defineContract, type Handler, serverStream, unary } from "@rpc/core";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { createTcpTransport, serveTcp, type TcpListenerOptions, type TcpTransportOptions } from "../src/index.ts";

/** What the tests of this package call. */
export const Greeter = defineContract("demo.Greeter", {
  hello: unary({ input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) }),
  echo: unary({ input: z.string(), output: z.string() }),
  count: serverStream({ input: z.number(), output: z.number() }),
  callBack: unary({ output: z.string() }),
  wait: unary({ output: z.string() }),
});

/** What a server calls at its client. */
export const Phone = defineContract("demo.Phone", { ring: unary({ output: z.string() }) });

/** Serves the greeter; `wait` answers when the promise does. */
export function greeter(waited: Promise<string> = Promise.resolve("done")): Handler {
  return createRouter(Greeter, {
    hello: ({ name }) => ({ text: `Hello ${name}` }),
    echo: (text) => text,
    count: async function* (end) {
      for (let i = 0; i < end; i++) yield i;
    },
    callBack: async (_input, ctx) => (await ctx.peer?.client(Phone).ring()) ?? "nobody",
    wait: () => waited,
  });
}

/** Serves until the end of the test. */
export async function serving(
  options: TcpListenerOptions = {},
  handler: Handler = greeter(),
): ReturnType<typeof serveTcp> {
  const listener = await serveTcp(handler, options);
  onTestFinished(() => listener.close());
  return listener;
}

/** A transport that ends with the test. */
export function transportTo(
  endpoint: string | readonly string[],
  options?: TcpTransportOptions,
): ReturnType<typeof createTcpTransport> {
  const transport = createTcpTransport(endpoint, options);
  onTestFinished(() => transport.close());
  return transport;
}

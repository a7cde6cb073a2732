import { z } from "zod";
import {
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { all, memory } from "./rig.ts";

export const Server = defineContract("test.Server", {
  echo: unary(),
  hang: unary(),
  dive: unary({ input: z.number(), output: z.array(z.string()) }),
  count: serverStream(),
  sum: clientStream(),
  wake: notification(),
});
export const Client = defineContract("test.Client", {
  name: unary({ output: z.string() }),
  hang: unary(),
  dive: unary({ input: z.number(), output: z.array(z.string()) }),
  wake: notification(),
});

export interface Rig {
  readonly server?: Partial<Record<"echo" | "hang" | "dive" | "wake", (input: never, ctx: CallContext) => unknown>>;
  readonly client?: Partial<Record<"name" | "hang" | "dive" | "wake", (input: never, ctx: CallContext) => unknown>>;
}

export const never = (): Promise<unknown> => new Promise(() => undefined);
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

export function rig({ server, client }: Rig = {}, options = {}) {
  const serve = createRouter(Client, {
    name: () => "me",
    hang: never,
    dive: () => [],
    wake: () => undefined,
    ...client,
  } as never);
  const router = createRouter(Server, {
    echo: (input: unknown) => input,
    hang: never,
    dive: () => [],
    count: async function* (_input: unknown, ctx: CallContext) {
      for (let i = 1; i <= 5; i++) yield i;
      await aborted(ctx.signal);
    },
    sum: async (items: AsyncIterable<unknown>) => (await all(items)).length,
    wake: () => undefined,
    ...server,
  } as never);
  const transport = memory(router, { serve, ...options });
  return { transport, bot: createClient(Server, transport) };
}

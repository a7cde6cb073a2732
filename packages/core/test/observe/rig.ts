import { onTestFinished } from "vitest";
import { z } from "zod";
import {
  createClient,
  createMemoryTransport,
  createRouter,
  defineContract,
  type Handler,
  type Interceptor,
  notification,
  RpcError,
  serverStream,
  unary,
} from "../../src/index.ts";
import { FakeClock } from "../fake-clock.ts";

const Shop = defineContract("demo.Shop", {
  buy: unary({ input: z.number(), output: z.number() }),
  later: unary(),
  fail: unary(),
  crash: unary(),
  list: serverStream({ input: z.number(), output: z.number() }),
  ring: notification(),
});

export interface ShopRig {
  readonly client: ReturnType<typeof clientOf>;
  readonly clock: FakeClock;
}

/** A shop behind a memory transport, with interceptors on both ends and a clock that only tests move. */
export function shop(
  ends: { readonly client?: readonly Interceptor[]; readonly server?: readonly Interceptor[] },
  wrap: (router: Handler) => Handler = (router) => router,
  clock: FakeClock = new FakeClock(),
): ShopRig {
  const router = createRouter(
    Shop,
    {
      buy: (count) => count * 2,
      later: (_input, context) => new Promise((resolve) => context.signal.addEventListener("abort", resolve)),
      fail: () => {
        throw new RpcError("NOT_FOUND", "nothing\r\nhere", { reason: "GONE" });
      },
      crash: () => {
        throw new Error("on purpose");
      },
      list: function* (count) {
        for (let i = 1; i <= count; i++) yield i;
      },
      ring: () => undefined,
    },
    { interceptors: ends.server ?? [] },
  );
  const transport = createMemoryTransport(wrap(router), { clock });
  onTestFinished(() => transport.close());
  return { client: clientOf(transport, ends.client ?? []), clock };
}

function clientOf(transport: ReturnType<typeof createMemoryTransport>, interceptors: readonly Interceptor[]) {
  return createClient(Shop, transport, { interceptors });
}

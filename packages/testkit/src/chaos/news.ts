import {
  type Contract,
  createClient,
  createRouter,
  defineContract,
  event,
  type MethodDefinition,
  type NoErrors,
  type Peer,
} from "@rpc/core";
import type { Handler, Transport } from "@rpc/core/transport";

/** A topic that either end publishes numbers on. */
const News: Contract<{
  readonly numbers: MethodDefinition<"event", undefined, undefined, undefined, NoErrors>;
}> = defineContract("chaos.News", { numbers: event() });

/** The publishing half. */
export interface NewsDesk {
  readonly handler: Handler;
  publish(n: number): Promise<unknown>;
}

/** A desk of its own; undefined where events are not carried. */
export function createNewsDesk(): NewsDesk | undefined {
  const handler = createRouter(News, {});
  const numbers = Reflect.get(handler, "numbers") as { publish?(n: number): Promise<unknown> } | undefined;
  return numbers?.publish === undefined ? undefined : { handler, publish: async (n) => numbers.publish?.(n) };
}

/** What the reading half hears. */
export interface NewsReader {
  saw(n: number): void;
  /** Events may be missing. */
  gap(): void;
}

/** Subscribes so that nothing is ever left out; settles when nothing is missed from then on. */
export async function readNews(from: Transport | Peer, reader: NewsReader): Promise<void> {
  const client: object = "client" in from ? from.client(News) : createClient(News, from);
  const numbers = Reflect.get(client, "numbers") as {
    subscribe(
      options: { readonly overflow: "block"; readonly onGap: () => void },
      listener: (n: unknown) => void,
    ): { readonly ready: Promise<void> };
  };
  const options = { overflow: "block", onGap: () => reader.gap() } as const;
  await numbers.subscribe(options, (n) => reader.saw(Number(n))).ready;
}

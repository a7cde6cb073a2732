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
  readonly publish: (n: number) => Promise<unknown>;
}

export function createNewsDesk(): NewsDesk {
  const handler = createRouter(News, {});
  return { handler, publish: (n) => handler.numbers.publish(n) };
}

/** What the reading half hears. */
export interface NewsReader {
  saw(n: number): void;
  /** Events may be missing. */
  gap(): void;
}

/** Subscribes so that nothing is ever left out; settles when nothing is missed from then on. */
export async function readNews(from: Transport | Peer, reader: NewsReader): Promise<void> {
  const client = "client" in from ? from.client(News) : createClient(News, from);
  const options = { overflow: "block", onGap: () => reader.gap() } as const;
  await client.numbers.subscribe(options, (n) => reader.saw(Number(n))).ready;
}

import { setTimeout as delay } from "node:timers/promises";
import { createRouter, mergeRouters, type Peer } from "@rpc/core";
import type { Handler } from "@rpc/core/transport";
import { itemAfter, type Item, News, type StreamOrder, type StreamSum, Work } from "./contracts.ts";

/** What one end has got beside calls. */
export interface Received {
  readonly notes: Sequence;
  readonly events: Sequence;
}

/** Numbers that should come as 0, 1, 2, … */
export interface Sequence {
  readonly count: number;
  /** How many came that are not the one after the one before. */
  readonly outOfOrder: number;
  /** How many came a second time, or after a later one. */
  readonly late: number;
}

/** Publishes numbers; undefined where events are not to be had. */
export type PublishNumber = ((n: number) => Promise<unknown>) | undefined;

/** One end's serving half, which counts what it does. */
export class Worker {
  readonly handler: Handler;
  readonly publish: PublishNumber;
  /** Call number → how often it was run. */
  readonly runs: Uint8Array;
  readonly notes = new SequenceCheck();
  readonly events = new SequenceCheck();
  #greeted: ((peer: Peer) => void) | undefined;

  constructor(calls: number) {
    this.runs = new Uint8Array(calls);
    const work = createRouter(Work, {
      hello: ({ n }, { peer }) => {
        this.#greeted?.(peer);
        return { n };
      },
      run: ({ n }) => {
        this.runs[n] = (this.runs[n] ?? 0) + 1;
        return { n };
      },
      list: (order) => itemsOf(order),
      collect: (items, { metadata }) => sumOf(items, Number(metadata.get("n"))),
      echo: async function* (items) {
        yield* items;
      },
      note: ({ n }) => this.notes.saw(n),
    });
    const news = createRouter(News, {});
    this.publish = publisherOf(news);
    this.handler = this.publish === undefined ? work : mergeRouters(work, news);
  }

  get received(): Received {
    return { notes: this.notes.result, events: this.events.result };
  }

  /** Tells of every peer that says hello. */
  onHello(greeted: (peer: Peer) => void): void {
    this.#greeted = greeted;
  }
}

export class SequenceCheck {
  #next = 0;
  #count = 0;
  #outOfOrder = 0;
  #late = 0;

  saw(n: number): void {
    this.#count += 1;
    if (n !== this.#next) this.#outOfOrder += 1;
    if (n < this.#next) this.#late += 1;
    this.#next = n + 1;
  }

  get result(): Sequence {
    return { count: this.#count, outOfOrder: this.#outOfOrder, late: this.#late };
  }
}

export async function* itemsOf({ n, items, pauseMs }: StreamOrder): AsyncGenerator<Item> {
  let sum = 0;
  for (let i = 0; i < items; i++) {
    if (pauseMs > 0) await delay(pauseMs);
    const item = itemAfter(sum, n, i);
    sum = item.sum;
    yield item;
  }
}

/** Counts items, and says what is wrong with the first that is not the one that should come. */
export async function sumOf(items: AsyncIterable<Item>, n: number): Promise<StreamSum> {
  let before = 0;
  let count = 0;
  for await (const item of items) {
    const wanted = itemAfter(before, n, count);
    if (item.i !== wanted.i || item.sum !== wanted.sum) {
      return { count, fault: `item ${count} came as ${JSON.stringify(item)}, not as ${JSON.stringify(wanted)}` };
    }
    before = item.sum;
    count++;
  }
  return { count, fault: "" };
}

/** Events are a pattern that a build of core may not have yet; then the rest is tried without them. */
function publisherOf(router: object): PublishNumber {
  const numbers = Reflect.get(router, "numbers") as { publish?(value: { n: number }): Promise<unknown> } | undefined;
  return numbers?.publish === undefined ? undefined : async (n) => numbers.publish?.({ n });
}

/** Subscribes where events are to be had; settles when nothing is missed from then on. */
export async function subscribeNumbers(client: object, check: SequenceCheck, gap: () => void): Promise<void> {
  const numbers = Reflect.get(client, "numbers") as
    | {
        subscribe?(
          options: { overflow: "block"; onGap(): void },
          listener: (value: { n: number }) => void,
        ): { readonly ready: Promise<void>; readonly closed: Promise<unknown> };
      }
    | undefined;
  const subscription = numbers?.subscribe?.({ overflow: "block", onGap: gap }, ({ n }) => check.saw(n));
  await subscription?.ready;
}

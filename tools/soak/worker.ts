import { setTimeout as delay } from "node:timers/promises";
import { type ClientOf, createRouter, mergeRouters, type Peer } from "@rpc/core";
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
  /** How many came a second time. */
  readonly twice: number;
}

/** One end's serving half, which counts what it does. */
export class Worker {
  readonly handler: Handler;
  /** To everybody who reads this end's topic. */
  readonly publish: (n: number) => Promise<unknown>;
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
    this.publish = (n) => news.numbers.publish({ n });
    this.handler = mergeRouters(work, news);
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
  readonly #seen = new Set<number>();
  #next = 0;
  #count = 0;
  #outOfOrder = 0;
  #twice = 0;

  saw(n: number): void {
    this.#count += 1;
    if (n !== this.#next) this.#outOfOrder += 1;
    if (this.#seen.has(n)) this.#twice += 1;
    this.#seen.add(n);
    this.#next = n + 1;
  }

  get result(): Sequence {
    return { count: this.#count, outOfOrder: this.#outOfOrder, twice: this.#twice };
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

/** Reads the other end's topic, so that nothing is left out; settles when nothing is missed from then on. */
export async function readNumbers(news: ClientOf<typeof News>, check: SequenceCheck, gap: () => void): Promise<void> {
  await news.numbers.subscribe({ overflow: "block", onGap: gap }, ({ n }) => check.saw(n)).ready;
}

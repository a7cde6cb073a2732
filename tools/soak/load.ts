import { setTimeout as delay } from "node:timers/promises";
import { type ClientOf, RpcError } from "@rpc/core";
import type { Item, StreamOrder, StreamSum, Work } from "./contracts.ts";
import { itemsOf, sumOf } from "./worker.ts";

/** What one end asks of the other. */
export interface LoadPlan {
  readonly seconds: number;
  readonly calls: number;
  readonly streams: number;
  readonly notes: number;
  readonly events: number;
}

/** What became of it, unary calls one by one aside. */
export interface LoadOutcome {
  readonly done: number;
  readonly failed: number;
  readonly streamsDone: number;
  readonly streamsFailed: number;
  readonly notesFailed: number;
  readonly eventsFailed: number;
  /** Streams that ended well and were not complete, replies that were wrong: what no promise allows. */
  readonly wrong: readonly string[];
  /** Why things failed, and how many for this reason, the most frequent first. */
  readonly reasons: readonly (readonly [reason: string, count: number])[];
  /** Failures with another code than UNAVAILABLE. */
  readonly foreign: number;
  /** Calls and streams that had not ended when the time was up. */
  readonly hanging: number;
}

/** Call number → one of `END`. */
export type CallEnds = Uint8Array;

export const END = { none: 0, done: 1, failedUndelivered: 2, failedUnknown: 3 } as const;

const MOST_IN_FLIGHT = 256;
const MOST_STREAMS_AT_ONCE = 40;
const TICK_MS = 5;
const MOST_WRONG = 20;
const MOST_REASONS = 8;
/** After the last one was begun. */
const PATIENCE_MS = 60_000;

type WorkClient = ClientOf<typeof Work>;

/** Begins everything evenly over the time, and notes how it ends. */
export class Load {
  readonly ends: CallEnds;
  readonly #plan: LoadPlan;
  /** Who to call, when there is somebody. */
  readonly #client: () => Promise<WorkClient>;
  readonly #publish: (n: number) => Promise<unknown>;
  readonly #wrong: string[] = [];
  readonly #reasons = new Map<string, number>();
  #streamsDone = 0;
  #streamsFailed = 0;
  #notesFailed = 0;
  #eventsFailed = 0;
  #foreign = 0;
  #running = 0;

  constructor(plan: LoadPlan, client: () => Promise<WorkClient>, publish: (n: number) => Promise<unknown>) {
    this.#plan = plan;
    this.#client = client;
    this.#publish = publish;
    this.ends = new Uint8Array(plan.calls);
  }

  async run(): Promise<LoadOutcome> {
    const { calls, streams, notes, events } = this.#plan;
    const all = Promise.all([
      this.#evenly(calls, MOST_IN_FLIGHT, (n) => this.#call(n)),
      this.#evenly(streams, MOST_STREAMS_AT_ONCE, (n) => this.#stream(n)),
      this.#evenly(notes, 1, (n) => this.#note(n)),
      this.#evenly(events, 1, (n) => this.#announce(n)),
    ]);
    const controller = new AbortController();
    const patience = delay(this.#plan.seconds * 1000 + PATIENCE_MS, undefined, { signal: controller.signal });
    await Promise.race([all, patience]);
    controller.abort();
    patience.catch(() => undefined);
    return this.#outcome();
  }

  /** `count` things spread over the time, at most so many at once: what an outage holds up is caught up with. */
  async #evenly(count: number, mostAtOnce: number, begin: (n: number) => Promise<void>): Promise<void> {
    const started = performance.now();
    const running = new Set<Promise<void>>();
    for (let n = 0; n < count;) {
      const due = (count * (performance.now() - started)) / (this.#plan.seconds * 1000);
      for (; n < Math.min(due, count) && running.size < mostAtOnce; n++) {
        const one = begin(n).finally(() => {
          this.#running--;
          running.delete(one);
        });
        this.#running++;
        running.add(one);
      }
      await (running.size < mostAtOnce ? delay(TICK_MS) : Promise.race(running));
    }
    await Promise.all(running);
  }

  async #call(n: number): Promise<void> {
    try {
      const reply = await (await this.#client()).run({ n });
      if (reply.n !== n) this.#complain(`call ${n} was answered ${JSON.stringify(reply)}`);
      this.ends[n] = END.done;
    } catch (thrown) {
      this.ends[n] = this.#blame(thrown).delivered === "no" ? END.failedUndelivered : END.failedUnknown;
    }
  }

  async #stream(n: number): Promise<void> {
    const order = { n, items: 20 + (n % 10) * 40, pauseMs: n % 4 };
    try {
      const { count, fault } = await exchange(await this.#client(), order);
      if (fault !== "") this.#complain(`stream ${n}: ${fault}`);
      else if (count !== order.items) this.#complain(`stream ${n} ended after ${count} of ${order.items} items`);
      this.#streamsDone++;
    } catch (thrown) {
      this.#streamsFailed++;
      this.#blame(thrown);
    }
  }

  async #note(n: number): Promise<void> {
    try {
      await (await this.#client()).note({ n });
    } catch (thrown) {
      this.#notesFailed++;
      this.#blame(thrown);
    }
  }

  async #announce(n: number): Promise<void> {
    try {
      await this.#publish(n);
    } catch (thrown) {
      this.#eventsFailed++;
      this.#blame(thrown);
    }
  }

  #complain(text: string): void {
    if (this.#wrong.length < MOST_WRONG) this.#wrong.push(text);
  }

  #blame(thrown: unknown): RpcError {
    const error = RpcError.from(thrown);
    if (error.code !== "UNAVAILABLE") this.#foreign++;
    // Numbers and addresses aside, the same reason is counted once.
    const reason = `${error.code}: ${error.message.replaceAll(/\d+/g, "#")} (delivered ${error.delivered ?? "unsaid"})`;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    return error;
  }

  #outcome(): LoadOutcome {
    const done = this.ends.reduce((sum, end) => sum + (end === END.done ? 1 : 0), 0);
    const ended = this.ends.reduce((sum, end) => sum + (end === END.none ? 0 : 1), 0);
    return {
      done,
      failed: ended - done,
      streamsDone: this.#streamsDone,
      streamsFailed: this.#streamsFailed,
      notesFailed: this.#notesFailed,
      eventsFailed: this.#eventsFailed,
      wrong: this.#wrong,
      reasons: [...this.#reasons].toSorted(([, a], [, b]) => b - a).slice(0, MOST_REASONS),
      foreign: this.#foreign,
      hanging: this.#running,
    };
  }
}

/** One of the three shapes of a stream, by its number. */
function exchange(client: WorkClient, order: StreamOrder): Promise<StreamSum> {
  const metadata = { n: String(order.n) };
  if (order.n % 3 === 0) return sumOf(client.list(order), order.n);
  const items: AsyncIterable<Item> = itemsOf(order);
  if (order.n % 3 === 1) return client.collect(items, { metadata });
  return sumOf(client.echo(items), order.n);
}

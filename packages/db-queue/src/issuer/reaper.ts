import { type Clock, RpcError } from "@rpc/core";
import { holdProcess } from "../held-timer.ts";
import type { QueueStore } from "../store/store.ts";
import type { Reaped, Retention } from "../store/store-words.ts";

export interface ReaperOptions {
  /** How often it looks for what has expired and for lost leases, give or take a quarter. Default: 7500. */
  readonly everyMs?: number | undefined;
  /** An agent unseen for so long is lost: broadcasts do not wait for it. Default: 90,000. */
  readonly agentLostMs?: number | undefined;
  /** Which finished commands are deleted, looked at every minute; false: none ever. Default: done ones after 7 days, others after 30. */
  readonly retention?: Retention | false | undefined;
}

interface ReaperSettings extends ReaperOptions {
  readonly clock: Clock;
  readonly random: () => number;
}

/** Who wants it to run, and is told what it does. */
export interface ReaperUser {
  reaped(report: Reaped): void;
  failed(error: RpcError): void;
}

const EVERY_MS = 7500;
const AGENT_LOST_MS = 90_000;
const PRUNE_EVERY_MS = 60_000;
/** Batches of one turn; what is left has time until the next. */
const MAX_ROUNDS = 100;
const PRUNE_LIMIT = 500;

/** One for each store of a process, however many queues and agents there are: the first one's options hold. */
const REAPERS = new WeakMap<QueueStore, Reaper>();

export function reaperOf(store: QueueStore, settings: ReaperSettings): Reaper {
  let reaper = REAPERS.get(store);
  if (reaper === undefined) REAPERS.set(store, (reaper = new Reaper(store, settings)));
  return reaper;
}

/** Ends what has expired, gives lapsed claims back, deletes what is old. Any process may do it: rows are taken by one at a time. */
export class Reaper {
  readonly #store: QueueStore;
  readonly #settings: ReaperSettings;
  readonly #users: ReaperUser[] = [];
  #timer: unknown = undefined;
  #running: Promise<void> | undefined = undefined;
  #isAsked = false;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(store: QueueStore, settings: ReaperSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  /** Runs until everybody who has called this has called what it gives; that settles when nothing is under way any more. */
  start(user: ReaperUser): () => Promise<void> {
    this.#users.push(user);
    this.#schedule();
    let isHeld = true;
    return () => {
      if (isHeld) this.#users.splice(this.#users.indexOf(user), 1);
      isHeld = false;
      if (this.#users.length === 0) this.#stop();
      return this.#running ?? Promise.resolve();
    };
  }

  /** At once: somebody knows that something has expired. */
  now(): void {
    if (this.#running !== undefined) this.#isAsked = true;
    else if (this.#users.length > 0) void this.#run(false);
  }

  #schedule(): void {
    const { clock, random, everyMs = EVERY_MS } = this.#settings;
    this.#timer ??= clock.setTimeout(
      () => {
        this.#timer = undefined;
        void this.#run(true);
        this.#schedule();
      },
      everyMs * (0.75 + random() / 2),
    );
    // Others do it as well: no reason for a program to stay.
    holdProcess(this.#timer, false);
  }

  #stop(): void {
    if (this.#timer !== undefined) this.#settings.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(isRegular: boolean): Promise<void> {
    this.#running ??= this.#work(isRegular).finally(() => {
      this.#running = undefined;
      if (!this.#isAsked) return;
      this.#isAsked = false;
      this.now();
    });
    return this.#running;
  }

  async #work(isRegular: boolean): Promise<void> {
    try {
      await this.#reap();
      if (isRegular) await this.#prune();
    } catch (thrown) {
      const error = RpcError.from(thrown);
      // Of a remote store, its server sees to it.
      if (error.reason === "REMOTE") return;
      // The next turn comes anyhow.
      for (const user of this.#users) user.failed(error);
    }
  }

  async #reap(): Promise<void> {
    const { agentLostMs = AGENT_LOST_MS } = this.#settings;
    for (let round = 0; round < MAX_ROUNDS && this.#users.length > 0; round += 1) {
      const report = await this.#store.reap({ agentLostMs });
      if (report.expired + report.requeued + report.failed + report.cancelled > 0) {
        for (const user of this.#users) user.reaped(report);
      }
      if (!report.more) return;
    }
  }

  async #prune(): Promise<void> {
    const { clock, retention = {} } = this.#settings;
    if (retention === false || clock.now() - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = clock.now();
    const { limit = PRUNE_LIMIT } = retention;
    for (let round = 0; round < MAX_ROUNDS && this.#users.length > 0; round += 1) {
      if ((await this.#store.prune({ ...retention, limit })) < limit) return;
    }
  }
}

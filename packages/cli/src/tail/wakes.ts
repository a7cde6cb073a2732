import { setTimeout as setTimer } from "node:timers/promises";
import type { QueueStore } from "@rpc/db-queue";

/** What a look is for. */
export interface Wake {
  /** Commands that may have changed; undefined: any. */
  readonly ids: ReadonlySet<number> | undefined;
  /** There may be new ones. */
  readonly isNew: boolean;
}

/** A claim wakes nobody, but it follows close upon what does: a new command, another's end, the end of a pause. */
const AFTERMATH_MS = 250;
/** What a lost wake-up has hidden is found then, as by agents and issuers. */
const BACKSTOP_MS = 15_000;
const AGAIN_MS = 1000;
/** Between two looks, and so much more as the last one took: looking must not be what keeps a busy database busy. */
const PAUSE_MS = 40;
const PAUSE_FACTOR = 4;

const COMMAND = "command on: ";
const OF_COMMAND = /^(?:result|events|cancel) of: (\d{1,16})$/;

/** Wake-ups of a store, gathered until somebody has time to look. */
export class Wakes {
  readonly ready: Promise<void>;
  readonly #watch: ReturnType<QueueStore["watch"]>;
  readonly #address: string | undefined;
  #ids = new Set<number>();
  #isNew = false;
  #isAny = false;
  /** When to look without a wake-up, as all times here by `performance.now()`. */
  #dueAt: number = performance.now() + AFTERMATH_MS;
  #lookedAt: number | undefined = undefined;
  #ring: (() => void) | undefined = undefined;

  constructor(store: QueueStore, address: string | undefined) {
    this.#address = address;
    this.#watch = store.watch({
      wake: (topic) => this.#wake(topic),
      wakeAll: () => {
        this.#isAny = true;
        this.#ring?.();
      },
    });
    this.ready = this.#watch.ready;
  }

  /** Settles when there is a reason to look, or the signal is aborted. `hasFailed`: the last look has, and all of it is to be done again. */
  async next(signal: AbortSignal, hasFailed: boolean): Promise<Wake> {
    if (this.#lookedAt !== undefined) {
      const tookMs = performance.now() - this.#lookedAt;
      await sleep(hasFailed ? AGAIN_MS : tookMs * PAUSE_FACTOR + PAUSE_MS, signal);
    }
    this.#isAny ||= hasFailed;
    if (!this.#isWoken && !signal.aborted) await this.#rung(signal);
    const now = performance.now();
    const isAny = this.#isAny || now >= this.#dueAt;
    const wake = { ids: isAny ? undefined : this.#ids, isNew: isAny || this.#isNew };
    if (now >= this.#dueAt) this.#dueAt = now + BACKSTOP_MS;
    if (this.#isWoken) this.#dueAt = Math.min(this.#dueAt, now + AFTERMATH_MS);
    this.#lookedAt = now;
    this.#ids = new Set();
    this.#isNew = false;
    this.#isAny = false;
    return wake;
  }

  close(): void {
    this.#watch.close();
  }

  get #isWoken(): boolean {
    return this.#isAny || this.#isNew || this.#ids.size > 0;
  }

  #wake(topic: string): void {
    const [, id] = OF_COMMAND.exec(topic) ?? [];
    if (id !== undefined) this.#ids.add(Number(id));
    else if (this.#address === undefined ? topic.startsWith(COMMAND) : topic === COMMAND + this.#address)
      this.#isNew = true;
    else return;
    this.#ring?.();
  }

  /** Woken, due, or aborted. The timer holds the process: nothing else of a watch does. */
  #rung(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#ring = undefined;
        resolve();
      };
      const timer = setTimeout(end, Math.max(0, this.#dueAt - performance.now()));
      signal.addEventListener("abort", end);
      this.#ring = end;
    });
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimer(ms, undefined, { signal }).catch(() => undefined);
}

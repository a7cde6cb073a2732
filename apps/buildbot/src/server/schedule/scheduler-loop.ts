import type { BuildRequest } from "../../contracts/values.ts";
import type { Store, Tx } from "../store/open-store.ts";
import { nextDue, runDue } from "./due.ts";

/** The wall clock may be set, and another server may have added something: it looks at least so often. */
const LONGEST_SLEEP_MS = 30_000;
const PAUSE_AFTER_FAILURE_MS = 5_000;

export interface SchedulerLoopOptions {
  readonly store: Store;
  /** In the transaction that makes them: the place to issue the command that tells the bots. What it throws undoes the requests. */
  readonly issue?: (tx: Tx, requests: readonly BuildRequest[]) => Promise<void>;
  /** After the commit. */
  readonly made?: (requests: readonly BuildRequest[]) => void;
  /** It goes on after a pause. */
  readonly failed?: (error: unknown) => void;
}

export interface SchedulerLoop {
  /** Commits have come, or the configuration has changed: something may be due earlier than was known. */
  wake(): void;
  /** Ends when what it is doing has ended. */
  close(): Promise<void>;
}

/** Makes the requests of the schedulers when they are due. All its state is in the database. */
export function startSchedulerLoop(options: SchedulerLoopOptions): SchedulerLoop {
  const loop = new Loop(options);
  loop.wake();
  return loop;
}

class Loop implements SchedulerLoop {
  readonly #options: SchedulerLoopOptions;
  #isClosed = false;
  #isWoken = false;
  #timer: unknown;
  #running: Promise<void> | undefined;

  constructor(options: SchedulerLoopOptions) {
    this.#options = options;
  }

  readonly wake = (): void => {
    this.#isWoken = true;
    if (this.#isClosed || this.#running !== undefined) return;
    this.#options.store.clock.clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Woken between its last look and its end.
      if (this.#isWoken) this.wake();
    });
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.store.clock.clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    let sleepMs = PAUSE_AFTER_FAILURE_MS;
    while (this.#isWoken && !this.#isClosed) {
      this.#isWoken = false;
      try {
        sleepMs = await this.#round();
      } catch (error) {
        this.#options.failed?.(error);
        sleepMs = PAUSE_AFTER_FAILURE_MS;
      }
    }
    if (!this.#isClosed) this.#timer = this.#options.store.clock.setTimeout(this.wake, sleepMs);
  }

  /** How long there is nothing to do then. */
  async #round(): Promise<number> {
    const { store, issue, made } = this.#options;
    let more = true;
    while (more && !this.#isClosed) {
      const done = await store.transaction(async (tx) => {
        const due = await runDue(tx, store.wallClock());
        if (due.requests.length > 0) await issue?.(tx, due.requests);
        return due;
      });
      if (done.requests.length > 0) made?.(done.requests);
      ({ more } = done);
    }
    const due = await nextDue(store.db);
    return due === undefined ? LONGEST_SLEEP_MS : Math.min(Math.max(due - store.wallClock(), 1), LONGEST_SLEEP_MS);
  }
}

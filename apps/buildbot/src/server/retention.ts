import type { Artefacts } from "./artefacts/index.ts";
import type { Logs } from "./logs/index.ts";
import { deleteBuilds, listOutdated, type Store } from "./store/index.ts";

const LOOK_MS = 600_000;
/** In one transaction: others wait no longer than for these. */
const BATCH = 10;

export interface RetentionOptions {
  readonly store: Store;
  readonly logs: Logs;
  readonly artefacts: Artefacts;
  readonly failed: (error: unknown) => void;
}

/** Deletes builds that nobody wants to keep: every ten minutes, and when the configuration has changed. */
export class Retention {
  readonly #options: RetentionOptions;
  #timer: unknown;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  readonly look = (): void => {
    if (this.#isClosed || this.#running !== undefined) return;
    const { clock } = this.#options.store;
    clock.clearTimeout(this.#timer);
    this.#running = this.round().finally(() => {
      this.#running = undefined;
      if (!this.#isClosed) this.#timer = clock.setTimeout(this.look, LOOK_MS);
    });
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.store.clock.clearTimeout(this.#timer);
    await this.#running;
  }

  /** Deletes what there is to delete. Never rejects. */
  async round(): Promise<void> {
    const { store, failed } = this.#options;
    try {
      let builds = await listOutdated(store.db, store.wallClock());
      while (builds.length > 0 && !this.#isClosed) {
        await this.#delete(builds.splice(0, BATCH));
        if (builds.length === 0) builds = await listOutdated(store.db, store.wallClock());
      }
    } catch (error) {
      failed(error);
    }
  }

  /** Files first: what a crash leaves between is found again by its rows. */
  async #delete(builds: readonly number[]): Promise<void> {
    const { store, logs, artefacts } = this.#options;
    for (const build of builds) {
      await logs.remove(build);
      await artefacts.remove(build);
    }
    await store.transaction((tx) => deleteBuilds(tx, builds));
  }
}

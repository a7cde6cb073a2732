import type { Clock } from "@rpc/core";
import type { WakeListener, Watch } from "../store/store.ts";

export interface WakeSource {
  /** Settles with the number of the last foreign commit, once the database is open. */
  readonly open: () => Promise<number | undefined>;
  /** Now; undefined: cannot tell. */
  readonly dataVersion: () => number | undefined;
}

/**
 * Who is woken, and by what: commits of this store say their topics, and those of others show in `PRAGMA data_version`, which does not say
 * what has changed. It is looked at while somebody watches, and never otherwise.
 */
export class WakeUps {
  readonly #listeners = new Set<WakeListener>();
  readonly #source: WakeSource;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #seen: number | undefined;
  #timer: unknown;
  #isClosed = false;

  constructor(source: WakeSource, clock: Clock, intervalMs: number) {
    this.#source = source;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  watch(listener: WakeListener): Watch {
    this.#listeners.add(listener);
    const ready = this.#begin(listener);
    // Who does not ask for it is not to fall over it: polling goes on and finds the database when it is there.
    ready.catch(() => undefined);
    return {
      ready,
      close: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this.#stop();
      },
    };
  }

  /** After a commit of this store. */
  wake(topics: ReadonlySet<string>): void {
    for (const listener of this.#listeners) {
      for (const topic of topics) tell(() => listener.wake(topic));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#stop();
  }

  async #begin(listener: WakeListener): Promise<void> {
    try {
      const version = await this.#source.open();
      // A version that others go by already is theirs to compare with: one taken over here would hide a commit from them.
      this.#seen ??= version;
    } finally {
      if (this.#listeners.has(listener) && !this.#isClosed) this.#schedule();
    }
  }

  #schedule(): void {
    this.#timer ??= this.#clock.setTimeout(this.#look, this.#intervalMs);
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const version = this.#source.dataVersion();
    if (version !== undefined && version !== this.#seen) {
      this.#seen = version;
      for (const listener of this.#listeners) tell(() => listener.wakeAll());
    }
    if (this.#listeners.size > 0) this.#schedule();
  };

  #stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    // Numbers of a time when nobody looked are none to compare with.
    this.#seen = undefined;
  }
}

function tell(run: () => void): void {
  try {
    run();
  } catch {
    // A listener's fault is its own: the others are still to be told.
  }
}

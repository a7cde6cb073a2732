import type { Commands } from "./commands/index.ts";
import { listRepositories, type Store } from "./store/index.ts";

const LOOK_MS = 5_000;

export interface PollingOptions {
  readonly store: Store;
  readonly commands: Pick<Commands, "present" | "pollSources">;
  readonly failed: (error: unknown) => void;
}

/**
 * Lets one of the bots that listen look at repositories whose `pollSeconds` are over. While no bot is there nothing is asked for, and nothing
 * lost: the next poll finds what has come meanwhile.
 */
export class Polling {
  readonly #options: PollingOptions;
  readonly #askedAt = new Map<string, number>();
  #turn = 0;
  #timer: unknown;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: PollingOptions) {
    this.#options = options;
    this.#plan();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.store.clock.clearTimeout(this.#timer);
    await this.#running;
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.store.clock.setTimeout(() => {
      this.#running = this.#round()
        .catch(this.#options.failed)
        .finally(() => this.#plan());
    }, LOOK_MS);
  }

  async #round(): Promise<void> {
    const { store, commands } = this.#options;
    const present = [...(await commands.present()).keys()].toSorted();
    const bot = present[this.#turn % Math.max(1, present.length)];
    if (bot === undefined) return;
    const now = store.wallClock();
    const due = (await listRepositories(store.db)).filter(({ name, pollSeconds, polledAt = 0 }) => {
      // Asked is not polled yet: its command may wait for its turn.
      const last = Math.max(polledAt, this.#askedAt.get(name) ?? 0);
      return pollSeconds > 0 && now - last >= pollSeconds * 1000;
    });
    if (due.length === 0) return;
    const names = due.map(({ name }) => name);
    for (const name of names) this.#askedAt.set(name, now);
    this.#turn += 1;
    await commands.pollSources(bot, names, "timer");
  }
}

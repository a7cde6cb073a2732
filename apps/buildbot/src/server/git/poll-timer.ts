import { listRepositories, setPolled, type Store } from "../store/index.ts";

/** The configuration may change, and a clock may be set: it looks at least so often. */
const LONGEST_SLEEP_MS = 10_000;

export interface PollTimerOptions {
  readonly store: Store;
  /**
   * Has one repository looked at by a bot that is there, and settles when it has been; `nobody`: no bot is there. What it rejects with is
   * shown with the repository until a poll goes well.
   */
  readonly ask: (repository: string) => Promise<"polled" | "nobody">;
  /** A repository has been looked at, or could not be. */
  readonly polled?: (repository: string) => void;
  /** The database could not be asked; it goes on. */
  readonly failed?: (error: unknown) => void;
}

export interface PollTimer {
  /** A bot has come, or the configuration has changed. */
  wake(): void;
  /** Polls that have been asked for go on by themselves. */
  close(): Promise<void>;
}

/** Has repositories looked at as often as the configuration wishes. Nothing is lost while there is no bot: the next poll finds it. */
export function startPollTimer(options: PollTimerOptions): PollTimer {
  const timer = new Timer(options);
  timer.wake();
  return timer;
}

class Timer implements PollTimer {
  readonly #options: PollTimerOptions;
  readonly #asked = new Set<string>();
  /** Repositories for which there was nobody, and when to ask again. */
  readonly #nobody = new Map<string, number>();
  #isClosed = false;
  #isWoken = false;
  #timer: unknown;
  #running: Promise<void> | undefined;

  constructor(options: PollTimerOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#nobody.clear();
    this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.store.clock.clearTimeout(this.#timer);
    await this.#running;
  }

  readonly #look = (): void => {
    this.#isWoken = true;
    if (this.#isClosed || this.#running !== undefined) return;
    this.#options.store.clock.clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#isWoken) this.#look();
    });
  };

  async #run(): Promise<void> {
    this.#isWoken = false;
    let sleepMs = LONGEST_SLEEP_MS;
    try {
      sleepMs = await this.#round();
    } catch (error) {
      this.#options.failed?.(error);
    }
    if (!this.#isClosed) this.#timer = this.#options.store.clock.setTimeout(this.#look, sleepMs);
  }

  /** How long there is nothing to do then. */
  async #round(): Promise<number> {
    const { store } = this.#options;
    let sleepMs = LONGEST_SLEEP_MS;
    const now = store.wallClock();
    for (const { name, pollSeconds, polledAt } of await listRepositories(store.db)) {
      if (pollSeconds === 0 || this.#asked.has(name)) continue;
      const dueAt = Math.max((polledAt ?? 0) + pollSeconds * 1000, this.#nobody.get(name) ?? 0);
      if (dueAt > now) sleepMs = Math.min(sleepMs, dueAt - now);
      else void this.#ask(name, pollSeconds);
    }
    return sleepMs;
  }

  async #ask(name: string, pollSeconds: number): Promise<void> {
    const { store, ask, polled, failed } = this.#options;
    this.#asked.add(name);
    try {
      const problem = await ask(name).then(
        (answer) => (answer === "nobody" ? answer : undefined),
        (error: unknown) => ({ text: error instanceof Error ? error.message : String(error) }),
      );
      if (problem === "nobody") {
        this.#nobody.set(name, store.wallClock() + pollSeconds * 1000);
      } else if (!this.#isClosed) {
        await setPolled(store.db, { repository: name, at: store.wallClock(), problem: problem?.text });
        polled?.(name);
      }
    } catch (error) {
      // The database is away: as if nobody had been there, or it would be asked again at once.
      this.#nobody.set(name, store.wallClock() + pollSeconds * 1000);
      failed?.(error);
    } finally {
      this.#asked.delete(name);
      this.#look();
    }
  }
}

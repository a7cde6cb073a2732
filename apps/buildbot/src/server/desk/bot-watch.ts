import type { Bus } from "../bus.ts";
import type { Commands } from "../commands/index.ts";
import type { Logs } from "../logs/index.ts";
import { listBots, listRunning, loseBuilds, type Store } from "../store/index.ts";
import { tellChanged } from "./tell-changed.ts";

const LOOK_MS = 15_000;

export interface BotWatchOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly logs: Logs;
  readonly commands: Commands;
  /** Nothing has been heard of a bot for so long: its builds are taken from it and wait for another. Default: 10 minutes. */
  readonly lostAfterMs?: number | undefined;
  readonly failed?: ((error: unknown) => void) | undefined;
}

/** Tells who comes and goes, and takes the builds of those who stay away. */
export class BotWatch {
  readonly #options: BotWatchOptions;
  readonly #lostAfterMs: number;
  readonly #startedAt: number;
  readonly #stopListening: () => void;
  #present: ReadonlySet<string> = new Set();
  #timer: unknown;
  #running: Promise<void> | undefined;
  #isAsked = false;
  #isClosed = false;

  constructor(options: BotWatchOptions) {
    this.#options = options;
    this.#lostAfterMs = options.lostAfterMs ?? 600_000;
    // A bot cannot be heard by a server that is not there.
    this.#startedAt = options.store.wallClock();
    this.#stopListening = options.bus.on("presenceChanged", () => this.look());
    this.look();
  }

  /** Whether a bot is subscribed to its address, as of the last look. */
  isPresent(bot: string): boolean {
    return this.#present.has(bot);
  }

  look(): void {
    this.#isAsked = true;
    if (this.#isClosed || this.#running !== undefined) return;
    const { clock } = this.#options.store;
    clock.clearTimeout(this.#timer);
    this.#running = this.#round().finally(() => {
      this.#running = undefined;
      if (this.#isClosed) return;
      if (this.#isAsked) this.look();
      else this.#timer = clock.setTimeout(() => this.look(), LOOK_MS);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#options.store.clock.clearTimeout(this.#timer);
    await this.#running;
  }

  async #round(): Promise<void> {
    this.#isAsked = false;
    try {
      const heard = await this.#options.commands.present();
      const present = new Set(heard.keys());
      const before = this.#present;
      const changed = [...present, ...before].filter((bot) => present.has(bot) !== before.has(bot));
      this.#present = present;
      for (const bot of changed) this.#options.bus.emit("botChanged", bot);
      await this.#takeFromLost();
    } catch (error) {
      this.#options.failed?.(error);
    }
  }

  async #takeFromLost(): Promise<void> {
    const { store, bus, logs, commands } = this.#options;
    const at = store.wallClock();
    if (at - this.#startedAt < this.#lostAfterMs) return;
    const seen = new Map((await listBots(store.db)).map(({ name, lastSeenAt }) => [name, lastSeenAt ?? 0]));
    const busy = new Set((await listRunning(store.db)).map(({ bot }) => bot));
    for (const bot of busy) {
      if (this.#present.has(bot) || at - (seen.get(bot) ?? 0) < this.#lostAfterMs) continue;
      const why = `nothing was heard of ${bot} for ${Math.round(this.#lostAfterMs / 60_000)} minutes`;
      const changed = await store.transaction(async (tx) => {
        const lost = await loseBuilds(store.kind, tx, { bot, why, at });
        await commands.tellOfRequests(tx, lost.requests, { by: "server", isPutBack: true });
        return lost;
      });
      tellChanged(bus, changed);
      bus.emit("botChanged", bot);
      for (const { id } of changed.builds) await logs.endAll(id);
    }
  }
}

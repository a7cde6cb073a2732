import { type Clock, RpcError } from "@rpc/core";
import { Client, type PoolConfig } from "pg";
import { holdProcess } from "../held-timer.ts";
import type { Outcome } from "../store/store-words.ts";
import { resultTopic, type WakeListener, type Watch } from "../store/store.ts";
import { postgresError } from "./status.ts";

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;

export interface WakeUpSettings {
  readonly config: PoolConfig;
  readonly endpoint: string;
  readonly channel: string;
  /** False: nobody notifies, or a pooler stands between; those who watch are told to look every `pollIntervalMs`. */
  readonly listens: boolean;
  readonly pollIntervalMs: number;
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
}

/**
 * Who is woken, and by what: LISTEN on a connection of its own, there while somebody watches. Whenever it has been away, whoever watches is told
 * to look; while it cannot be had, again at every try. A question at intervals finds out a connection that is open at this end alone.
 */
export class WakeUps {
  readonly #settings: WakeUpSettings;
  readonly #listeners = new Set<WakeListener>();
  #client: Client | undefined;
  #ready: Promise<void> | undefined;
  #timer: unknown;
  #failures = 0;
  #isClosed = false;

  constructor(settings: WakeUpSettings) {
    this.#settings = settings;
  }

  watch(listener: WakeListener): Watch {
    this.#listeners.add(listener);
    this.#ready ??= this.#begin();
    const ready = this.#ready;
    // Who does not ask for it is not to fall over it: the tries go on.
    ready.catch(() => undefined);
    return {
      ready,
      close: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this.#stop();
      },
    };
  }

  /** What this process has done itself, where no notification would come back. */
  wakeHere(topics: readonly string[]): void {
    if (this.#settings.listens || this.#listeners.size === 0) return;
    for (const topic of topics) this.#tell((listener) => listener.wake(topic));
  }

  /** What this process has settled. Who waits here and is told what came of it need not read the row; the notification comes for the others. */
  ended(commands: readonly { readonly id: number; readonly outcome: Outcome | undefined }[]): void {
    if (this.#listeners.size === 0) return;
    for (const { id, outcome } of commands) {
      if (outcome === undefined) this.wakeHere([resultTopic(id)]);
      else this.#tell((listener) => listener.wake(resultTopic(id), outcome));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#stop();
  }

  #begin(): Promise<void> {
    if (this.#settings.listens) return this.#listen();
    this.#after(this.#settings.pollIntervalMs, this.#poll);
    return Promise.resolve();
  }

  readonly #poll = (): void => {
    this.#tell((listener) => listener.wakeAll());
    this.#after(this.#settings.pollIntervalMs, this.#poll);
  };

  async #listen(): Promise<void> {
    const { config, connectTimeoutMs, channel, endpoint } = this.#settings;
    // A statement of this connection is a question whether it is alive: the pool's own patience is another matter.
    const client = new Client({
      ...config,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: connectTimeoutMs,
    });
    this.#client = client;
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ payload }) => this.#take(payload));
    try {
      await client.connect();
      await client.query(`LISTEN "${channel}"`);
    } catch (thrown) {
      this.#lost(client);
      throw postgresError(thrown, endpoint);
    }
    holdProcess(client, false);
    if (this.#client !== client) {
      throw new RpcError("UNAVAILABLE", `${endpoint}: the listening connection was lost`, {
        reason: "CONNECTION_LOST",
      });
    }
    // Whatever was committed while nobody listened.
    if (this.#failures > 0) this.#tell((listener) => listener.wakeAll());
    this.#failures = 0;
    this.#after(this.#settings.keepAliveMs, () => this.#askForLife(client));
  }

  #askForLife(client: Client): void {
    const { clock, keepAliveMs } = this.#settings;
    const overdue = clock.setTimeout(() => this.#lost(client), keepAliveMs);
    holdProcess(overdue, false);
    client.query("SELECT 1").then(
      () => {
        clock.clearTimeout(overdue);
        if (this.#client === client) this.#after(keepAliveMs, () => this.#askForLife(client));
      },
      () => {
        clock.clearTimeout(overdue);
        this.#lost(client);
      },
    );
  }

  #lost(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#drop(client);
    if (this.#listeners.size === 0) return;
    // The first try after a loss is the one that nobody has to wait for.
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    // Between the two nobody is told anything: reading is the only way to find out, as far as the database can be read.
    if (this.#failures > 1) this.#tell((listener) => listener.wakeAll());
    this.#after(delayMs, () => {
      const again = this.#listen();
      this.#ready = again;
      again.catch(() => undefined);
    });
  }

  #take(payload: string | undefined): void {
    for (const topic of topicsOf(payload)) {
      this.#tell((listener) => (topic === null ? listener.wakeAll() : listener.wake(topic)));
    }
  }

  #tell(run: (listener: WakeListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        run(listener);
      } catch {
        // A listener's fault is its own: the others are still to be told.
      }
    }
  }

  #stop(): void {
    this.#settings.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ready = undefined;
    this.#failures = 0;
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) this.#drop(client);
  }

  /** Without waiting for an answer, which a dead connection does not give. */
  #drop(client: Client): void {
    client.on("error", () => undefined);
    client.end().catch(() => undefined);
  }

  #after(delayMs: number, run: () => void): void {
    const { clock } = this.#settings;
    clock.clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = clock.setTimeout(run, delayMs);
    holdProcess(this.#timer, false);
  }
}

/** Anybody may notify on the channel: what is no list of texts is nothing. `null` stands for any topic. */
function topicsOf(payload: string | undefined): (string | null)[] {
  try {
    const topics: unknown = JSON.parse(payload ?? "");
    return Array.isArray(topics) ? topics.filter((topic) => topic === null || typeof topic === "string") : [];
  } catch {
    return [];
  }
}

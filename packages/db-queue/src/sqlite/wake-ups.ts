import type { Clock, RpcError } from "@rpc/core";
import { holdProcess } from "../held-timer.ts";
import type { Claimed, ClaimRequest, Outcome } from "../store/store-words.ts";
import { type ClaimOffer, commandTopic, type WakeListener, type Watch } from "../store/store.ts";

const COMMAND = commandTopic("");

export interface WakeSource {
  /** Settles with the number of the last foreign commit, once the database is open. */
  readonly open: () => Promise<number | undefined>;
  /** Now; undefined: cannot tell. */
  readonly dataVersion: () => number | undefined;
}

/** A listener that has claimed in the transaction which would have woken it. */
export interface Served {
  readonly topic: string;
  readonly listener: WakeListener;
  readonly tell: () => void;
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

  /** Before a commit of this store: who claims in it. `claim` gives undefined when it could not. */
  serve(
    topics: ReadonlyMap<string, unknown>,
    claim: (request: ClaimRequest) => Claimed | RpcError | undefined,
  ): readonly Served[] {
    const served: Served[] = [];
    for (const listener of this.#listeners) {
      if (listener.claimOn === undefined) continue;
      for (const topic of topics.keys()) {
        if (!topic.startsWith(COMMAND)) continue;
        const offer = offerOf(listener, topic);
        const answer = offer && claim(offer.request);
        if (offer !== undefined && answer !== undefined)
          served.push({ topic, listener, tell: () => offer.claimed(answer) });
      }
    }
    return served;
  }

  /** After it. */
  wake(topics: ReadonlyMap<string, Outcome | undefined>, served: readonly Served[]): void {
    for (const listener of this.#listeners) {
      for (const [topic, outcome] of topics) {
        const claims = served.find((each) => each.listener === listener && each.topic === topic);
        tell(() => (claims === undefined ? listener.wake(topic, outcome) : claims.tell()));
      }
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
    holdProcess(this.#timer, false);
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

function offerOf(listener: WakeListener, topic: string): ClaimOffer | undefined {
  try {
    return listener.claimOn?.(topic);
  } catch {
    return undefined;
  }
}

function tell(run: () => void): void {
  try {
    run();
  } catch {
    // A listener's fault is its own: the others are still to be told.
  }
}

import type { Clock, RpcError } from "@rpc/core";
import { holdProcess } from "../held-timer.ts";
import type { Claimed, ClaimRequest, Outcome } from "../store/store-words.ts";
import { type ClaimOffer, commandTopic, type WakeListener, type Watch } from "../store/store.ts";

const COMMAND = commandTopic("");
/** From the instant that a command's end bears to its commit, or clocks that are set meanwhile. What takes longer is found by polling. */
const SLACK_MS = 2000;

export interface WakeSource {
  /** Settles with the number of the last foreign commit, once the database is open. */
  readonly open: () => Promise<number | undefined>;
  /** Now; undefined: cannot tell. */
  readonly dataVersion: () => number | undefined;
  /** Ids of commands that have ended at that instant of the database's clock or later; undefined: cannot tell, or too many. */
  readonly endedSince: (at: number) => readonly number[] | undefined;
  readonly wallClock: () => number;
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
  /** When others were known to have committed no more than `#seen`. */
  #seenAt: number | undefined;
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
    const at = this.#source.wallClock();
    const version = this.#source.dataVersion();
    if (version !== undefined) {
      const since = this.#seenAt;
      this.#seenAt = at;
      if (version !== this.#seen) {
        this.#seen = version;
        const ended = this.#endedSince(since);
        for (const listener of this.#listeners) tell(() => listener.wakeAll(ended));
      }
    }
    if (this.#listeners.size > 0) this.#schedule();
  };

  /** Read once, and only when somebody asks. */
  #endedSince(at: number | undefined): () => readonly number[] | undefined {
    let found: { readonly ids: readonly number[] | undefined } | undefined;
    return () => {
      found ??= { ids: at === undefined ? undefined : this.#source.endedSince(at - SLACK_MS) };
      return found.ids;
    };
  }

  #stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    // Numbers of a time when nobody looked are none to compare with.
    this.#seen = undefined;
    this.#seenAt = undefined;
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

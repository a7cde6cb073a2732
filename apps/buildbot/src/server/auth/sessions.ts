import { type Clock, type Listener, type Peer, RpcError } from "@rpc/core";
import type { Bus } from "../bus.ts";
import { listBots, listUsers, type Store } from "../store/index.ts";
import { identityOf } from "./auth.ts";

/** How late another server's process with the same database is noticed. */
const LOOK_MS = 15_000;

export interface SessionsOptions {
  readonly listeners: readonly Pick<Listener, "peers">[];
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly failed: (error: unknown) => void;
}

/**
 * Ends the sessions of users and bots that have been removed, and so what streams to them: a call asks each time whose it is, a stream only
 * once. (All that streams is any viewer's, so a role that is taken ends nothing but calls.)
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #stopListening: () => void;
  #timer: unknown;
  #looking: Promise<void> | undefined;
  #isClosed = false;
  /** Which one it was when it was first seen. */
  readonly #bots = new WeakMap<Peer, number>();

  constructor(options: SessionsOptions) {
    this.#options = options;
    // In the next turn: whoever has removed himself is answered first.
    this.#stopListening = options.bus.on(
      "callerGone",
      (gone) => void setImmediate(() => this.#end((one) => one === gone)),
    );
    this.#rest();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#options.clock.clearTimeout(this.#timer);
    await this.#looking;
  }

  #rest(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        this.#rest();
      });
    }, LOOK_MS);
  }

  async #look(): Promise<void> {
    const { store, failed } = this.#options;
    try {
      // Those who come while it is read may be newer than what is read.
      const peers = this.#peers();
      const users = new Set((await listUsers(store.db)).map(identityOf));
      const bots = new Map((await listBots(store.db)).map(({ id, name }) => [name, id]));
      for (const peer of peers) {
        const { identity } = peer;
        if (identity === undefined) continue;
        if (identity.startsWith("user:")) {
          if (!users.has(identity)) end(peer);
        } else if (!identity.includes(":")) {
          const id = bots.get(identity);
          // One that is made anew under an old name is another.
          const before = this.#bots.get(peer) ?? id;
          if (id === undefined || id !== before) end(peer);
          else this.#bots.set(peer, id);
        }
      }
    } catch (error) {
      failed(error);
    }
  }

  #end(isGone: (identity: string) => boolean): void {
    for (const peer of this.#peers()) if (peer.identity !== undefined && isGone(peer.identity)) end(peer);
  }

  #peers(): Peer[] {
    return this.#options.listeners.flatMap(({ peers }) => [...peers]);
  }
}

function end(peer: Peer): void {
  peer.disconnect(new RpcError("UNAUTHENTICATED", "whose session this was has been removed"));
}

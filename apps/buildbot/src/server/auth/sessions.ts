import { type Clock, type Listener, RpcError } from "@rpc/core";
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
      const users = new Set((await listUsers(store.db)).map(identityOf));
      const bots = new Set((await listBots(store.db)).map(({ name }) => name));
      this.#end((identity) =>
        identity.startsWith("user:") ? !users.has(identity) : !identity.includes(":") && !bots.has(identity),
      );
    } catch (error) {
      failed(error);
    }
  }

  #end(isGone: (identity: string) => boolean): void {
    for (const { peers } of this.#options.listeners) {
      for (const peer of peers) {
        if (peer.identity !== undefined && isGone(peer.identity)) {
          peer.disconnect(new RpcError("UNAUTHENTICATED", "whose session this was has been removed"));
        }
      }
    }
  }
}

import { type Clock, RpcError } from "@rpc/core";
import { jsonText } from "../json-text.ts";
import { keyedHash } from "../http/constant-time.ts";

/** How long and how many replies a listener keeps. */
export interface ReplyKeeping {
  readonly keepMs: number;
  readonly maxEntries: number;
}

/**
 * What calls with an idempotency key were about. A reply cache compares inputs, but records and context are none: without this a key that comes
 * again with other records would get the first ones' reply. Remembered while the call runs and as long as its reply, and no more of them.
 */
export class KeyCheck {
  readonly #clock: Clock;
  readonly #keeping: ReplyKeeping;
  /** Hashes by name; bounded by the calls that may be in flight. */
  readonly #running = new Map<string, string>();
  /** Oldest first. */
  readonly #ended = new Map<string, { readonly hash: string; readonly until: number }>();

  constructor(clock: Clock, keeping: ReplyKeeping) {
    this.#clock = clock;
    this.#keeping = keeping;
  }

  /** Gives what is to be called when the call has ended. Throws ALREADY_EXISTS for a key that was used for something else. */
  begin(caller: string, database: string, method: string, key: string, about: readonly unknown[]): () => void {
    const name = JSON.stringify([caller, database, method, key]);
    const hash = keyedHash([jsonText(about)]).toString("base64");
    this.#forgetOld();
    const known = this.#running.get(name) ?? this.#ended.get(name)?.hash;
    if (known === hash) return nothing;
    if (known !== undefined)
      throw new RpcError(
        "ALREADY_EXISTS",
        `${method}: this idempotency key was used with other records or another context`,
        { reason: "CONFLICT", delivered: "no" },
      );
    this.#running.set(name, hash);
    return () => {
      this.#running.delete(name);
      this.#keep(name, hash);
    };
  }

  #keep(name: string, hash: string): void {
    const { keepMs, maxEntries } = this.#keeping;
    this.#ended.set(name, { hash, until: this.#clock.now() + keepMs });
    if (this.#ended.size <= maxEntries) return;
    const oldest = this.#ended.keys().next();
    if (oldest.done !== true) this.#ended.delete(oldest.value);
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [name, { until }] of this.#ended) {
      if (until > now) return;
      this.#ended.delete(name);
    }
  }
}

function nothing(): void {
  // A repeat: the first call of this key says when it ends.
}

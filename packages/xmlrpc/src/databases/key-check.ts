import { RpcError } from "@rpc/core";
import { jsonText } from "../json-text.ts";
import { keyedHash } from "../http/constant-time.ts";

/** Keys that are remembered; beyond them the oldest are forgotten. */
const MAX_KEYS = 10_000;

/**
 * What calls with an idempotency key were about. A reply cache compares inputs, but records and context are none: without this a key that comes
 * again with other records would get the first ones' reply.
 */
export class KeyCheck {
  readonly #abouts = new Map<string, string>();

  /** Throws ALREADY_EXISTS for a key that was used for something else. */
  check(caller: string, database: string, method: string, key: string, about: readonly unknown[]): void {
    const name = JSON.stringify([caller, database, method, key]);
    const hash = keyedHash([jsonText(about)]).toString("base64");
    const known = this.#abouts.get(name);
    if (known !== undefined && known !== hash)
      throw new RpcError(
        "ALREADY_EXISTS",
        `${method}: this idempotency key was used with other records or another context`,
        {
          reason: "CONFLICT",
          delivered: "no",
        },
      );
    if (known !== undefined) return;
    this.#abouts.set(name, hash);
    if (this.#abouts.size <= MAX_KEYS) return;
    const oldest = this.#abouts.keys().next();
    if (oldest.done !== true) this.#abouts.delete(oldest.value);
  }
}

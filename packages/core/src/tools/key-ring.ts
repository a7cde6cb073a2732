import type { ListenerCredentials, Secret } from "../words/credentials.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import { randomBytes } from "./bytes.ts";
import type { Awaitable } from "../words/transport.ts";
import { chained } from "./promise-like.ts";
import { Key } from "./proof.ts";
import { utf8Bytes } from "./utf8.ts";

/** Who proves the one secret that is everybody's. */
export const ANYBODY = "peer";

/** Keys that are tried for somebody who does not say who it is. */
const MAX_NAMELESS_KEYS = 64;

/** The keys of a serving end. */
export class KeyRing {
  readonly #shared: readonly Key[];
  readonly #named = new Map<string, readonly Key[]>();
  readonly #lookup: ((identity: string) => Awaitable<readonly Key[]>) | undefined = undefined;
  /** Nobody knows it: who has no key is checked all the same, and fails as somebody with a wrong one does. */
  readonly #nobody: Key;

  /** Throws INVALID_ARGUMENT for a secret that is missing or empty: that must never mean "open to all". */
  constructor({ secret, secrets }: ListenerCredentials, functions: ProofCrypto) {
    this.#nobody = new Key("", randomBytes(32), functions);
    this.#shared = secret === undefined ? [] : [keyOf(ANYBODY, secret, "secret", functions)];
    if (typeof secrets === "function") {
      this.#lookup = (identity) =>
        chained(secrets(identity), (found) => (found === undefined ? [] : keysOf(identity, found, functions)));
      return;
    }
    if (secrets !== undefined && Object.hasOwn(secrets, ANYBODY)) {
      const message = `option secrets must not name an identity "${ANYBODY}": that is whoever proves the one secret of the option secret`;
      throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
    }
    if (secrets !== undefined && Object.hasOwn(secrets, "")) {
      const message = "option secrets has a secret without a name; for one that is everybody's set the option secret";
      throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
    }
    for (const [identity, found] of Object.entries(secrets ?? {}))
      this.#named.set(identity, keysOf(identity, found, functions));
  }

  /** The keys that fit a name, at least one; with an empty name all that there are. */
  find(identity: string): Awaitable<readonly Key[]> {
    const keys = [...this.#shared];
    if (identity === "") {
      for (const named of this.#named.values()) if (keys.length < MAX_NAMELESS_KEYS) keys.push(...named);
    } else {
      keys.push(...(this.#named.get(identity) ?? []));
      if (this.#lookup !== undefined)
        return chained(this.#lookup(identity), (found) => this.#orNobody([...keys, ...found]));
    }
    return this.#orNobody(keys);
  }

  #orNobody(keys: readonly Key[]): readonly Key[] {
    return keys.length === 0 ? [this.#nobody] : keys;
  }
}

/** The key of a secret. Throws INVALID_ARGUMENT for an empty one. */
export function keyOf(identity: string, secret: Secret, option: string, functions: ProofCrypto): Key {
  return new Key(identity, secretBytes(secret, option), functions);
}

/** The bytes of a secret. Throws INVALID_ARGUMENT for none; the message never shows it. */
export function secretBytes(secret: Secret, option: string): Uint8Array {
  const bytes: unknown = typeof secret === "string" ? utf8Bytes(secret) : secret;
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  const message = `option ${option} is ${secret === undefined ? "undefined" : "empty"}; an empty secret would let everybody in. Is an environment variable missing?`;
  throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

function keysOf(identity: string, found: Secret | readonly Secret[], functions: ProofCrypto): readonly Key[] {
  const secrets = typeof found === "string" || found instanceof Uint8Array ? [found] : found;
  if (secrets.length === 0) {
    const message = `option secrets has an empty list for ${JSON.stringify(identity)}; leave the name out, or give it a secret`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  return secrets.map((secret) => keyOf(identity, secret, `secrets, key of ${JSON.stringify(identity)},`, functions));
}

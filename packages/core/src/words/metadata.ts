import { RpcError } from "./rpc-error.ts";

/** What a caller may pass as metadata: a record, a list of pairs, or a {@link Metadata}. */
export type MetadataInit =
  | Metadata
  | Readonly<Record<string, string | Uint8Array>>
  | Iterable<readonly [string, string | Uint8Array]>;

/**
 * Strings that travel beside input and output. Keys know no case and keep no order; a key given twice has its values
 * joined by ", ", as HTTP does, on every transport. Binary values need a key that ends in `-bin` and travel as base64.
 */
export class Metadata implements Iterable<readonly [string, string]> {
  readonly #values = new Map<string, string>();

  constructor(init?: MetadataInit) {
    if (init === undefined) return;
    const pairs =
      Symbol.iterator in init ? (init as Iterable<readonly [string, string | Uint8Array]>) : Object.entries(init);
    for (const [key, value] of pairs) this.append(key, value);
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): string | undefined {
    return this.#values.get(key.toLowerCase());
  }

  /** The bytes of a `-bin` key, or undefined when it is missing or not base64. */
  getBytes(key: string): Uint8Array | undefined {
    const text = this.get(key);
    if (text === undefined) return undefined;
    try {
      return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    } catch {
      return undefined;
    }
  }

  has(key: string): boolean {
    return this.#values.has(key.toLowerCase());
  }

  /** Replaces the value of a key. Throws INVALID_ARGUMENT for an empty key and for control characters. */
  set(key: string, value: string | Uint8Array): this {
    const name = checkedKey(key);
    this.#values.set(name, checkedValue(name, value));
    return this;
  }

  /** Adds a value to a key; a second value is joined to the first by ", ". */
  append(key: string, value: string | Uint8Array): this {
    const name = checkedKey(key);
    const text = checkedValue(name, value);
    const before = this.#values.get(name);
    this.#values.set(name, before === undefined ? text : `${before}, ${text}`);
    return this;
  }

  delete(key: string): boolean {
    return this.#values.delete(key.toLowerCase());
  }

  [Symbol.iterator](): IterableIterator<readonly [string, string]> {
    return this.#values.entries();
  }

  /** Size in bytes as limits count it: UTF-16 length of keys and values, a bound from below that needs no encoding. */
  get lengthInCharacters(): number {
    let length = 0;
    for (const [key, value] of this.#values) length += key.length + value.length;
    return length;
  }
}

// HTTP field names (RFC 9110 §5.6.2): what passes here can be forwarded to any wire.
const KEY = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

function checkedKey(key: string): string {
  const name = key.toLowerCase();
  if (!KEY.test(name)) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `metadata key ${JSON.stringify(key.slice(0, 80))} must be a non-empty HTTP token`,
      {
        reason: "INVALID_ARGUMENT",
      },
    );
  }
  return name;
}

function checkedValue(key: string, value: string | Uint8Array): string {
  if (typeof value !== "string") {
    if (key.endsWith("-bin")) return btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join(""));
    throw new RpcError("INVALID_ARGUMENT", `metadata ${key}: bytes need a key that ends in "-bin"`, {
      reason: "INVALID_ARGUMENT",
    });
  }
  if (CONTROL.test(value)) {
    throw new RpcError("INVALID_ARGUMENT", `metadata ${key}: control characters are not allowed`, {
      reason: "INVALID_ARGUMENT",
    });
  }
  return value;
}

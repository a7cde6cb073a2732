import { RpcError } from "@rpc/core";
import { refused } from "../errors.ts";
import type { BigIntPolicy, DocumentLimits, Spelling } from "../profiles.ts";
import { Decimal, Double, MAX_DIGITS, XmlRpcDateTime } from "../values.ts";
import { escapeText } from "./xml-text.ts";

/** What the encoder needs to know of a codec's options, defaults filled in. */
export interface EncoderRules {
  readonly nil: Spelling;
  readonly extensions: Spelling;
  readonly writeBigInts: BigIntPolicy;
  readonly nonFinite: boolean;
  readonly replaceIllegal: boolean;
  readonly zoneSuffix: boolean;
  readonly base64Lines: boolean;
  readonly limits: DocumentLimits;
}

const I8_MIN = -(2n ** 63n);
const I8_MAX = 2n ** 63n - 1n;
const BIG_BOUND = 10n ** BigInt(MAX_DIGITS - 1);

/** Writes values as elements by joining text; one of these per document. */
export class Encoder {
  readonly #rules: EncoderRules;
  readonly #ancestors: object[] = [];
  #elements = 0;

  constructor(rules: EncoderRules) {
    this.#rules = rules;
  }

  /** `<value>…</value>`. Throws RpcError INVALID_ARGUMENT with the place for what XML-RPC cannot say. */
  value(value: unknown): string {
    if (++this.#elements > this.#rules.limits.maxElements) {
      throw tooLarge(`value has more than ${this.#rules.limits.maxElements} elements`, "maxElements");
    }
    switch (typeof value) {
      case "string":
        return `<value><string>${this.text(value)}</string></value>`;
      case "number":
        return this.#number(value);
      case "boolean":
        return value ? "<value><boolean>1</boolean></value>" : "<value><boolean>0</boolean></value>";
      case "object":
        return value === null ? this.#nil() : this.#object(value);
      case "bigint":
        return this.#bigint(value);
      default:
        throw refused(`cannot marshal ${kindOf(value)}`);
    }
  }

  /** Character data. */
  text(text: string): string {
    const escaped = escapeText(text, this.#rules.replaceIllegal);
    if (escaped === undefined) {
      throw refused("cannot marshal text with characters that XML forbids; pass bytes, or set illegalChars to replace");
    }
    return escaped;
  }

  #nil(): string {
    switch (this.#rules.nil) {
      case "bare":
        return "<value><nil/></value>";
      case "prefixed":
        return "<value><ex:nil/></value>";
      default:
        throw refused("cannot marshal None unless allow_none is enabled: this dialect has no nil");
    }
  }

  #number(value: number): string {
    if (Number.isInteger(value) && !Object.is(value, -0)) {
      if (value >= -2147483648 && value <= 2147483647) return `<value><int>${value}</int></value>`;
      if (this.#rules.writeBigInts === "error") throw beyondLimits();
      // Beyond 2^53 a number is no count any more but a measure.
      if (this.#rules.writeBigInts === "i8" && Number.isSafeInteger(value)) return this.#extension("i8", String(value));
    }
    return `<value><double>${this.#double(value)}</double></value>`;
  }

  #double(value: number): string {
    if (Number.isFinite(value)) return plainDecimal(value);
    if (!this.#rules.nonFinite) throw refused(`cannot marshal ${value}: XML-RPC has no such double`);
    return Number.isNaN(value) ? "NaN" : value > 0 ? "INF" : "-INF";
  }

  #bigint(value: bigint): string {
    if (this.#rules.extensions === "none") {
      if (value < -2147483648n || value > 2147483647n) throw beyondLimits();
      return `<value><int>${value}</int></value>`;
    }
    if (value >= I8_MIN && value <= I8_MAX) return this.#extension("i8", String(value));
    // Compared before it is written out: that alone takes seconds for a million digits.
    if (value >= BIG_BOUND || value <= -BIG_BOUND) {
      throw tooLarge(`value has an integer of more than ${MAX_DIGITS - 1} digits`, "maxElements");
    }
    return this.#extension("biginteger", String(value));
  }

  #extension(tag: string, text: string): string {
    switch (this.#rules.extensions) {
      case "bare":
        return `<value><${tag}>${text}</${tag}></value>`;
      case "prefixed":
        return `<value><ex:${tag}>${text}</ex:${tag}></value>`;
      default:
        throw refused(`cannot marshal ${tag}: this dialect has no extensions`);
    }
  }

  #object(value: object): string {
    if (Array.isArray(value)) return this.#array(value, value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return this.#instance(value);
    // On a plain object too: the hook is a member that is a function.
    if (hasHook(value)) return this.#hooked(value);
    if (Symbol.iterator in value) return this.#iterable(value as Iterable<unknown>);
    return this.#record(value);
  }

  #instance(value: object): string {
    if (value instanceof Date) return this.#date(value);
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (value instanceof XmlRpcDateTime) return this.#dateTime(value);
    if (value instanceof Double) return `<value><double>${this.#double(value.value)}</double></value>`;
    if (value instanceof Decimal) return this.#extension("bigdecimal", value.text);
    if (hasHook(value)) return this.#hooked(value);
    if (value instanceof Map) return this.#map(value);
    if (value instanceof ArrayBuffer) return this.#bytes(new Uint8Array(value));
    // A String object has an iterator too, but nobody means its letters.
    if (Symbol.iterator in value && typeof value.valueOf() !== "string") {
      return this.#iterable(value as Iterable<unknown>);
    }
    throw refused(`cannot marshal <${className(value)} object>; pass a plain record, or give it a toRpc()`);
  }

  #hooked(value: { toRpc(): unknown }): string {
    this.#enter(value);
    const result = this.value(value.toRpc());
    this.#ancestors.pop();
    return result;
  }

  #array(value: readonly unknown[], original: object): string {
    this.#enter(original);
    let out = "<value><array><data>";
    let i = 0;
    try {
      for (; i < value.length; i++) out += this.value(value[i]);
    } catch (thrown) {
      throw placed(thrown, `[${i}]`);
    }
    this.#ancestors.pop();
    return `${out}</data></array></value>`;
  }

  #iterable(value: Iterable<unknown>): string {
    this.#enter(value);
    let out = "<value><array><data>";
    let index = 0;
    try {
      for (const item of value) {
        out += this.value(item);
        index++;
      }
    } catch (thrown) {
      throw placed(thrown, `[${index}]`);
    }
    this.#ancestors.pop();
    return `${out}</data></array></value>`;
  }

  #record(value: object): string {
    this.#enter(value);
    let out = "<value><struct>";
    let place = "";
    try {
      for (const key of Object.keys(value)) {
        place = key;
        const member = (value as Record<string, unknown>)[key];
        if (member !== undefined) out += this.#member(key, member);
      }
    } catch (thrown) {
      throw placed(thrown, `.${place}`);
    }
    this.#ancestors.pop();
    return `${out}</struct></value>`;
  }

  #map(value: ReadonlyMap<unknown, unknown>): string {
    this.#enter(value);
    const names = new Set<string>();
    let out = "<value><struct>";
    for (const [key, member] of value) {
      if (member === undefined) continue;
      const name = keyText(key);
      if (names.has(name)) throw refused(`cannot marshal a Map with two keys ${JSON.stringify(name.slice(0, 80))}`);
      names.add(name);
      try {
        out += this.#member(name, member);
      } catch (thrown) {
        throw placed(thrown, `.${name}`);
      }
    }
    this.#ancestors.pop();
    return `${out}</struct></value>`;
  }

  #member(name: string, value: unknown): string {
    return `<member><name>${this.text(name)}</name>${this.value(value)}</member>`;
  }

  #enter(value: object): void {
    if (this.#ancestors.includes(value)) {
      const what = value instanceof Map ? "maps" : Array.isArray(value) ? "lists" : "records";
      throw refused(`cannot marshal recursive ${what}: a value contains itself`);
    }
    if (this.#ancestors.length >= this.#rules.limits.maxDepth) {
      throw tooLarge(`value is nested deeper than ${this.#rules.limits.maxDepth} levels`, "maxDepth");
    }
    this.#ancestors.push(value);
  }

  #date(value: Date): string {
    if (Number.isNaN(value.getTime())) throw refused("cannot marshal an invalid Date");
    const year = value.getUTCFullYear();
    if (year < 1 || year > 9999) throw refused(`cannot marshal a Date of the year ${year}`);
    return `<value><dateTime.iso8601>${basicForm(value)}${this.#rules.zoneSuffix ? "Z" : ""}</dateTime.iso8601></value>`;
  }

  #dateTime(value: XmlRpcDateTime): string {
    if (value.offset !== undefined) {
      if (this.#rules.extensions === "prefixed") return `<value><ex:dateTime>${value.toString()}</ex:dateTime></value>`;
      return this.#date(value.toDate());
    }
    return `<value><dateTime.iso8601>${basicForm(value.toDate())}</dateTime.iso8601></value>`;
  }

  #bytes(value: Uint8Array): string {
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    const lines = this.#rules.base64Lines ? text.replace(/.{76}(?=.)/g, "$&\n") : text;
    return `<value><base64>${lines}</base64></value>`;
  }
}

/** `19980717T14:08:55`, in UTC. */
function basicForm(date: Date): string {
  const iso = date.toISOString();
  return iso.slice(0, 4) + iso.slice(5, 7) + iso.slice(8, 19);
}

/** Digits, point, digits: what the specification allows. The number is the same again when it is read. */
function plainDecimal(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  const e = text.indexOf("e");
  if (e === -1) return text.includes(".") ? text : `${text}.0`;
  const sign = value < 0 ? "-" : "";
  const mantissa = text.slice(sign.length, e);
  const exponent = Number(text.slice(e + 1));
  const point = mantissa.indexOf(".");
  const whole = point === -1 ? mantissa : mantissa.slice(0, point);
  const digits = point === -1 ? mantissa : whole + mantissa.slice(point + 1);
  const place = whole.length + exponent;
  if (place <= 0) return `${sign}0.${"0".repeat(-place)}${digits}`;
  return `${sign}${digits.padEnd(place, "0")}.0`;
}

function keyText(key: unknown): string {
  switch (typeof key) {
    case "string":
      return key;
    case "number":
    case "bigint":
    case "boolean":
      return String(key);
    default:
      if (key === null) return "null";
      throw refused(`cannot marshal a Map with a key that is ${kindOf(key)}`);
  }
}

/** What a value is, for messages: `undefined`, `a function`, `an Object`. */
function kindOf(value: unknown): string {
  if (value === undefined) return "undefined";
  const name = typeof value === "object" && value !== null ? className(value) : typeof value;
  return `${/^[AEIOU]/i.test(name) ? "an" : "a"} ${name}`;
}

function hasHook(value: object): value is { toRpc(): unknown } {
  return "toRpc" in value && typeof value.toRpc === "function";
}

function className(value: object): string {
  const made = value.constructor as { readonly name?: unknown } | undefined;
  return typeof made?.name === "string" && made.name !== "" ? made.name : "class";
}

/** Where in the value it was that could not be said, found while the containers are left: `list[1].name`. */
const PLACES = new WeakMap<RpcError, string>();
const MAX_PLACE = 200;

function placed(thrown: unknown, step: string): RpcError {
  // A getter that throws, a proxy that was revoked: a value that cannot be read cannot be said.
  const error =
    thrown instanceof RpcError
      ? thrown
      : refused(`cannot marshal what cannot be read: ${RpcError.from(thrown).message}`);
  const place = PLACES.get(error) ?? "";
  if (place.length < MAX_PLACE) PLACES.set(error, step.slice(0, MAX_PLACE) + place);
  return error;
}

/** The error of a value that could not be written, with its place in it. `root`: what the value itself is called, `params[1]` say. */
export function withPlace(thrown: unknown, root = ""): unknown {
  const error = placed(thrown, "");
  const place = root + (PLACES.get(error) ?? "");
  if (place === "") return error;
  const { code, message, reason } = error;
  const text = `${message}, at ${place.startsWith(".") ? place.slice(1) : place}`;
  return new RpcError(code, text, { reason, cause: error.cause });
}

function beyondLimits(): RpcError {
  return refused("int exceeds XML-RPC limits");
}

function tooLarge(message: string, limit: string): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason: limit });
}

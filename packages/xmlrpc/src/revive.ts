import type { MessageShape } from "@rpc/core/transport";
import type { Awaitable } from "@rpc/core";

/**
 * The value that a contract means by what a wire could say. JSON writes dates, bytes and big integers as text; a foreign XML-RPC server sends an
 * int for a bigint, a big int for a number, nil for a member that is missing. Where the validator refuses a part, the other readings of that
 * very part are tried; what it takes as it is stays as it is. A value that nothing helps comes back unchanged, for its validator to refuse.
 * The parts of `value` are changed in place: it must be fresh.
 */
export function revived(shape: MessageShape, value: unknown): Awaitable<unknown> {
  const { codec, validate } = shape;
  if (codec.format === "protobuf") return codec.fromDynamic(value);
  if (validate === undefined || value === undefined) return value;
  const found = outcomeOf(validate, value);
  if (found instanceof Promise) return repairedLater(validate, value, found);
  return found === undefined ? value : repaired(validate, value, found);
}

type Validate = NonNullable<MessageShape["validate"]>;
type Issues = Extract<Awaited<ReturnType<Validate>>, { readonly issues: readonly unknown[] }>["issues"];

/** What the validator refuses; undefined: nothing, or it cannot tell. */
function outcomeOf(validate: Validate, value: unknown): Issues | undefined | Promise<Issues | undefined> {
  try {
    const result = validate(value);
    if (!(result instanceof Promise)) return result.issues;
    return result.then(
      ({ issues }) => issues,
      () => undefined,
    );
  } catch {
    // A validator that throws does so again where its word counts.
    return undefined;
  }
}

/** Most parts that are read in another way, and most ways in turn. */
const MAX_REPAIRS = 100_000;
const MAX_ROUNDS = 4;

function repaired(validate: Validate, value: unknown, issues: Issues): unknown {
  const repair = new Repair(value);
  let open: Issues | undefined = issues;
  for (let round = 0; round < MAX_ROUNDS && open !== undefined && repair.attempt(open); round++) {
    const next = outcomeOf(validate, repair.value);
    if (next instanceof Promise) break;
    open = next;
  }
  return repair.finish(open);
}

async function repairedLater(validate: Validate, value: unknown, first: Promise<Issues | undefined>): Promise<unknown> {
  const repair = new Repair(value);
  let open = await first;
  for (let round = 0; round < MAX_ROUNDS && open !== undefined && repair.attempt(open); round++) {
    open = await outcomeOf(validate, repair.value);
  }
  return repair.finish(open);
}

interface Part {
  readonly path: readonly PropertyKey[];
  readonly original: unknown;
  readonly readings: unknown[];
}

class Repair {
  value: unknown;
  readonly #parts = new Map<string, Part>();

  constructor(value: unknown) {
    this.value = value;
  }

  /** Reads every part that was refused in its next way; false when there is none left. */
  attempt(issues: Issues): boolean {
    let changed = false;
    for (const path of pathsOf(issues)) {
      const key = path.map(String).join("\u0000");
      let part = this.#parts.get(key);
      if (part === undefined) {
        if (this.#parts.size >= MAX_REPAIRS) break;
        const original = this.#at(path);
        part = { path, original, readings: readingsOf(original) };
        this.#parts.set(key, part);
      }
      if (part.readings.length === 0) continue;
      this.#set(path, part.readings.shift());
      changed = true;
    }
    return changed;
  }

  /** Puts back what was refused to the end. */
  finish(issues: Issues | undefined): unknown {
    for (const path of pathsOf(issues ?? [])) {
      const part = this.#parts.get(path.map(String).join("\u0000"));
      if (part !== undefined) this.#set(part.path, part.original);
    }
    return this.value;
  }

  #at(path: readonly PropertyKey[]): unknown {
    let value = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = Object.getOwnPropertyDescriptor(value, key)?.value;
    }
    return value;
  }

  #set(path: readonly PropertyKey[], reading: unknown): void {
    const last = path.at(-1);
    if (last === undefined) {
      this.value = reading;
      return;
    }
    const container = this.#at(path.slice(0, -1));
    if (typeof container !== "object" || container === null) return;
    if (reading === undefined && !Array.isArray(container)) Reflect.deleteProperty(container, last);
    else
      Object.defineProperty(container, last, { value: reading, writable: true, enumerable: true, configurable: true });
  }
}

function pathsOf(issues: Issues): PropertyKey[][] {
  return issues.map((issue) =>
    (issue.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment)),
  );
}

const DATE = /^\d{4}-?\d\d-?\d\d(?:[T ]\d\d:?\d\d(?::?\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;
const DIGITS = /^-?(?:0|[1-9]\d{0,4095})$/;
// Groups of four in the pattern itself would overflow its stack at 16 MiB.
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** What else a value may stand for, the likeliest first. */
function readingsOf(value: unknown): unknown[] {
  switch (typeof value) {
    case "string":
      return readingsOfText(value);
    case "number":
      return Number.isSafeInteger(value) ? [BigInt(value)] : [];
    case "bigint":
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? [Number(value)] : [];
    case "object":
      if (value === null) return [undefined];
      if (value instanceof Date && !Number.isNaN(value.getTime())) return [value.toISOString()];
      return [];
    default:
      return [];
  }
}

function readingsOfText(text: string): unknown[] {
  const readings: unknown[] = [];
  if (DATE.test(text)) {
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) readings.push(date);
  }
  if (DIGITS.test(text)) readings.push(BigInt(text));
  if (text.length % 4 === 0 && BASE64.test(text)) readings.push(new Uint8Array(Buffer.from(text, "base64")));
  return readings;
}

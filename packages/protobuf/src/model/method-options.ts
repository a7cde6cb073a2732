import type { Place, RpcKind } from "./definitions.ts";
import { protoError } from "./proto-error.ts";
import type { ReflectedMethod } from "./reflection.ts";

/** What the options of one rpc say; see `rpc/v1/options.proto`. */
export interface MethodOptions {
  readonly kind: RpcKind | undefined;
  readonly idempotent: boolean;
  readonly timeoutMs: number | undefined;
  readonly maxAttempts: number | undefined;
  readonly progress: string | undefined;
  readonly errors: ReadonlyMap<string, string | undefined>;
  readonly methodId: number | undefined;
}

const KINDS: ReadonlyMap<unknown, RpcKind | undefined> = new Map<unknown, RpcKind | undefined>([
  ["CALL", undefined],
  ["NOTIFICATION", "notification"],
  ["EVENT", "event"],
  ["JOB", "job"],
  [0, undefined],
  [1, "notification"],
  [2, "event"],
  [3, "job"],
]);
const PATTERNS: ReadonlyMap<unknown, RpcKind | undefined> = new Map<unknown, RpcKind | undefined>([
  ["call", undefined],
  ["notification", "notification"],
  ["event", "event"],
  ["job", "job"],
]);
const RULES = new Set(["kind", "idempotent", "timeout_ms", "max_attempts", "progress", "errors"]);
const OURS = "(rpc.v1.";

/** Reads the options of one rpc; options of other packages are not ours to judge and are passed over. */
export function readMethodOptions(method: ReflectedMethod, place: Place | undefined): MethodOptions {
  const set = collectOptions(method);
  for (const name of set.keys()) {
    if (
      name.startsWith(OURS) &&
      !["(rpc.v1.method)", "(rpc.v1.method_id)", "(rpc.v1.pattern)", "(rpc.v1.idempotent)"].includes(name)
    ) {
      throw protoError(place, `${method.name}: rpc/v1/options.proto has no method option ${JSON.stringify(name)}`);
    }
  }
  const rules = ruleRecord(set.get("(rpc.v1.method)"), method, place);
  const level = set.get("idempotency_level");
  const kind = lookup(KINDS, rules.get("kind"), "kind must be CALL, NOTIFICATION, EVENT or JOB", method, place);
  const pattern = lookup(
    PATTERNS,
    set.get("(rpc.v1.pattern)"),
    'pattern must be "call", "notification", "event" or "job"',
    method,
    place,
  );
  if (kind !== undefined && pattern !== undefined && kind !== pattern) {
    throw protoError(place, `${method.name}: kind says ${kind}, pattern says ${pattern}`);
  }
  return {
    kind: kind ?? pattern,
    idempotent:
      rules.get("idempotent") === true ||
      set.get("(rpc.v1.idempotent)") === true ||
      level === "IDEMPOTENT" ||
      level === "NO_SIDE_EFFECTS",
    timeoutMs: count(rules.get("timeout_ms"), "timeout_ms", method, place),
    maxAttempts: count(rules.get("max_attempts"), "max_attempts", method, place),
    progress: text(rules.get("progress"), "progress", method, place),
    errors: declaredErrors(rules.get("errors"), method, place),
    methodId: count(set.get("(rpc.v1.method_id)"), "method_id", method, place),
  };
}

/** Later statements about the same option are joined, as protoc joins the fields of a message option. */
function collectOptions(method: ReflectedMethod): ReadonlyMap<string, unknown> {
  const set = new Map<string, unknown>();
  const add = (name: string, value: unknown): void => {
    const known = name.replace("(.", "(");
    const before = set.get(known);
    set.set(known, isRecord(before) && isRecord(value) ? { ...before, ...value } : value);
  };
  if (Array.isArray(method.parsedOptions)) {
    for (const statement of method.parsedOptions as readonly unknown[]) {
      if (isRecord(statement)) for (const [name, value] of Object.entries(statement)) add(name, value);
    }
    return set;
  }
  // A Root made from JSON by hand may have nothing but the flat form: "(rpc.v1.method).kind".
  for (const [name, value] of Object.entries(method.options ?? {})) {
    const flat = /^(\(\.?rpc\.v1\.method\))\.(\w+)$/.exec(name);
    if (flat?.[1] === undefined || flat[2] === undefined) add(name, value);
    else add(flat[1], { [flat[2]]: value });
  }
  return set;
}

function ruleRecord(value: unknown, method: ReflectedMethod, place: Place | undefined): ReadonlyMap<string, unknown> {
  if (value === undefined) return new Map();
  if (!isRecord(value))
    throw protoError(place, `${method.name}: option (rpc.v1.method) must be a message, as in { kind: EVENT }`);
  const unknown = Object.keys(value).find((name) => !RULES.has(name));
  if (unknown !== undefined)
    throw protoError(place, `${method.name}: option (rpc.v1.method) has no field ${JSON.stringify(unknown)}`);
  return new Map(Object.entries(value));
}

function declaredErrors(
  value: unknown,
  method: ReflectedMethod,
  place: Place | undefined,
): ReadonlyMap<string, string | undefined> {
  const errors = new Map<string, string | undefined>();
  for (const one of Array.isArray(value) ? (value as readonly unknown[]) : value === undefined ? [] : [value]) {
    const reason = isRecord(one) ? one["reason"] : undefined;
    if (!isRecord(one) || typeof reason !== "string" || !/^[A-Za-z]\w*$/.test(reason)) {
      throw protoError(
        place,
        `${method.name}: each of errors needs a reason, as in { reason: "NoSuchCommit", details: "NoSuchCommit" }`,
      );
    }
    if (errors.has(reason)) throw protoError(place, `${method.name}: error ${reason} is declared twice`);
    errors.set(reason, text(one["details"], "details", method, place));
  }
  return errors;
}

function lookup<T>(
  words: ReadonlyMap<unknown, T>,
  value: unknown,
  problem: string,
  method: ReflectedMethod,
  place: Place | undefined,
): T | undefined {
  if (value === undefined) return undefined;
  if (!words.has(value)) throw protoError(place, `${method.name}: ${problem}, not ${JSON.stringify(value)}`);
  return words.get(value);
}

function count(value: unknown, name: string, method: ReflectedMethod, place: Place | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    throw protoError(
      place,
      `${method.name}: ${name} must be a whole number from 1 to 4294967295, not ${JSON.stringify(value)}`,
    );
  }
  return value;
}

function text(value: unknown, name: string, method: ReflectedMethod, place: Place | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string")
    throw protoError(place, `${method.name}: ${name} must be a text, not ${JSON.stringify(value)}`);
  return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

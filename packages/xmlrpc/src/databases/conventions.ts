import type { Params } from "../server/service.ts";
import { type EndpointKind, inWords, isStruct, quoted, typeError, wrongEnvelope } from "./error-texts.ts";

/**
 * How callers may pass their arguments. `subject`: `[subject, args?, kwargs?]` · `struct`: `[{ records?, context?, args?, kwargs? }]` · `auto`:
 * both; one struct that has `args` or `kwargs` is the single struct, everything else begins with a subject. A lone struct that has nothing of
 * either is refused.
 */
export type Convention = "auto" | "struct" | "subject";

export interface ConventionOptions {
  readonly convention: Convention;
  /** Keys of a subject that mean nothing here. */
  readonly unknownSubjectKeys: "ignore" | "reject";
}

export type Struct = Readonly<Record<string, unknown>>;

/** What may stand beside records and context; each is as good as the header of the same meaning. */
interface Reserved {
  /** How long the call may take, in seconds. */
  readonly timeout: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** A W3C `traceparent`. */
  readonly trace: string | undefined;
}

/** Arguments of one call, whatever convention they came in. */
export interface Arguments extends Subject {
  readonly form: "subject" | "struct" | "plain";
  readonly args: readonly unknown[];
  readonly kwargs: Struct;
}

const EMPTY: Struct = Object.freeze(Object.create(null) as Record<string, unknown>);
const NONE: readonly unknown[] = Object.freeze([]);
const NO_SUBJECT: Subject = {
  records: NONE,
  context: EMPTY,
  subject: EMPTY,
  timeout: undefined,
  idempotencyKey: undefined,
  trace: undefined,
};
const RESERVED: readonly string[] = ["timeout", "idempotencyKey", "trace"];
const SUBJECT_KEYS: ReadonlySet<string> = new Set(["records", "context", ...RESERVED]);
const STRUCT_KEYS: ReadonlySet<string> = new Set([...SUBJECT_KEYS, "args", "kwargs"]);
const PLAIN_KEYS: ReadonlySet<string> = new Set(["args", "kwargs", ...RESERVED]);
/** A W3C trace parent is 55 characters; keys are the user's own. */
const MAX_TEXT = 1_024;

/** Who and what a call is about. */
interface Subject extends Reserved {
  readonly records: readonly unknown[];
  readonly context: Struct;
  /** The subject's own members when it was a struct, unknown ones included. */
  readonly subject: Struct;
}

/** Arguments of a call of a model's method or of a database's function. Throws FaultError -32602 for what is in neither convention. */
export function databaseArguments(params: Params, options: ConventionOptions): Arguments {
  const { convention } = options;
  // A JSON-RPC call whose params are an object has said which convention it is in.
  if (!isList(params)) return singleStruct(params, "database");
  if (convention === "struct") {
    if (params.length === 0) return singleStruct(EMPTY, "database");
    if (params.length > 1) throw wrongEnvelope("database", ". Did you mean {'args': [...]}?");
    return singleStruct(params[0], "database");
  }
  if (convention === "auto" && params.length === 1 && hasArguments(params[0]))
    return singleStruct(params[0], "database");
  return subjectForm(params, options);
}

/** Arguments of a function of the endpoint itself: by position as they are, or `[{ args?, kwargs? }]`. */
export function adminArguments(params: Params): Arguments {
  if (!isList(params)) return singleStruct(params, "admin");
  if (params.length === 1 && hasArguments(params[0])) return singleStruct(params[0], "admin");
  return { ...NO_SUBJECT, form: "plain", args: params, kwargs: EMPTY };
}

/** Whether one parameter is the single struct. */
export function hasArguments(value: unknown): boolean {
  if (!isStruct(value)) return false;
  if (value instanceof Map) return value.has("args") || value.has("kwargs");
  return Object.hasOwn(value, "args") || Object.hasOwn(value, "kwargs");
}

function singleStruct(value: unknown, kind: EndpointKind): Arguments {
  if (!isStruct(value)) throw wrongEnvelope(kind);
  const struct = recordOf(value);
  const known = kind === "database" ? STRUCT_KEYS : PLAIN_KEYS;
  for (const key of Object.keys(struct)) if (!known.has(key)) throw wrongEnvelope(kind, `, it has '${quoted(key)}'`);
  const { args = null, kwargs = null } = struct;
  if (args !== null && !Array.isArray(args)) throw wrongEnvelope(kind, `, its args are ${inWords(args)}`);
  if (kwargs !== null && !isStruct(kwargs)) throw wrongEnvelope(kind, `, its kwargs are ${inWords(kwargs)}`);
  return {
    ...subjectOfStruct(struct),
    form: "struct",
    args: args === null ? NONE : (args as readonly unknown[]),
    kwargs: kwargs === null ? EMPTY : recordOf(kwargs),
  };
}

function subjectForm(params: readonly unknown[], options: ConventionOptions): Arguments {
  const [subject, second = null, third = null] = params;
  if (params.length > 3) throw typeError(`a call takes a subject, args and kwargs, got ${params.length} parameters`);
  const given = subjectOf(subject, options);
  if (params.length === 1) refuseArguments(given.subject, options);
  if (isStruct(second)) {
    if (third !== null)
      throw typeError(`kwargs are given twice: the second parameter is a dict, the third ${inWords(third)}`);
    return { ...given, form: "subject", args: NONE, kwargs: recordOf(second) };
  }
  if (second !== null && !Array.isArray(second))
    throw typeError(`args must be a list or a dict, got ${inWords(second)}`);
  if (third !== null && !isStruct(third)) throw typeError(`kwargs must be a dict, got ${inWords(third)}`);
  return {
    ...given,
    form: "subject",
    args: second === null ? NONE : (second as readonly unknown[]),
    kwargs: third === null ? EMPTY : recordOf(third),
  };
}

/** A lone struct with nothing of a subject is arguments in the wrong place: as a subject they would be lost without a word. */
function refuseArguments(subject: Struct, { convention }: ConventionOptions): void {
  const keys = Object.keys(subject);
  const [first] = keys;
  if (first === undefined || keys.some((key) => SUBJECT_KEYS.has(key))) return;
  const meant = convention === "subject" ? "[false, {...}]" : "{'kwargs': {...}}";
  throw typeError(
    `the only parameter is a dict that has '${quoted(first)}' but neither records nor context. Did you mean ${meant}?`,
  );
}

/** Who a call is about. Throws FaultError -32602 for what can be no subject. */
function subjectOf(subject: unknown, { unknownSubjectKeys }: Pick<ConventionOptions, "unknownSubjectKeys">): Subject {
  if (isFalsy(subject)) return NO_SUBJECT;
  if (Array.isArray(subject)) return { ...NO_SUBJECT, records: subject };
  if (!isStruct(subject))
    throw typeError(`Unknown RPC subject ${inWords(subject)}, expected falsy value, list or dict`);
  const struct = recordOf(subject);
  if (unknownSubjectKeys === "reject") {
    for (const key of Object.keys(struct))
      if (!SUBJECT_KEYS.has(key)) throw typeError(`unknown key '${quoted(key)}' in the RPC subject`);
  }
  return subjectOfStruct(struct);
}

function subjectOfStruct(struct: Struct): Subject {
  const { records, context } = struct;
  if (!isFalsy(records) && !Array.isArray(records)) throw typeError(`records must be a list, got ${inWords(records)}`);
  if (!isFalsy(context) && !isStruct(context)) throw typeError(`context must be a dict, got ${inWords(context)}`);
  return {
    records: isFalsy(records) ? NONE : (records as readonly unknown[]),
    context: isStruct(context) ? recordOf(context) : EMPTY,
    subject: struct,
    timeout: seconds(struct["timeout"]),
    idempotencyKey: text(struct["idempotencyKey"], "idempotencyKey"),
    trace: text(struct["trace"], "trace"),
  };
}

function seconds(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !(value >= 0) || value === Infinity)
    throw typeError(`timeout must be a number of seconds, got ${inWords(value)}`);
  return value;
}

function text(value: unknown, key: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value === "" || value.length > MAX_TEXT)
    throw typeError(`${key} must be a text of 1 to ${MAX_TEXT} characters, got ${inWords(value)}`);
  return value;
}

/** As Python has it: nil, false, zero, and what is empty. */
function isFalsy(value: unknown): boolean {
  // The empty text, both zeros, 0n, nil and false; NaN is true there.
  if (!value) return !Number.isNaN(value);
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  return isStruct(value) && Object.keys(value).length === 0;
}

/** A struct as a record without prototype, whatever it was decoded to. */
export function recordOf(struct: Struct | ReadonlyMap<string, unknown>): Struct {
  if (!(struct instanceof Map)) return struct as Struct;
  const record = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of struct as ReadonlyMap<string, unknown>) record[key] = value;
  return record;
}

export function isList(params: Params): params is readonly unknown[] {
  return Array.isArray(params);
}

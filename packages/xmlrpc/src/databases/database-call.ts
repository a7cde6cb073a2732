import type { CallContext, Handler } from "@rpc/core";
import { RpcError } from "@rpc/core";
import type { Struct } from "./conventions.ts";

/** What a call at a database is about, beside its input; had by {@link databaseCall}. */
export interface DatabaseCall {
  readonly database: string;
  /** undefined: a function of the database. */
  readonly model: string | undefined;
  /** The records that the method is called on, as they came: ids, as a rule. */
  readonly records: readonly unknown[];
  /** The caller's context over the default one: language, time zone and whatever models read there. */
  readonly context: Struct;
  /** Who the caller proved to be; undefined where the listener has no `authenticate`. */
  readonly identity: string | undefined;
  /** The subject's own members when it was a struct, unknown ones included. */
  readonly subject: Struct;
  /** What `around` handed to `next`; undefined without it. */
  readonly transaction: unknown;
}

/** A call under way; its transaction changes with each try. */
export class OpenCall implements DatabaseCall {
  readonly database: string;
  readonly model: string | undefined;
  readonly records: readonly unknown[];
  readonly context: Struct;
  readonly identity: string | undefined;
  readonly subject: Struct;
  transaction: unknown = undefined;
  /** Part of a transaction that is open already: none is begun for it. */
  readonly joined: boolean;

  constructor(call: Omit<DatabaseCall, "transaction">, joined: boolean, transaction: unknown) {
    this.database = call.database;
    this.model = call.model;
    this.records = call.records;
    this.context = call.context;
    this.identity = call.identity;
    this.subject = call.subject;
    this.joined = joined;
    this.transaction = transaction;
  }
}

/** By context and not inside it: interceptors and handlers of all transports see the same kind of context. */
const CALLS = new WeakMap<CallContext, OpenCall>();
/** Calls made by calls; as deep as core lets them go. */
const MAX_PARENTS = 64;

export function beginCall(context: CallContext, call: OpenCall): void {
  CALLS.set(context, call);
}

export function openCall(context: CallContext): OpenCall | undefined {
  let at: CallContext | undefined = context;
  for (let depth = 0; at !== undefined && depth < MAX_PARENTS; depth++) {
    const call = CALLS.get(at);
    if (call !== undefined) return call;
    at = at.parent;
  }
  return undefined;
}

/**
 * Database, records and context of the call that a handler works on, or that it was called for in this process. Throws FAILED_PRECONDITION where
 * the call did not come through `databases(…)`.
 */
export function databaseCall(context: CallContext): DatabaseCall {
  const call = openCall(context);
  if (call === undefined)
    throw new RpcError(
      "FAILED_PRECONDITION",
      `${context.method.name}: this call did not come through databases(), so it has no records and no context`,
      { reason: "NO_DATABASE" },
    );
  return call;
}

/** What one database offers. */
export interface Database {
  /** By name, such as `res.partner`; the contracts behind it may be named otherwise. */
  readonly models: Readonly<Record<string, Handler>> | ReadonlyMap<string, Handler>;
  /** Methods that are called without a model, by their short names. Default: those of `databases(…, { functions })`. */
  readonly functions?: Handler | undefined;
}

/** Databases that come and go. */
export interface DatabaseDirectory {
  /** Asked for each request; undefined: there is none of that name. The same database may be a new object each time. */
  open(name: string): Database | undefined | Promise<Database | undefined>;
  list(): readonly string[] | Promise<readonly string[]>;
}

export type DatabaseMap = Readonly<Record<string, Database>> | ReadonlyMap<string, Database>;

/** A map as a directory. Names come from outside: what every object inherits is no database. */
export function directoryOf(databases: DatabaseMap | DatabaseDirectory): DatabaseDirectory {
  if (isDirectory(databases)) return databases;
  if (databases instanceof Map) {
    const map = databases as ReadonlyMap<string, Database>;
    return { open: (name) => map.get(name), list: () => [...map.keys()] };
  }
  const record = databases as Readonly<Record<string, Database>>;
  return { open: (name) => member(record, name), list: () => Object.keys(record) };
}

function isDirectory(databases: DatabaseMap | DatabaseDirectory): databases is DatabaseDirectory {
  return "open" in databases && typeof databases.open === "function" && "list" in databases;
}

export function modelOf({ models }: Database, name: string): Handler | undefined {
  return models instanceof Map
    ? (models as ReadonlyMap<string, Handler>).get(name)
    : member(models as Readonly<Record<string, Handler>>, name);
}

export function modelNames({ models }: Database): readonly string[] {
  return models instanceof Map ? [...(models as ReadonlyMap<string, Handler>).keys()] : Object.keys(models);
}

function member<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

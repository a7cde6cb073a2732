import type { XmlRpcProxyTools } from "./proxy.ts";

/** Values by name. */
export type NamedValues = Readonly<Record<string, unknown>>;

/** Which records a call is about, and in which context it runs. Every change makes a new value. */
export interface Rpc2State {
  /** Ids; default: none, for methods of the model itself. */
  readonly records?: readonly unknown[] | undefined;
  /** Default: empty, which the server fills up with its own. */
  readonly context?: NamedValues | undefined;
}

/** One model of a database, with the state that its calls share. */
export interface Rpc2Model {
  readonly model: string;
  readonly records: readonly unknown[];
  readonly context: NamedValues;
  /** The same model with other records. */
  browse(records: readonly unknown[]): Rpc2Model;
  /** The same model with these values merged over its context. */
  withContext(context: NamedValues): Rpc2Model;
  /** Calls a method of the model: arguments by position, by name, or both. */
  call(method: string, args?: readonly unknown[], kwargs?: NamedValues): Promise<unknown>;
}

/** A database behind `/RPC2`, with the context that all calls share. */
export interface Rpc2Database {
  readonly context: NamedValues;
  withContext(context: NamedValues): Rpc2Database;
  model(name: string, state?: Rpc2State): Rpc2Model;
}

/**
 * The calling convention of `/RPC2`, spelled out for you: `rpc2(db).withContext({ lang: "fr_FR" }).model("res.partner").browse([1, 2]).call("read",
 * [["name"]])` sends the one struct `{records, context, args, kwargs}`.
 */
export function rpc2(db: Pick<XmlRpcProxyTools, "$call">, context: NamedValues = {}): Rpc2Database {
  return {
    context,
    withContext: (more) => rpc2(db, { ...context, ...more }),
    model: (name, state = {}) => modelOf(db, name, state.records ?? [], { ...context, ...state.context }),
  };
}

function modelOf(
  db: Pick<XmlRpcProxyTools, "$call">,
  model: string,
  records: readonly unknown[],
  context: NamedValues,
): Rpc2Model {
  return {
    model,
    records,
    context,
    browse: (others) => modelOf(db, model, others, context),
    withContext: (more) => modelOf(db, model, records, { ...context, ...more }),
    call: (method, args = [], kwargs = {}) => db.$call(`${model}.${method}`, { records, context, args, kwargs }),
  };
}

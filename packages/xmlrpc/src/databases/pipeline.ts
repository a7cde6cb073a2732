import type { Params } from "../server/service.ts";
import {
  type Arguments,
  type ConventionOptions,
  databaseArguments,
  hasArguments,
  isList,
  recordOf,
  type Struct,
} from "./conventions.ts";
import { inWords, isStruct, typeError } from "./error-texts.ts";

/** The context that calls inside another call begin with. */
interface Within {
  readonly context: Struct;
}

/** Calls of a multicall, and the context that stands above theirs. */
export interface Multicall extends Within {
  readonly calls: readonly unknown[];
}

/** One method after another, each on the records that the one before gave back. */
export interface Sequence extends Within {
  /** The first call's whole name. */
  readonly method: string;
  readonly params: Params;
  readonly pipeline: readonly unknown[];
}

/** `[[call, …]]`, `[subject, [[call, …]]]`, or the single struct. Throws FaultError -32602. */
export function multicallOf(params: Params, options: ConventionOptions): Multicall {
  if (isList(params) && params.length === 1 && Array.isArray(params[0])) return { calls: params[0], context: {} };
  const { args, kwargs, context } = databaseArguments(params, options);
  const { calls = args[0], ...others } = kwargs;
  expect("system.multicall", args.length <= 1 && Object.keys(others).length === 0, "a list of calls");
  if (!Array.isArray(calls)) throw typeError(`system.multicall takes a list of calls, got ${inWords(calls ?? null)}`);
  return { calls, context };
}

/** `[firstCall, pipeline]`, `[subject, [firstCall, pipeline]]`, or the single struct. Throws FaultError -32602. */
export function sequenceOf(params: Params, options: ConventionOptions): Sequence {
  const list = isList(params) ? params : [];
  let [first, pipeline] = list;
  let context: Struct = {};
  if (isCall(first)) {
    expect("system.sequence", list.length <= 2, "a first call and a pipeline");
  } else {
    const given: Arguments = databaseArguments(params, options);
    const { firstCall, pipeline: named, ...others } = given.kwargs;
    expect(
      "system.sequence",
      given.args.length <= 2 && Object.keys(others).length === 0,
      "a first call and a pipeline",
    );
    first = given.args[0] ?? firstCall;
    pipeline = given.args[1] ?? named;
    ({ context } = given);
  }
  if (!isCall(first))
    throw typeError(`system.sequence takes a first call with a methodName, got ${inWords(first ?? null)}`);
  if (!Array.isArray(pipeline ?? [])) throw typeError(`the pipeline must be a list of calls, got ${inWords(pipeline)}`);
  const { methodName, params: given = [] } = recordOf(first);
  if (!Array.isArray(given) && !isStruct(given)) throw typeError(`params must be a list, got ${inWords(given)}`);
  return {
    method: methodName as string,
    params: given as Params,
    pipeline: (pipeline ?? []) as readonly unknown[],
    context,
  };
}

/** One step of a pipeline: `{ methodName, params: [args?, kwargs?] }`, or the single struct as its only parameter. */
export function stepOf(step: unknown): Pick<Arguments, "args" | "kwargs"> & { readonly method: string } {
  if (!isCall(step)) throw typeError(`a step of the pipeline must be a dict with a methodName, got ${inWords(step)}`);
  const { methodName, params = [] } = recordOf(step);
  const list: unknown = isStruct(params) ? [params] : params;
  if (typeof methodName !== "string") throw typeError(`methodName must be a text, got ${inWords(methodName)}`);
  if (!Array.isArray(list)) throw typeError(`params of '${methodName}' must be a list, got ${inWords(list)}`);
  const given = list.length === 1 && hasArguments(list[0]) ? list : [null, ...(list as readonly unknown[])];
  const { args, kwargs } = databaseArguments(given, { convention: "auto", unknownSubjectKeys: "ignore" });
  return { method: methodName, args, kwargs };
}

function isCall(value: unknown): value is Struct | ReadonlyMap<string, unknown> {
  if (!isStruct(value)) return false;
  return typeof recordOf(value)["methodName"] === "string";
}

function expect(method: string, holds: boolean, what: string): void {
  if (!holds) throw typeError(`${method} takes ${what}, and nothing else`);
}

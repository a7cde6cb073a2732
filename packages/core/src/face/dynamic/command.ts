import { DESCRIPTOR, type Contract, type MethodDefinition } from "../../words/contract.ts";
import type { MessageShape, MethodDescriptor } from "../../words/method.ts";
import { RpcError } from "../../words/rpc-error.ts";
import { dynamicCodec } from "../../tools/json-message-codec.ts";
import { NOTIFICATION, UNARY } from "../kinds.ts";

/**
 * A dynamic call on the wire: a unary call (or a notification) of the method `dynamic.<command>` whose input is
 * `{ "args": [...], "kwargs": {...} }`, each left out when it is empty, and whose output is any value.
 */
export const DYNAMIC_CONTRACT = "dynamic";

const ANY_VALUE: MessageShape = Object.freeze({ codec: dynamicCodec, validate: undefined, jsonSchema: undefined });
const NO_ERRORS: ReadonlyMap<string, MessageShape> = new Map();

/** What a command's method is to the machines. */
export function describeCommand(command: string, kind: "unary" | "notification"): MethodDescriptor {
  return Object.freeze({
    name: `${DYNAMIC_CONTRACT}.${command}`,
    contract: DYNAMIC_CONTRACT,
    kind,
    parts: kind === "unary" ? UNARY : NOTIFICATION,
    input: ANY_VALUE,
    output: ANY_VALUE,
    progress: ANY_VALUE,
    errors: NO_ERRORS,
    idempotent: false,
    timeoutMs: undefined,
    doc: undefined,
  });
}

/** A contract of one command, so that clients of it are made like all others. */
export function contractOfCommand<Kind extends "unary" | "notification">(
  command: string,
  kind: Kind,
): Contract<{ readonly run: MethodDefinition<Kind, undefined, undefined> }> {
  const methods = new Map([["run", describeCommand(command, kind)]]);
  // What clients are made of is the descriptor; the members of a contract make and recognise declared errors, of which there are none.
  return { [DESCRIPTOR]: { name: DYNAMIC_CONTRACT, doc: undefined, methods } } as never;
}

/** Arguments of a call: by position, then by name. */
export interface CommandInput {
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
}

/** What travels; throws INVALID_ARGUMENT for arguments that are no list or no record. */
export function commandInput(
  command: string,
  args: readonly unknown[] | undefined,
  kwargs: Readonly<Record<string, unknown>> | undefined,
): CommandInput | undefined {
  const [list = [], record = {}] = [args, kwargs];
  // Checked in the same way as at the far end, where nobody sees the line that made the mistake.
  argumentsOf({ args: list, kwargs: record }, command);
  const named = Object.keys(record).length > 0;
  if (list.length === 0) return named ? { kwargs: record } : undefined;
  return named ? { args: list, kwargs: record } : { args: list };
}

/** The arguments that a function gets: those by name are one record at the end. Throws INVALID_ARGUMENT. */
export function argumentsOf(input: unknown, command: string): unknown[] {
  if (input === undefined) return [];
  if (!isRecord(input)) throw refused(command, "the input must be a record with args and kwargs");
  const { args = [], kwargs = {} } = input;
  if (!Array.isArray(args)) throw refused(command, "args must be a list");
  if (!isRecord(kwargs)) throw refused(command, "kwargs must be a record");
  const list: unknown[] = [...(args as unknown[])];
  if (Object.keys(kwargs).length > 0) list.push(kwargs);
  return list;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function refused(command: string, what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${DYNAMIC_CONTRACT}.${command}: ${what}`, { reason: "INVALID_ARGUMENT" });
}

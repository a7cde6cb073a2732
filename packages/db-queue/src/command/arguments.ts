import { RpcError } from "@rpc/core";
import { dynamicCodec, type MethodDescriptor } from "@rpc/core/transport";
import type { JsonText } from "../store/store-words.ts";
import { isRecord, type Json, jsonText, parsedJson, protobufIn, valueOfJson, valueOfProtobuf } from "./json-text.ts";

/** Calls by name, with arguments by position and by name: core's dynamic routers and clients. */
export const DYNAMIC_CONTRACT = "dynamic";

/** Arguments as a row holds them. */
export interface RowArguments {
  readonly args?: JsonText | undefined;
  readonly kwargs?: JsonText | undefined;
  readonly payload?: "protobuf" | undefined;
}

/**
 * A call's input as arguments: a record of at least one member by name, undefined as none, anything else as the only one by position. The
 * input of a dynamic call has its arguments by position and by name already. Throws INVALID_ARGUMENT for what cannot travel.
 */
export function argumentsOf(method: MethodDescriptor, input: unknown): RowArguments {
  const protobuf = protobufIn(input);
  if (protobuf !== undefined) return { args: `[${dynamicCodec.stringify(protobuf)}]`, payload: "protobuf" };
  const text = jsonText(method.input.codec, input);
  if (text === undefined) return {};
  if (method.contract === DYNAMIC_CONTRACT) return dynamicArguments(method, text);
  return isNamed(text) ? { kwargs: text } : { args: `[${text}]` };
}

/** Arguments by position and by name, of a caller without a contract. Undefined among them arrives as null. */
export function rowArguments(args: readonly unknown[], kwargs: Json): RowArguments {
  // Who calls by name has no types to stop him.
  if (!Array.isArray(args)) throw refused(`arguments by position are a list, got ${typeof args}: write [value]`);
  if (!isRecord(kwargs)) throw refused("arguments by name are a record");
  return {
    args: args.length === 0 ? undefined : dynamicCodec.stringify(args.map((value) => value ?? null)),
    kwargs: Object.keys(kwargs).length === 0 ? undefined : dynamicCodec.stringify(kwargs),
  };
}

/** The text is what JSON.stringify made: no spaces. A record of one key with one `$` is a tag, a value and no record. */
function isNamed(text: JsonText): boolean {
  return text.startsWith('{"') && !(text.startsWith('{"$') && !text.startsWith('{"$$'));
}

function dynamicArguments(method: MethodDescriptor, text: JsonText): RowArguments {
  const input = parsedJson(text, `${method.name}: input`);
  const { args = [], kwargs = {} } = isRecord(input) ? input : {};
  if (!isRecord(input) || !Array.isArray(args) || !isRecord(kwargs)) {
    throw refused(`${method.name}: the input must be a record with args and kwargs`);
  }
  return {
    args: args.length === 0 ? undefined : JSON.stringify(args),
    kwargs: Object.keys(kwargs).length === 0 ? undefined : JSON.stringify(kwargs),
  };
}

/**
 * A row's arguments as the input of a method. Those by name are a record, a single one by position is the input itself; several are given
 * the names that the method's schema has, in its order. Throws INVALID_ARGUMENT, reason `INVALID_ARGS`.
 */
export function inputOf(
  method: MethodDescriptor,
  row: { readonly args: JsonText; readonly kwargs: JsonText },
  payload: "protobuf" | undefined,
): unknown {
  const args = parsedJson(row.args, `${method.name}: args`);
  const kwargs = parsedJson(row.kwargs, `${method.name}: kwargs`);
  if (!Array.isArray(args) || !isRecord(kwargs)) {
    throw refused(`${method.name}: args must be a list and kwargs a record`);
  }
  const { codec } = method.input;
  const list: readonly unknown[] = args;
  if (payload === "protobuf") return valueOfProtobuf(codec, bytesOf(method, list[0]));
  const named = Object.keys(kwargs).length > 0;
  if (method.contract === DYNAMIC_CONTRACT) {
    if (list.length === 0 && !named) return undefined;
    return valueOfJson(codec, { ...(list.length > 0 && { args: list }), ...(named && { kwargs }) });
  }
  if (list.length === 0) return named ? valueOfJson(codec, kwargs) : undefined;
  const first = list[0];
  if (list.length === 1 && !named && isRecord(first)) return valueOfJson(codec, first);
  const fields = fieldsOf(method);
  if (fields !== undefined) return valueOfJson(codec, byName(method, list, kwargs, fields));
  if (list.length === 1 && !named) return valueOfJson(codec, first);
  throw refused(
    `${method.name}: takes one input, got ${list.length} by position and ${Object.keys(kwargs).length} by name`,
  );
}

function byName(method: MethodDescriptor, args: readonly unknown[], kwargs: Json, fields: readonly string[]): Json {
  if (args.length > fields.length) {
    throw refused(`${method.name}: takes ${fields.length} arguments (${fields.join(", ")}), got ${args.length}`);
  }
  const record = Object.create(null) as Record<string, unknown>;
  for (const [index, value] of args.entries()) record[fields[index] ?? ""] = value;
  for (const [name, value] of Object.entries(kwargs)) {
    if (name in record) throw refused(`${method.name}: ${name} was given twice, by position and by name`);
    record[name] = value;
  }
  return record;
}

function bytesOf(method: MethodDescriptor, json: unknown): Uint8Array {
  const bytes = dynamicCodec.revive(json);
  if (bytes instanceof Uint8Array) return bytes;
  throw refused(`${method.name}: the argument must be the bytes of a protobuf message`);
}

const FIELDS = new WeakMap<MethodDescriptor, readonly string[] | undefined>();

/** Names of the input's fields in the order of its schema; undefined: it is no record, or the schema cannot say. */
function fieldsOf(method: MethodDescriptor): readonly string[] | undefined {
  if (!FIELDS.has(method)) FIELDS.set(method, readFields(method));
  return FIELDS.get(method);
}

function readFields(method: MethodDescriptor): readonly string[] | undefined {
  try {
    const schema = method.input.jsonSchema?.(true);
    if (!isRecord(schema) || !isRecord(schema["properties"])) return undefined;
    return Object.keys(schema["properties"]);
  } catch {
    // A validator that cannot describe itself.
    return undefined;
  }
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGS" });
}

import { RpcError } from "@rpc/core";
import { dynamicCodec, EncodedPayload, type MethodDescriptor, readUtf8 } from "@rpc/core/transport";
import { isRecord } from "../errors.ts";
import type { Params } from "../server/service.ts";
import type { XmlRpcParamsForm } from "./options.ts";

/** The parameters that an input becomes. Undefined is none; named: a record travels by name, where the protocol has names. */
export function paramsOf(input: unknown, method: MethodDescriptor, form: XmlRpcParamsForm, named: boolean): Params {
  const value = dynamicOf(input, method);
  if (value === undefined) return [];
  if (form === "positional") return inOrder(value, method);
  if (form === "kwargs") return [isRecord(value) ? { kwargs: value } : { args: [value] }];
  // An empty record by name would be no parameters at all.
  return named && isRecord(value) && Object.keys(value).length > 0 ? value : [value];
}

/** The input as a value that needs no contract. A gateway's comes encoded. */
function dynamicOf(input: unknown, method: MethodDescriptor): unknown {
  const { codec } = method.input;
  if (!(input instanceof EncodedPayload)) return codec.format === "protobuf" ? codec.toDynamic(input) : input;
  if (input.format === "protobuf") {
    const message = `${method.name}: protobuf says nothing without its contract; serve the contract at the gateway`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "PARSE", delivered: "no" });
  }
  if (input.source === undefined) return input.json === undefined ? undefined : dynamicCodec.revive(input.json);
  return dynamicCodec.parse(readUtf8(input.source, input.start, input.end));
}

/** The fields of a record in the order of the contract; a field at the end that is missing is left out, one between is nil. */
function inOrder(value: unknown, method: MethodDescriptor): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (!isRecord(value)) return [value];
  const order = fieldsOf(method) ?? Object.keys(value);
  const unknownField = Object.keys(value).find((name) => value[name] !== undefined && !order.includes(name));
  if (unknownField !== undefined) {
    const message = `${method.name}: ${unknownField} is no field of the contract's input, so it has no position`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
  }
  const list = order.map((name) => (Object.hasOwn(value, name) ? value[name] : undefined));
  while (list.length > 0 && list.at(-1) === undefined) list.pop();
  return list.map((each) => each ?? null);
}

const FIELDS = new WeakMap<MethodDescriptor, readonly string[] | undefined>();

/** Names of the input's fields in the order of its schema; undefined: the schema says none. */
function fieldsOf(method: MethodDescriptor): readonly string[] | undefined {
  if (FIELDS.has(method)) return FIELDS.get(method);
  const fields = readFields(method);
  FIELDS.set(method, fields);
  return fields;
}

function readFields(method: MethodDescriptor): readonly string[] | undefined {
  try {
    const schema = method.input.jsonSchema?.();
    if (typeof schema !== "object" || schema === null || !("properties" in schema)) return undefined;
    const { properties } = schema;
    return typeof properties === "object" && properties !== null ? Object.keys(properties) : undefined;
  } catch {
    // A validator that cannot describe itself.
    return undefined;
  }
}

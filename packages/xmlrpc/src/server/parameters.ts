import { type Awaitable, RpcError } from "@rpc/core";
import { dynamicCodec, EncodedPayload, type MethodDescriptor, readUtf8 } from "@rpc/core/transport";
import { isRecord } from "../errors.ts";
import { FaultCode, FaultError } from "../fault.ts";
import { revived } from "../revive.ts";
import { type FieldShape, fieldShapeOf } from "./field-shape.ts";
import type { Params } from "./service.ts";
import { takenFrom, type Wire, withDoubles } from "./wire-values.ts";

/*
 * How parameters become the one input of a method:
 *
 *   the input is            parameters                               the input becomes
 *   a record with fields    [{…}], every key a field                 that record
 *                           [a, b, …]                                the fields in the order of the contract
 *                           [a, b, {…}], every key a field left      the last ones by name, where the last parameter's own field takes no record
 *                           [[a, b], {…}]                            args and kwargs, where the first field takes no list
 *                           {…} (JSON-RPC)                           that record
 *   a list                  [[…]] or [a, b, …]                       the list
 *   anything else           [] or [a]                                undefined or a
 *   without schema          [], [a], [a, b, …], {…}                  undefined, a, the list, the record
 *   a dynamic command       [a, b, …], {…}                           { args }, { kwargs }
 *
 * A name that is no field, a field given twice and a parameter too many are refused: a typing error must not drop an argument.
 */

const DYNAMIC_CONTRACT = "dynamic";

type Struct = Readonly<Record<string, unknown>>;

/** The input of a method from the parameters of a call. Throws FaultError -32602 for what does not fit; the contract judges the values. */
export function inputOf(method: MethodDescriptor, params: Params, wire: Wire): Awaitable<unknown> {
  return received(method, mapped(method, params), wire);
}

/** The same from positional and keyword arguments that are apart already. */
export function inputFromArguments(
  method: MethodDescriptor,
  args: readonly unknown[],
  kwargs: Struct,
  wire: Wire,
): Awaitable<unknown> {
  return received(method, bound(method, args, kwargs), wire);
}

function mapped(method: MethodDescriptor, params: Params): unknown {
  if (!isList(params)) return bound(method, [], params);
  const shape = fieldShapeOf(method.input);
  if (shape === undefined || shape.fields.size === 0) return bound(method, params, NOTHING);
  const { fields, names } = shape;
  const count = params.length;
  const last = params[count - 1];
  const takenBy = (index: number): FieldShape | undefined => fields.get(names[index] ?? "");
  if (count === 1 && isRecord(last) && (fits(last, names, shape) || !takesRecord(takenBy(0))))
    return bound(method, [], last);
  if (count === 2 && isList(params[0]) && isRecord(last) && !takesList(takenBy(0)) && fits(last, names, shape))
    return bound(method, params[0], last);
  if (count > 1 && isRecord(last) && !takesRecord(takenBy(count - 1)) && fits(last, names.slice(count - 1), undefined))
    return bound(method, params.slice(0, -1), last);
  return bound(method, params, NOTHING);
}

function bound(method: MethodDescriptor, args: readonly unknown[], kwargs: Struct): unknown {
  const hasNames = !isEmpty(kwargs);
  if (method.contract === DYNAMIC_CONTRACT) {
    if (args.length === 0) return hasNames ? { kwargs } : undefined;
    return hasNames ? { args, kwargs } : { args };
  }
  const shape = fieldShapeOf(method.input);
  if (shape !== undefined && shape.fields.size > 0) return boundFields(shape, args, kwargs);
  if (!hasNames) return single(method, shape, args);
  if (args.length === 0 && (shape === undefined || shape.any || shape.record)) return kwargs;
  throw misfit(shape?.list === true ? "it takes a list, and no arguments by name" : unexpected(kwargs));
}

function boundFields(shape: FieldShape, args: readonly unknown[], kwargs: Struct): Struct {
  const { names } = shape;
  if (args.length > names.length)
    throw misfit(`too many positional arguments: ${args.length} given, there are ${names.join(", ")}`);
  const record = Object.create(null) as Record<string, unknown>;
  // By position an optional argument in the middle can only be left out by saying nothing: nil.
  for (const [index, value] of args.entries()) {
    const name = names[index] ?? "";
    if (value === null && !shape.required.has(name) && !takesNil(shape.fields.get(name))) continue;
    record[name] = value;
  }
  for (const name of Object.keys(kwargs)) {
    if (!shape.fields.has(name) && shape.others === undefined) throw misfit(unexpected({ [name]: 0 }));
    if (names.indexOf(name) >= 0 && names.indexOf(name) < args.length)
      throw misfit(`multiple values for argument '${name}'`);
    record[name] = kwargs[name];
  }
  if (args.length > 0) {
    for (const name of shape.required) if (!(name in record)) throw misfit(`missing a required argument: '${name}'`);
  }
  return record;
}

function single(method: MethodDescriptor, shape: FieldShape | undefined, args: readonly unknown[]): unknown {
  if (shape?.list === true) {
    // A list of lists in one parameter is that list, or its one item: as a list it is told by what the items may be.
    if (args.length === 1 && isList(args[0]) && !(shape.items?.list === true && !args[0].every(isList))) return args[0];
    if (args.length !== 1 || !takesOther(shape)) return args;
  }
  if (args.length <= 1) return args.length === 0 && method.input.codec.format === "protobuf" ? {} : args[0];
  if (shape === undefined || shape.any) return args;
  throw misfit(`too many positional arguments: ${args.length} given, it takes one`);
}

/** A received value in the contract's own types. */
function received(method: MethodDescriptor, value: unknown, wire: Wire): Awaitable<unknown> {
  const { codec } = method.input;
  const shape = fieldShapeOf(method.input);
  const input = takenFrom(value, shape, wire);
  if (codec.format === "protobuf") return codec.fromDynamic(input);
  // Where the schema says too little, the validator is asked what it would take.
  return method.input.validate !== undefined && (shape === undefined || shape.hasAny)
    ? revived(method.input, input)
    : input;
}

function fits(struct: Struct, names: readonly string[], shape: FieldShape | undefined): boolean {
  if (shape?.others !== undefined) return true;
  for (const key of Object.keys(struct)) if (!names.includes(key)) return false;
  return true;
}

function takesRecord(shape: FieldShape | undefined): boolean {
  return shape !== undefined && (shape.any || shape.record);
}

function takesList(shape: FieldShape | undefined): boolean {
  return shape !== undefined && (shape.any || shape.list);
}

function takesNil(shape: FieldShape | undefined): boolean {
  return shape !== undefined && (shape.any || shape.nil);
}

function takesOther(shape: FieldShape): boolean {
  return shape.text || shape.boolean || shape.date || shape.bytes || shape.integer || shape.double || shape.record;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isEmpty(struct: Struct): boolean {
  for (const _ in struct) return false;
  return true;
}

function unexpected(kwargs: Struct): string {
  return `got an unexpected keyword argument '${(Object.keys(kwargs)[0] ?? "").slice(0, 100)}'`;
}

/** In the words that callers of XML-RPC know from Python. */
function misfit(what: string): FaultError {
  return new FaultError(FaultCode.InvalidParams, `TypeError: ${what}`);
}

const NOTHING: Struct = Object.freeze(Object.create(null) as Record<string, unknown>);

/** The output of a method as a value that a wire can say. */
export function outputOf(method: MethodDescriptor, output: unknown, wire: Wire): unknown {
  const { codec } = method.output;
  if (output instanceof EncodedPayload) return dynamicOf(method, output);
  const value = codec.format === "protobuf" ? codec.toDynamic(output) : output;
  return wire === "xml" ? withDoubles(value, fieldShapeOf(method.output)) : value;
}

/** What a gateway got from behind it, which is read here first. */
function dynamicOf(method: MethodDescriptor, { format, bytes, json }: EncodedPayload): unknown {
  if (format === "json") return bytes === undefined ? dynamicCodec.revive(json) : dynamicCodec.parse(readUtf8(bytes));
  throw new RpcError(
    "INTERNAL",
    `${method.name}: the output is protobuf, which needs the contract to be read; serve the contract instead of a bare gateway`,
    {
      reason: "RESULT_UNSERIALIZABLE",
    },
  );
}

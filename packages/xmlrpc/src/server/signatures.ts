import type { MethodDescriptor } from "@rpc/core/transport";
import { type FieldShape, fieldShapeOf } from "./field-shape.ts";
import type { MethodInfo } from "./service.ts";

/** What introspection says about a method of a contract, under a name of the service's own. */
export function methodInfo(method: MethodDescriptor, name: string = method.name): MethodInfo {
  return { name, kind: method.kind, signatures: signaturesOf(method), help: method.doc ?? "", method };
}

/** `[result, parameter…]` by position, and with one struct where the input is a record; empty when the contract has no schema that tells. */
function signaturesOf(method: MethodDescriptor): readonly (readonly string[])[] {
  const input = fieldShapeOf(method.input);
  const output = fieldShapeOf(method.output);
  if (input === undefined && output === undefined) return [];
  const result = output === undefined ? "mixed" : typeWord(output);
  if (input === undefined) return [[result, "mixed"]];
  if (!input.record || input.fields.size === 0) return [[result, typeWord(input)]];
  return [
    [result, ...[...input.fields.values()].map(typeWord)],
    [result, "struct"],
  ];
}

/** The type of a value in the words of XML-RPC; `mixed` where several are possible. */
export function typeWord(shape: FieldShape): string {
  const words: string[] = [];
  if (shape.text) words.push("string");
  if (shape.boolean) words.push("boolean");
  if (shape.date) words.push("dateTime.iso8601");
  if (shape.bytes) words.push("base64");
  if (shape.double) words.push("double");
  else if (shape.integer) words.push("int");
  else if (shape.bigint) words.push("i8");
  if (shape.list) words.push("array");
  if (shape.record) words.push("struct");
  if (words.length === 0 && shape.nil) return "nil";
  return words.length === 1 && !shape.any ? (words[0] ?? "mixed") : "mixed";
}

import type { Contract } from "@rpc/core";
import { DESCRIPTOR, type MessageShape, type MethodDescriptor, type MethodKind, RpcError } from "@rpc/core/transport";
import { fieldError } from "./messages/field-error.ts";
import { originOf } from "./messages/message-types.ts";
import { methodName, pascalCase, snakeCase } from "./model/names.ts";
import type { DraftMessage, Drafts } from "./to-proto/drafts.ts";
import { JsonShapes } from "./to-proto/json-shapes.ts";
import { KnownMessages } from "./to-proto/known-messages.ts";
import { assignNumbers, type NumberedNames, type NumberLock } from "./to-proto/number-lock.ts";
import { type ProtoEnumText, type ProtoMessageText, type ProtoMethodText, protoText } from "./to-proto/proto-text.ts";

/** What `contractToProto` gives: write both, side by side, and keep both in version control. */
export interface ContractProto {
  readonly proto: string;
  readonly lock: NumberLock;
}

const EMPTY = "google.protobuf.Empty";
const VALUE = "google.protobuf.Value";
const IMPORTS: readonly (readonly [RegExp, string])[] = [
  [/\bgoogle\.protobuf\.(Value|Struct|ListValue)\b/, "google/protobuf/struct.proto"],
  [/\bgoogle\.protobuf\.\w+Value\b(?<!\.Value|ListValue)/, "google/protobuf/wrappers.proto"],
  [/\bgoogle\.protobuf\.Empty\b/, "google/protobuf/empty.proto"],
  [/\bgoogle\.protobuf\.Timestamp\b/, "google/protobuf/timestamp.proto"],
  [/\bgoogle\.protobuf\.Duration\b/, "google/protobuf/duration.proto"],
  [/\bgoogle\.protobuf\.Any\b/, "google/protobuf/any.proto"],
  [/\(rpc\.v1\./, "rpc/v1/options.proto"],
];

/**
 * Writes a contract as a `.proto`, for peers in other languages. Shapes come from the validators' JSON schemas, or from the `.proto`
 * that a message came from; a method without a schema takes google.protobuf.Value. Field numbers are kept in `lock`: pass the last one
 * in, or every new field renumbers its neighbours. Throws INVALID_ARGUMENT with the path of a shape that protobuf cannot say.
 */
export function contractToProto(
  contract: Contract,
  options: { readonly lock?: NumberLock | undefined } = {},
): ContractProto {
  const descriptor = contract[DESCRIPTOR];
  const packageName = descriptor.name.split(".").slice(0, -1).join(".");
  const known = new KnownMessages(packageName);
  const drafts: Drafts = { messages: new Map(), enums: new Map() };
  const methods = Array.from(descriptor.methods, ([name, method]) => methodText(name, method, drafts, known));
  const { lock, numbered } = assignNumbers(drafts, options.lock);
  const messages = [
    ...known.messageTexts(),
    ...Array.from(drafts.messages.values(), (draft) => messageText(draft, numbered)),
  ];
  const enums = [...known.enumTexts(), ...enumTexts(drafts, numbered)];
  refuseTwins([...messages, ...enums]);
  const file = {
    packageName,
    service: {
      name: descriptor.name.slice(packageName === "" ? 0 : packageName.length + 1),
      doc: descriptor.doc,
      methods,
    },
    messages,
    enums,
  };
  const used = [
    ...methods.map(({ input, output, options: said }) => [input, output, said.join(" ")].join(" ")),
    ...messages.flatMap(({ fields }) => fields.map(({ type }) => type)),
  ];
  const imports = IMPORTS.filter(([pattern]) => used.some((text) => pattern.test(text))).map(([, path]) => path);
  return { proto: protoText({ ...file, imports }), lock };
}

function methodText(name: string, method: MethodDescriptor, drafts: Drafts, known: KnownMessages): ProtoMethodText {
  const title = pascalCase(name);
  const messageOf = (shape: MessageShape, suffix: string, part: string): string =>
    messageName(shape, `${title}${suffix}`, `${name}.${part}`, drafts, known);
  const rules: string[] = [];
  if (method.kind === "notification" || method.kind === "event" || method.kind === "job")
    rules.push(`kind: ${method.kind.toUpperCase()}`);
  if (method.idempotent) rules.push("idempotent: true");
  if (method.timeoutMs !== undefined) rules.push(`timeout_ms: ${method.timeoutMs}`);
  if (isSaid(method.progress)) rules.push(`progress: "${messageOf(method.progress, "Progress", "progress")}"`);
  for (const [reason, shape] of method.errors) {
    const details = isSaid(shape)
      ? ` details: "${messageOf(shape, `${pascalCase(reason)}Details`, `errors.${reason}`)}"`
      : "";
    rules.push(`errors: { reason: "${reason}"${details} }`);
  }
  const input =
    method.kind === "event"
      ? messageOf(method.output, "Event", "payload")
      : messageOf(method.input, "Request", "input");
  const output =
    method.kind === "event" || method.kind === "notification" ? EMPTY : messageOf(method.output, "Response", "output");
  return {
    name: rpcName(name),
    input: streams(method.kind).input ? `stream ${input}` : input,
    output: streams(method.kind).output ? `stream ${output}` : output,
    options: rules.length === 0 ? [] : [`(rpc.v1.method) = { ${rules.join(" ")} }`],
    doc: method.doc,
  };
}

/** The rpc that reads back as this method. The name on the wire stays the method's own. */
function rpcName(method: string): string {
  const rpc = method.charAt(0).toUpperCase() + method.slice(1);
  if (methodName(rpc) !== method)
    throw fieldError(method, "cannot be written as an rpc: its name must begin with a small letter");
  return rpc;
}

function streams(kind: MethodKind): { readonly input: boolean; readonly output: boolean } {
  return {
    input: kind === "clientStream" || kind === "bidiStream",
    output: kind === "serverStream" || kind === "bidiStream",
  };
}

function isSaid(shape: MessageShape): boolean {
  return shape.validate !== undefined || shape.jsonSchema !== undefined || originOf(shape.codec) !== undefined;
}

function messageName(shape: MessageShape, name: string, path: string, drafts: Drafts, known: KnownMessages): string {
  const origin = originOf(shape.codec);
  if (origin !== undefined) return known.add(origin.definitions, origin.typeName, path);
  if (!isSaid(shape)) return VALUE;
  if (shape.jsonSchema === undefined)
    throw fieldError(path, "has a validator that cannot say its shape as JSON schema");
  let schema: unknown;
  try {
    schema = shape.jsonSchema();
  } catch (caught) {
    throw fieldError(path, `cannot be said as JSON schema: ${RpcError.from(caught).message}`);
  }
  return new JsonShapes(schema, drafts).message(name, path);
}

function messageText(draft: DraftMessage, numbered: ReadonlyMap<string, NumberedNames>): ProtoMessageText {
  const names = numbered.get(draft.name);
  return {
    name: draft.name,
    doc: draft.doc,
    fields: draft.fields.map(({ name, shape, optional, oneof, doc }) => ({
      type:
        shape.rule === "list"
          ? `repeated ${shape.type}`
          : shape.rule === "map"
            ? `map<string, ${shape.type}>`
            : `${optional ? "optional " : ""}${shape.type}`,
      name,
      number: names?.numbers.get(name) ?? 0,
      oneof,
      doc,
    })),
    reserved: [...(names?.reservedNumbers ?? []), ...(names?.reservedNames ?? [])],
  };
}

function enumTexts(drafts: Drafts, numbered: ReadonlyMap<string, NumberedNames>): ProtoEnumText[] {
  return Array.from(drafts.enums.values(), ({ name, values }) => {
    const names = numbered.get(name);
    return {
      name,
      doc: undefined,
      values: [
        { name: `${snakeCase(name).toUpperCase()}_UNSPECIFIED`, number: 0, doc: undefined },
        ...values.map((value) => ({ name: value.name, number: names?.numbers.get(value.name) ?? 0, doc: value.doc })),
      ],
      reserved: [...(names?.reservedNumbers ?? []), ...(names?.reservedNames ?? [])],
    };
  });
}

function refuseTwins(all: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of all) {
    if (seen.has(name)) throw fieldError(name, "is the name of two messages; give one of the shapes an id");
    seen.add(name);
  }
}

import {
  bidiStream,
  clientStream,
  type Contract,
  defineContract,
  event,
  job,
  type MessageType,
  type MethodDefinition,
  type MethodDefinitions,
  notification,
  serverStream,
  unary,
} from "@rpc/core";
import { compileMessageTypes } from "./messages/message-types.ts";
import type { Definitions, RpcDefinition, ServiceDefinition } from "./model/definitions.ts";
import { loadProtoFile, type LoadOptions } from "./model/load-files.ts";
import { protoError } from "./model/proto-error.ts";
import { readRoot } from "./model/read-root.ts";
import type { ProtobufRoot } from "./model/reflection.ts";

/**
 * What TypeScript knows of a contract that is read at run time: calls by name, of messages by name. Methods with streams, and
 * messages with types, are what the type argument of `contractFromProto` is for, or generated code.
 */
export type UntypedMethods = Readonly<
  Record<
    string,
    MethodDefinition<
      "unary",
      MessageType,
      MessageType,
      MessageType | undefined,
      Readonly<Record<string, MessageType | undefined>>
    >
  >
>;

/**
 * A service of a `.proto` as a contract, without a build step: from a file (Node only) or from a protobufjs Root. Messages are read
 * and written as generated code does it, by closures compiled at the first use; nothing is evaluated.
 * A `.proto` must come from where your code comes from, never from a peer.
 */
export function contractFromProto<Methods extends MethodDefinitions = UntypedMethods>(
  source: ProtobufRoot | string | URL,
  service: string,
  options: LoadOptions = {},
): Contract<Methods> {
  const definitions = readSource(source, options);
  const definition = definitions.services.get(service);
  if (definition === undefined) {
    const known = [...definitions.services.keys()].join(", ");
    throw protoError(
      undefined,
      `there is no service ${JSON.stringify(service)}; there is ${known === "" ? "none" : known}`,
    );
  }
  // The type argument is the caller's word for what stands in the .proto.
  return contractOf(definition, definitions) as unknown as Contract<Methods>;
}

/** A message of a `.proto` as a schema, from the same sources as `contractFromProto`. */
export function messageFromProto<T = unknown>(
  source: ProtobufRoot | string | URL,
  typeName: string,
  options: LoadOptions = {},
): MessageType<T> {
  const definitions = readSource(source, options);
  if (!definitions.messages.has(typeName))
    throw protoError(undefined, `there is no message ${JSON.stringify(typeName)}`);
  return compileMessageTypes(definitions)(typeName) as unknown as MessageType<T>;
}

function readSource(source: ProtobufRoot | string | URL, options: LoadOptions): Definitions {
  if (typeof source !== "string" && !(source instanceof URL)) {
    // Plain JSON, such as a peer could have sent, is no Root.
    if (!("nestedArray" in source && typeof source.addJSON === "function")) {
      throw protoError(undefined, "a contract is read from a .proto file or a protobufjs Root, and from nothing else");
    }
    return readRoot(source);
  }
  const { root, lines } = loadProtoFile(source, options);
  return readRoot(root, lines);
}

function contractOf(service: ServiceDefinition, definitions: Definitions): Contract {
  const typeOf = compileMessageTypes(definitions);
  const methods: Record<string, MethodDefinition> = Object.create(null) as Record<string, MethodDefinition>;
  for (const method of service.methods) methods[method.name] = methodOf(method, typeOf);
  return defineContract(service.typeName, methods, service.doc === undefined ? {} : { doc: service.doc });
}

function methodOf(method: RpcDefinition, typeOf: (typeName: string) => MessageType): MethodDefinition {
  const input = typeOf(method.input);
  const output = typeOf(method.output);
  const doc = method.doc === undefined ? {} : { doc: method.doc };
  const errors = Object.fromEntries(
    Array.from(method.errors, ([reason, details]) => [reason, details === undefined ? undefined : typeOf(details)]),
  );
  const call = {
    input,
    output,
    errors,
    idempotent: method.idempotent,
    ...(method.timeoutMs === undefined ? {} : { timeoutMs: method.timeoutMs }),
    ...doc,
  };
  switch (method.kind) {
    case "unary":
      return unary({ ...call, ...(method.progress === undefined ? {} : { progress: typeOf(method.progress) }) });
    case "serverStream":
      return serverStream(call);
    case "clientStream":
      return clientStream(call);
    case "bidiStream":
      return bidiStream(call);
    case "notification":
      return notification({ input, ...doc });
    case "event":
      return event({ payload: input, ...doc });
    case "job":
      return job({ ...call, ...(method.maxAttempts === undefined ? {} : { maxAttempts: method.maxAttempts }) });
    default:
      return method.kind satisfies never;
  }
}

import type { RpcDefinition, ServiceDefinition } from "../model/definitions.ts";
import { WELL_KNOWN_TYPES } from "../well-known-names.ts";
import { messageTypeName, type NameOf } from "./field-types.ts";
import { docLines, type SourceText } from "./source-text.ts";

/** Writes a service as a contract, with its type spelled out so that nobody has to infer it. */
export function writeContract(source: SourceText, service: ServiceDefinition, name: string, nameOf: NameOf): void {
  source.doc(service.doc);
  source.line(`export const ${name}: rpc.Contract<{`);
  for (const method of service.methods) source.line(`  readonly ${method.name}: ${methodType(method, nameOf)};`);
  source.line(`}> = rpc.defineContract("${service.typeName}", {`);
  for (const method of service.methods) {
    for (const line of docBlock(method.doc)) source.line(`  ${line}`);
    source.line(`  ${method.name}: rpc.${method.kind}({ ${optionsOf(method, nameOf).join(", ")} }),`);
  }
  source.line(service.doc === undefined ? "});" : `}, { doc: ${quote(service.doc)} });`).line();
}

/** The well-known types that methods use as they are, which need a message type of their own. */
export function wellKnownMessages(services: readonly ServiceDefinition[]): readonly string[] {
  const used = new Set<string>();
  for (const { methods } of services) {
    for (const method of methods) {
      for (const typeName of messagesOf(method)) if (WELL_KNOWN_TYPES.has(typeName)) used.add(typeName);
    }
  }
  return [...used].sort();
}

/** The messages that a method names itself. */
export function messagesOf(method: RpcDefinition): readonly string[] {
  const named = [method.input, method.output, method.progress, ...method.errors.values()].filter(
    (typeName) => typeName !== undefined,
  );
  return method.kind === "event" || method.kind === "notification"
    ? named.filter((typeName) => typeName !== method.output)
    : named;
}

/** The constant that holds a message as a schema. */
export function messageValueName(typeName: string, nameOf: NameOf): string {
  return WELL_KNOWN_TYPES.has(typeName) ? `${typeName.slice(typeName.lastIndexOf(".") + 1)}$message` : nameOf(typeName);
}

function methodType(method: RpcDefinition, nameOf: NameOf): string {
  const schema = (typeName: string | undefined): string =>
    typeName === undefined ? "undefined" : `rpc.MessageType<${messageTypeName(typeName, nameOf)}>`;
  const errors = Array.from(method.errors, ([reason, details]) => `readonly ${reason}: ${schema(details)}`).join("; ");
  const shapes =
    method.kind === "event"
      ? ["undefined", schema(method.input)]
      : [schema(method.input), method.kind === "notification" ? "undefined" : schema(method.output)];
  const last = errors === "" ? "Readonly<Record<never, never>>" : `{ ${errors} }`;
  return `rpc.MethodDefinition<"${method.kind}", ${shapes.join(", ")}, ${schema(method.progress)}, ${last}>`;
}

function optionsOf(method: RpcDefinition, nameOf: NameOf): string[] {
  const value = (typeName: string): string => messageValueName(typeName, nameOf);
  const options = [`${method.kind === "event" ? "payload" : "input"}: ${value(method.input)}`];
  if (method.kind !== "event" && method.kind !== "notification") options.push(`output: ${value(method.output)}`);
  if (method.progress !== undefined) options.push(`progress: ${value(method.progress)}`);
  if (method.errors.size > 0) {
    const errors = Array.from(
      method.errors,
      ([reason, details]) => `${reason}: ${details === undefined ? "undefined" : value(details)}`,
    );
    options.push(`errors: { ${errors.join(", ")} }`);
  }
  if (method.idempotent) options.push("idempotent: true");
  if (method.timeoutMs !== undefined) options.push(`timeoutMs: ${method.timeoutMs}`);
  if (method.maxAttempts !== undefined) options.push(`maxAttempts: ${method.maxAttempts}`);
  if (method.doc !== undefined) options.push(`doc: ${quote(method.doc)}`);
  return options;
}

function docBlock(doc: string | undefined): string[] {
  const lines = docLines(doc);
  return lines.length < 2
    ? lines.map((line) => `/** ${line} */`)
    : ["/**", ...lines.map((line) => ` * ${line}`.trimEnd()), " */"];
}

/** A comment as a text in code. JSON.stringify escapes all that could end it. */
function quote(doc: string): string {
  return JSON.stringify(docLines(doc).join(" ").replaceAll("*\\/", "*/"));
}

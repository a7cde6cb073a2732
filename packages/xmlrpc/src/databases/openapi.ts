import type { MessageShape, MethodDescriptor } from "@rpc/core/transport";
import type { MethodInfo } from "../server/service.ts";

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  /** Whether arguments have `ids` and `context` beside them. */
  readonly withRecords: boolean;
}

/** What JSON-2 serves, as an OpenAPI 3.1 document: an operation for each method, with the schemas of its contract. */
export function openApiOf(methods: readonly MethodInfo[], { title, version, withRecords }: OpenApiOptions): Json {
  const paths: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const { name, help, method } of methods) {
    const dot = name.lastIndexOf(".");
    // Functions of a database have no address here.
    if (dot <= 0 || method === undefined) continue;
    const path = `/json/2/${encodeURIComponent(name.slice(0, dot))}/${encodeURIComponent(name.slice(dot + 1))}`;
    paths[path] = { post: operationOf(name, help, method, withRecords) };
  }
  return {
    openapi: "3.1.0",
    info: { title, version },
    paths,
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer" }, password: { type: "http", scheme: "basic" } },
      schemas: { Error: ERROR },
    },
    security: [{ key: [] }, { password: [] }],
  };
}

const ERROR: Json = {
  type: "object",
  required: ["name", "message", "arguments", "context", "debug"],
  properties: {
    name: { type: "string" },
    message: { type: "string" },
    arguments: { type: "array" },
    context: { type: "object" },
    debug: { type: "string" },
  },
};

const FAILURES: Json = Object.fromEntries(
  [
    ["401", "No credentials"],
    ["403", "Not allowed"],
    ["404", "No such model, method or record"],
    ["422", "Arguments that do not fit"],
    ["500", "The method failed"],
  ].map(([status, description]) => [
    status,
    { description, content: jsonContent({ $ref: "#/components/schemas/Error" }) },
  ]),
);

function operationOf(name: string, help: string, method: MethodDescriptor, withRecords: boolean): Json {
  const input = namedArguments(schemaOf(method.input, name, "input"), withRecords);
  const output = method.kind === "notification" ? { type: "null" } : schemaOf(method.output, name, "output");
  return {
    operationId: name,
    ...(help === "" ? {} : { summary: help }),
    requestBody: { content: jsonContent(input) },
    responses: { "200": { description: "The value", content: jsonContent(output) }, ...FAILURES },
  };
}

function jsonContent(schema: Json): Json {
  return { "application/json": { schema } };
}

const RECORDS: Json = {
  ids: { type: "array", description: "Records that the method is called on" },
  context: { type: "object", description: "Language, time zone and the like" },
};

/** JSON-2 has arguments by name only: what takes no record takes anything, as far as this can say. */
function namedArguments(schema: Json, withRecords: boolean): Json {
  if (!withRecords) return schema;
  const { properties } = schema;
  const own = typeof properties === "object" && properties !== null ? properties : {};
  return { ...schema, type: "object", properties: { ...own, ...RECORDS } };
}

/** A schema of the contract; empty where its validator cannot say one. It is a resource of its own, so that its references stay inside of it. */
function schemaOf({ jsonSchema }: MessageShape, name: string, part: "input" | "output"): Json {
  let schema: unknown;
  try {
    schema = jsonSchema?.(true);
  } catch {
    return {};
  }
  if (typeof schema !== "object" || schema === null) return {};
  const { $schema: _dialect, ...said } = schema as Record<string, unknown>;
  return "$defs" in said ? { $id: `urn:rpc:${encodeURIComponent(name)}:${part}`, ...said } : said;
}

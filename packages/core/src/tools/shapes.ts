import type { MessageType, Schema } from "../words/contract.ts";
import type { MessageShape } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { StandardIssue, StandardResult, StandardSchema } from "../words/standard-schema.ts";
import { shown } from "./bytes.ts";
import { dynamicCodec, validatedCodec } from "./json-message-codec.ts";

/** Most issues told to a caller; a validator may find one per element of a hostile list. */
const MAX_ISSUES = 16;
/** Paths and messages may repeat what the caller sent: neither its megabytes nor its control characters go back. */
const MAX_PATH_LENGTH = 200;
const MAX_ISSUE_LENGTH = 500;

/** A message without a schema: any dynamic value. */
const DYNAMIC_SHAPE: MessageShape = Object.freeze({
  codec: dynamicCodec,
  validate: undefined,
  jsonSchema: undefined,
});

/** What a schema means to the machines. Throws INVALID_ARGUMENT for what is no schema. */
export function shapeOf(schema: Schema, where: string): MessageShape {
  if (schema === undefined) return DYNAMIC_SHAPE;
  if (isMessageType(schema)) return { codec: schema.codec, validate: undefined, jsonSchema: schema.jsonSchema };
  if (isStandardSchema(schema)) {
    const standard = schema["~standard"];
    return { codec: validatedCodec, validate: (value) => standard.validate(value), jsonSchema: jsonSchemaOf(schema) };
  }
  throw new RpcError(
    "INVALID_ARGUMENT",
    `${where} is no schema: pass a Standard Schema (zod, valibot, arktype) or a protobuf message`,
    {
      reason: "INVALID_ARGUMENT",
    },
  );
}

// Validators are objects or, with arktype, functions.
function isStandardSchema(schema: unknown): schema is StandardSchema {
  return ((typeof schema === "object" && schema !== null) || typeof schema === "function") && "~standard" in schema;
}

function isMessageType(schema: unknown): schema is MessageType {
  return typeof schema === "object" && schema !== null && "codec" in schema && "typeName" in schema;
}

/** Standard JSON Schema, the sibling of Standard Schema: a validator that can say its shape does it under `jsonSchema`. */
function jsonSchemaOf(schema: StandardSchema): MessageShape["jsonSchema"] {
  const standard = schema["~standard"] as {
    readonly vendor?: unknown;
    readonly jsonSchema?: { readonly input?: unknown };
  };
  const input = standard.jsonSchema?.input;
  if (typeof input !== "function") return undefined;
  return (loose) =>
    input.call(standard.jsonSchema, {
      target: "draft-2020-12",
      // A library that is told an option of another one may refuse it.
      ...(loose === true && standard.vendor === "zod" ? { libraryOptions: ZOD_OPTIONS } : {}),
    });
}

/** zod refuses to describe a whole record for one Date in it. What JSON Schema has no word for is said by `x-rpc-type` beside the nearest one. */
const ZOD_OPTIONS = {
  unrepresentable: "any",
  override: ({ zodSchema, jsonSchema }: ZodOverride): void => {
    const type = zodSchema._zod?.def?.type;
    if (type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time", "x-rpc-type": "date" });
    else if (type === "bigint") Object.assign(jsonSchema, { type: "integer", "x-rpc-type": "bigint" });
  },
};

interface ZodOverride {
  readonly zodSchema: { readonly _zod?: { readonly def?: { readonly type?: unknown } } };
  readonly jsonSchema: object;
}

/**
 * Runs a shape's validator. Gives the value that the validator made of it, or a promise of it for a validator that is
 * asynchronous; throws (or rejects with) `code` and the path of the first issue.
 */
export function validated(
  shape: MessageShape,
  value: unknown,
  what: string,
  code: "INVALID_ARGUMENT" | "INTERNAL",
): unknown {
  if (shape.validate === undefined) return value;
  let result: StandardResult<unknown> | Promise<StandardResult<unknown>>;
  try {
    result = shape.validate(value);
  } catch (thrown) {
    throw validatorFault(what, thrown);
  }
  if (!(result instanceof Promise)) return valueOf(result, what, code);
  return result.then(
    (later) => valueOf(later, what, code),
    (thrown: unknown) => {
      throw validatorFault(what, thrown);
    },
  );
}

function valueOf(result: StandardResult<unknown>, what: string, code: "INVALID_ARGUMENT" | "INTERNAL"): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues
    .slice(0, MAX_ISSUES)
    .map((issue) => ({ path: shown(pathOf(issue), MAX_PATH_LENGTH), message: shown(issue.message, MAX_ISSUE_LENGTH) }));
  const first = issues[0];
  const where = first === undefined || first.path === "" ? what : `${what}: ${first.path}`;
  throw new RpcError(code, `${where}: ${first?.message ?? "refused"}`, { reason: code, details: { issues } });
}

function validatorFault(what: string, thrown: unknown): RpcError {
  return new RpcError("INTERNAL", `${what}: the validator failed: ${RpcError.from(thrown).message}`, {
    reason: "INTERNAL",
    cause: thrown,
  });
}

/** `steps[2].command` */
function pathOf(issue: StandardIssue): string {
  let path = "";
  for (const segment of issue.path ?? []) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number") path += `[${key}]`;
    else path += path === "" ? String(key) : `.${String(key)}`;
  }
  return path;
}

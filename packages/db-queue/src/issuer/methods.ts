import { type Contract, type ContractMethod, type MethodDefinition, RpcError } from "@rpc/core";
import {
  DESCRIPTOR,
  dynamicCodec,
  type MessageShape,
  type MethodDescriptor,
  type MethodKind,
} from "@rpc/core/transport";

const ANY_VALUE: MessageShape = { codec: dynamicCodec, validate: undefined, jsonSchema: undefined };
const NO_ERRORS: ReadonlyMap<string, MessageShape> = new Map();

/** Methods of which nothing is known but their names; a program that makes up names must not grow without end. */
const METHODS = new Map<string, MethodDescriptor>();
const MAX_METHODS = 1000;

export function methodNamed(name: string): MethodDescriptor {
  let method = METHODS.get(name);
  if (method === undefined) {
    method = anyMethod(name, "unary");
    if (METHODS.size >= MAX_METHODS) METHODS.clear();
    METHODS.set(name, method);
  }
  return method;
}

function anyMethod(name: string, kind: MethodKind): MethodDescriptor {
  return {
    name,
    contract: "",
    kind,
    input: ANY_VALUE,
    output: ANY_VALUE,
    progress: ANY_VALUE,
    errors: NO_ERRORS,
    idempotent: false,
    timeoutMs: undefined,
    doc: undefined,
  };
}

const CARRIED: ReadonlySet<MethodKind> = new Set(["unary", "notification", "job"]);

/** What a method of a contract is to the machines. Throws INVALID_ARGUMENT for what a row cannot hold. */
export function descriptorOfMethod<D extends MethodDefinition>(method: ContractMethod<D>): MethodDescriptor {
  const descriptor = method[DESCRIPTOR];
  if (CARRIED.has(descriptor.kind)) return descriptor;
  throw new RpcError(
    "INVALID_ARGUMENT",
    `${descriptor.name} is of kind ${descriptor.kind}, which a command cannot be`,
    {
      reason: "CAPABILITY",
      delivered: "no",
    },
  );
}

export function isContract(value: unknown): value is Contract {
  return typeof value === "object" && value !== null && DESCRIPTOR in value;
}

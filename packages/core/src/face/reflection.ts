import type { Contract, MethodDefinition } from "../words/contract.ts";
import type { ContractDescriptor, MessageShape, MethodKind } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { StandardSchema } from "../words/standard-schema.ts";
import type { Handler } from "../words/transport.ts";
import { schemaOf } from "../tools/own-schema.ts";
import { defineContract, type NoErrors, unary } from "./contract.ts";
import { createRouter } from "./router.ts";

/** What a server says about one contract. */
export interface ContractListing {
  readonly name: string;
  readonly doc: string | undefined;
  readonly methods: readonly MethodListing[];
}

export interface MethodListing {
  /** Short name; the full one has the contract's name and a dot in front. */
  readonly name: string;
  readonly kind: MethodKind;
  readonly doc: string | undefined;
  readonly idempotent: boolean;
  readonly timeoutMs: number | undefined;
  readonly errors: readonly string[];
  /** JSON schemas, where the validators can say one. */
  readonly input: unknown;
  readonly output: unknown;
}

/** Lists what a server serves: data to print and to call dynamically, never code. */
export const Reflection: Contract<{
  readonly listContracts: MethodDefinition<"unary", undefined, StandardSchema<readonly string[]>, undefined, NoErrors>;
  readonly describe: MethodDefinition<
    "unary",
    StandardSchema<string>,
    StandardSchema<ContractListing>,
    undefined,
    NoErrors
  >;
}> = defineContract("rpc.reflection.v1.Reflection", {
  listContracts: unary({ output: schemaOf(isList), idempotent: true, doc: "names of the contracts served here" }),
  describe: unary({
    input: schemaOf(isText),
    output: schemaOf(isListing),
    idempotent: true,
    doc: "one contract with its methods; input: its name",
  }),
});

/** Serves {@link Reflection} about other handlers: `mergeRouters(router, reflection(router))`. */
export function reflection(...handlers: readonly Handler[]): Handler {
  const contracts = new Map<string, ContractDescriptor>();
  for (const contract of handlers.flatMap((handler) => handler.contracts)) contracts.set(contract.name, contract);
  return createRouter(Reflection, {
    listContracts: () => [...contracts.keys()],
    describe: (name) => {
      const contract = contracts.get(name);
      if (contract === undefined)
        throw new RpcError("NOT_FOUND", "no contract of this name is served here", { reason: "CONTRACT_NOT_FOUND" });
      return listingOf(contract);
    },
  });
}

function listingOf(contract: ContractDescriptor): ContractListing {
  const methods = [...contract.methods].map(([name, method]): MethodListing => {
    const { kind, doc, idempotent, timeoutMs } = method;
    const errors = [...method.errors.keys()];
    return {
      name,
      kind,
      doc,
      idempotent,
      timeoutMs,
      errors,
      input: jsonSchemaOf(method.input),
      output: jsonSchemaOf(method.output),
    };
  });
  return { name: contract.name, doc: contract.doc, methods };
}

function jsonSchemaOf(shape: MessageShape): unknown {
  try {
    return shape.jsonSchema?.();
  } catch {
    // A schema with parts that JSON schema cannot say (a transform, a function) has none.
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isListing(value: unknown): value is ContractListing {
  return (
    typeof value === "object" && value !== null && "name" in value && "methods" in value && Array.isArray(value.methods)
  );
}

import type { Contract, MethodDefinition } from "../words/contract.ts";
import type { StandardSchema } from "../words/standard-schema.ts";
import type { Handler } from "../words/transport.ts";
import { schemaOf } from "../tools/own-schema.ts";
import { defineContract, type NoErrors, unary } from "./contract.ts";
import { createRouter } from "./router.ts";

/** State of one contract: being served, served to running calls only, or not known here. */
export type HealthState = "SERVING" | "DRAINING" | "UNKNOWN";

/** Asks whether a server serves. */
export const Health: Contract<{
  readonly check: MethodDefinition<
    "unary",
    StandardSchema<string | undefined>,
    StandardSchema<HealthState>,
    undefined,
    NoErrors
  >;
}> = defineContract("rpc.health.v1.Health", {
  check: unary({
    input: schemaOf(isName),
    output: schemaOf(isState),
    idempotent: true,
    doc: "SERVING, DRAINING or UNKNOWN; input: a contract's name, or nothing for the server as a whole",
  }),
});

/** A health handler whose state the application sets. */
export interface HealthHandler extends Handler {
  /** Says that the application is going away, before its listeners do. */
  setDraining(draining: boolean): void;
}

/** Serves {@link Health} about other handlers: `mergeRouters(router, health(router))`. */
export function health(...handlers: readonly Handler[]): HealthHandler {
  const served = new Set(handlers.flatMap((handler) => handler.contracts.map((contract) => contract.name)));
  let draining = false;
  const router = createRouter(Health, {
    check: (name): HealthState => {
      if (name !== undefined && name !== "" && !served.has(name)) return "UNKNOWN";
      return draining ? "DRAINING" : "SERVING";
    },
  });
  return Object.assign(router, {
    setDraining: (value: boolean) => {
      draining = value;
    },
  });
}

function isName(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isState(value: unknown): value is HealthState {
  return value === "SERVING" || value === "DRAINING" || value === "UNKNOWN";
}

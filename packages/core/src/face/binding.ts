import type { Capabilities, Capability } from "../words/capabilities.ts";
import type { ContractDescriptor, MethodKind } from "../words/method.ts";
import { COPY, MADE_BY } from "../words/copy.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Transport } from "../words/transport.ts";
import { otherCopy } from "../tools/copies.ts";

/** What each kind of method needs of a transport. */
const NEEDS: Readonly<Record<MethodKind, Capability | undefined>> = {
  unary: undefined,
  serverStream: "serverStream",
  clientStream: "clientStream",
  bidiStream: "bidiStream",
  notification: "notify",
  event: "topics",
  job: "queue",
};

/** Throws FAILED_PRECONDITION, with the transport's own sentence, when a contract needs what a transport lacks. */
export function checkBinding(contract: ContractDescriptor, capabilities: Capabilities, endpoint: string): void {
  for (const method of contract.methods.values()) {
    const need = NEEDS[method.kind];
    const support = need === undefined ? undefined : capabilities[need];
    if (support === undefined || typeof support === "string" || support.bindable === true) continue;
    throw new RpcError(
      "FAILED_PRECONDITION",
      `${method.name} is of kind ${method.kind}, which ${endpoint} does not carry: ${support.unsupported}`,
      {
        reason: "CAPABILITY",
        details: { capability: need, method: method.name },
      },
    );
  }
}

/** Throws FAILED_PRECONDITION for a transport of another copy of this package: calls of this one would run inside that one's sessions. */
export function checkTransport(transport: Transport): void {
  if ((transport[MADE_BY] ?? COPY) !== COPY) throw otherCopy(`the transport to ${transport.endpoint}`);
}

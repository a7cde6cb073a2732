import type { Capabilities } from "../words/capabilities.ts";
import type { Clock } from "../words/clock.ts";
import { DESCRIPTOR } from "../words/contract.ts";
import type { ContractDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, PatternPorts } from "../words/transport.ts";
import { checkBinding } from "./binding.ts";
import { createPortClient } from "./client.ts";

/** Makes the clients behind `peer.client(contract)`. */
export function peerClientFactory(
  capabilities: Capabilities,
  endpoint: string,
  clock: Clock,
): (port: CallPort & PatternPorts, contract: object) => object {
  return (port, contract) => {
    const descriptor = (contract as { readonly [DESCRIPTOR]?: ContractDescriptor })[DESCRIPTOR];
    if (descriptor === undefined)
      throw new RpcError("INVALID_ARGUMENT", "peer.client() takes a contract of defineContract()", {
        reason: "INVALID_ARGUMENT",
      });
    checkBinding(descriptor, capabilities, endpoint);
    return createPortClient(descriptor, port, { clock });
  };
}

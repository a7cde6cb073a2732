import { RpcError } from "@rpc/core";
import { servingHalf, type SessionTransport } from "@rpc/core/transport";
import { parseEndpoint } from "../endpoint.ts";
import { transportOver } from "../transport.ts";
import { nodeConnect } from "./dial.ts";
import { nodeDialSettings, type WsTransportOptions } from "./options.ts";
import { capabilitiesOf } from "../options.ts";
import { nodeCrypto } from "./proofs.ts";

/**
 * A transport over WebSocket (`ws://host:port/path`, `wss://…`). Given several endpoints, the first dial tries them in this order. Later
 * ones do so in a ring, from the endpoint that was reached last; from the one behind it when no session came about there. Creating it connects
 * to nothing; the first call does. Throws INVALID_ARGUMENT for an endpoint or option that cannot be right.
 */
export function createWsTransport(
  endpoint: string | readonly string[],
  options: WsTransportOptions = {},
): SessionTransport {
  const texts = typeof endpoint === "string" ? [endpoint] : endpoint;
  const endpoints = texts.map((text) => parseEndpoint(text, "dial"));
  if (options.tls !== undefined && endpoints.every(({ scheme }) => scheme !== "wss")) {
    const message = "the option tls is set although no endpoint is encrypted; write wss:// or leave tls out";
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  const settings = nodeDialSettings(options);
  const extras = { capabilities: capabilitiesOf(options.compression), crypto: nodeCrypto, serving: servingHalf };
  return transportOver(endpoints, options, settings, nodeConnect(settings), extras);
}

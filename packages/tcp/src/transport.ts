import { RpcError } from "@rpc/core";
import { createSessionTransport, servingHalf, type SessionTransport } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { capabilitiesOf, compressionsOf } from "./compression.ts";
import { nodeCrypto } from "./proofs.ts";
import { dialInTurn } from "./dial.ts";
import { formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { dialSettings, type TcpTransportOptions } from "./options.ts";

/**
 * A transport over TCP (`tcp://host:port`), TLS (`tcps://host:port`) or a Unix socket (`unix:/path`). Given several endpoints, the
 * first dial tries them in this order. Later ones do so in a ring, from the endpoint that was reached last; from the one behind it when no
 * session came about there. Creating it connects to nothing; the first call does. Throws INVALID_ARGUMENT for an endpoint or option that
 * cannot be right.
 */
export function createTcpTransport(
  endpoint: string | readonly string[],
  options: TcpTransportOptions = {},
): SessionTransport {
  const texts = typeof endpoint === "string" ? [endpoint] : endpoint;
  const endpoints = texts.map((text) => parseEndpoint(text, "dial"));
  if (endpoints.length === 0) {
    throw new RpcError("INVALID_ARGUMENT", "the list of endpoints is empty", { reason: "INVALID_ARGUMENT" });
  }
  if (options.tls !== undefined && endpoints.every(({ scheme }) => scheme !== "tcps")) {
    const message = "the option tls is set although no endpoint is encrypted; write tcps:// or leave tls out";
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  const settings = dialSettings(options);
  return createSessionTransport({
    ...options,
    endpoint: endpoints.map(formatEndpoint).join(","),
    codec: protobufEnvelopeCodec,
    compressions: compressionsOf(options.compression),
    capabilities: capabilitiesOf(options.compression),
    crypto: nodeCrypto,
    serving: servingHalf,
    connectTimeoutMs: settings.connectTimeoutMs,
    dial: dialInTurn(endpoints, settings),
  });
}

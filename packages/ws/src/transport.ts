import { RpcError } from "@rpc/core";
import { createSessionTransport, type SessionTransport, type SessionTransportOptions } from "@rpc/core/transport";
import { type Connect, dialInTurn } from "./dial-in-turn.ts";
import { formatEndpoint, type WsEndpoint } from "./endpoint.ts";
import type { DialSettings, WsCallerOptions } from "./options.ts";

/** The calling half over endpoints that are read already; what only one platform has comes in `extras`. */
export function transportOver(
  endpoints: readonly WsEndpoint[],
  options: WsCallerOptions,
  settings: DialSettings,
  connect: Connect,
  extras: Pick<SessionTransportOptions, "capabilities" | "crypto" | "serving">,
): SessionTransport {
  if (endpoints.length === 0)
    throw new RpcError("INVALID_ARGUMENT", "the list of endpoints is empty", { reason: "INVALID_ARGUMENT" });
  return createSessionTransport({
    ...options,
    ...extras,
    endpoint: endpoints.map(formatEndpoint).join(","),
    codec: settings.codec,
    connectTimeoutMs: settings.connectTimeoutMs,
    dial: dialInTurn(endpoints, connect, settings),
  });
}

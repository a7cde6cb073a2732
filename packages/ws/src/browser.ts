/**
 * The door for browsers, behind the same name: the calling half over the platform's own WebSocket. Nothing of Node is behind it.
 */
import type { SessionTransport } from "@rpc/core/transport";
import { browserConnect } from "./browser/dial.ts";
import { parseEndpoint } from "./endpoint.ts";
import { capabilitiesOf, dialSettings, type WsCallerOptions } from "./options.ts";
import { transportOver } from "./transport.ts";

export type { WsCallerOptions } from "./options.ts";

/** Options of `createWsTransport` in a browser. */
export interface WsTransportOptions extends WsCallerOptions {}

/**
 * A transport over WebSocket: `ws://host:port/path`, `wss://…`, or `/path` on the host that the page came from. Given several endpoints,
 * the first dial tries them in this order. Creating it connects to nothing; the first call does. Throws INVALID_ARGUMENT for an endpoint or
 * option that cannot be right.
 */
export function createWsTransport(
  endpoint: string | readonly string[],
  options: WsTransportOptions = {},
): SessionTransport {
  const texts = typeof endpoint === "string" ? [endpoint] : endpoint;
  const endpoints = texts.map((text) => parseEndpoint(text.startsWith("/") ? onThisHost(text) : text, "dial"));
  const settings = dialSettings(options);
  return transportOver(endpoints, options, settings, browserConnect(settings), { capabilities: capabilitiesOf(false) });
}

function onThisHost(path: string): string {
  const { location } = globalThis as { readonly location?: { readonly protocol: string; readonly host: string } };
  if (location === undefined) return path;
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

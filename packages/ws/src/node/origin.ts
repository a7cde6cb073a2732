import type { IncomingMessage } from "node:http";
import { isLoopbackHost } from "../endpoint.ts";

/**
 * Whether the page behind an upgrade may connect (H145): browsers let every page open a WebSocket to every server, and tell the server which
 * page it is. Without a list it has to come from the host that it connects to. A request without an origin comes from no browser.
 */
export function mayConnect(request: IncomingMessage, origins: readonly string[] | "*" | undefined): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || origins === "*") return true;
  if (origins !== undefined) return origins.includes(origin);
  return isSameHost(origin, host, request.socket.localAddress ?? "");
}

function isSameHost(origin: string, host: string | undefined, localAddress: string): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  // The scheme is the page's: behind a TLS terminator this end does not see what the browser speaks.
  const page = new URL(origin);
  const asked = `${page.protocol}//${host}`;
  if (!URL.canParse(asked) || new URL(asked).host !== page.host) return false;
  // A name of a stranger's that resolves to this machine (DNS rebinding) is the same host on both sides: on loopback it must be a name of ours.
  return !isLoopbackHost(localAddress) || isLocalName(page.hostname);
}

function isLocalName(name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, "");
  return isLoopbackHost(bare) || bare.endsWith(".localhost");
}

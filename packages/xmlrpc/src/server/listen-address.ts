import { BlockList, isIP } from "node:net";
import { RpcError } from "@rpc/core";
import { DEFAULT_PATH } from "./options.ts";

/** Where a listener listens. */
export interface ListenAddress {
  readonly scheme: "http" | "https";
  /** Name or address; IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Reads an endpoint. Throws INVALID_ARGUMENT, without repeating a user or a password that somebody put there. */
export function listenAddress(endpoint: string): ListenAddress {
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    throw refused("it is no URL");
  }
  const { protocol, hostname, port, pathname, username, password, search, hash } = url;
  if (protocol !== "http:" && protocol !== "https:") throw refused(`the scheme ${protocol} is not one of them`);
  if (username !== "" || password !== "") throw refused("credentials are checked by the option authenticate");
  if (search !== "" || hash !== "") throw refused("it has a query or a fragment; settings are options");
  const scheme = protocol === "http:" ? "http" : "https";
  return {
    scheme,
    host: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
    port: port === "" ? (scheme === "http" ? 80 : 443) : Number(port),
    path: pathname === "/" ? DEFAULT_PATH : pathname,
  };
}

export function formatAddress({ scheme, host, port, path }: ListenAddress): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}

/** Whether only programs on this machine can reach it. Any name but `localhost` counts as public: who knows what it resolves to. */
export function isLoopback({ host }: ListenAddress): boolean {
  if (host.toLowerCase() === "localhost") return true;
  const family = isIP(host);
  return family !== 0 && LOOPBACK.check(host, family === 6 ? "ipv6" : "ipv4");
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function refused(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `endpoint must be http://host:port/path or https://host:port/path: ${what}`, {
    reason: "INVALID_ARGUMENT",
  });
}

import { RpcError } from "@rpc/core";

/** Where a channel leads: `ws://host:port/path`, or `wss://…` (TLS). Without a port it is 80 or 443, without a path `/`. */
export interface WsEndpoint {
  readonly scheme: "ws" | "wss";
  /** Name or address; IPv6 without its brackets. */
  readonly host: string;
  /** 0 asks a listener for any free port. */
  readonly port: number;
  /** Begins with a slash. */
  readonly path: string;
}

/**
 * Reads an endpoint. Throws INVALID_ARGUMENT for anything that is not wholly understood; the error names the part that is wrong
 * and never repeats user, password or parameter values, because people put secrets there (H39).
 */
export function parseEndpoint(text: string, use: "dial" | "listen"): WsEndpoint {
  const scheme = typeof text === "string" ? (SCHEME.exec(text)?.[0] ?? "").toLowerCase() : "";
  if (scheme === "") throw refused("this one names no scheme; did you mean ws://127.0.0.1:7000?");
  if (scheme !== "ws:" && scheme !== "wss:") throw refused(`the scheme ${scheme} is not one of this package`);
  if (!URL.canParse(text) || !AUTHORITY.test(text)) throw refused(`this ${scheme} endpoint has another form`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    throw refused("it names a user or a password, which belong into the options");
  if (/[?#]/.test(text)) throw refused(parameterIn(text));
  if (url.port === "0" && use === "dial")
    throw refused("port 0 is for listening; dial the port that the listener's endpoint tells");
  const secure = scheme === "wss:";
  return {
    scheme: secure ? "wss" : "ws",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: url.pathname,
  };
}

/** The endpoint as text, for messages, logs and dialing again. */
export function formatEndpoint({ scheme, host, port, path }: WsEndpoint): string {
  return `${scheme}://${formatAddress(host, port)}${path === "/" ? "" : path}`;
}

/** `host:port` with an IPv6 host in brackets and an IPv4 address that came in as IPv6 (`::ffff:10.0.0.1`) as IPv4. */
export function formatAddress(host: string, port: number): string {
  const plain = MAPPED_IPV4.exec(host)?.[1] ?? host;
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** Whether a host is this machine. A name other than `localhost` is not: who knows what it resolves to. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
// The URL class takes `ws:host` and `ws:\\host` as well.
const AUTHORITY = /^wss?:\/\/[^/\\]/i;
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost)$/i;

function parameterIn(text: string): string {
  const name = /\?([\w.-]{1,40})=/.exec(text)?.[1];
  return name === undefined
    ? "it holds a parameter or a fragment"
    : `the parameter "${name}" is unknown; settings are options`;
}

function refused(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `endpoint must be ws://host:port/path or wss://host:port/path: ${what}`, {
    reason: "INVALID_ARGUMENT",
  });
}

import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { RpcError } from "@rpc/core";

/**
 * Where a channel leads, in the three forms that this package speaks:
 * `tcp://host:port` · `tcps://host:port` (TLS) · `unix:/path`. A missing host is 127.0.0.1; IPv6 stands in brackets.
 */
export type TcpEndpoint = InternetEndpoint | UnixEndpoint;

/** A TCP port, with or without TLS. */
export interface InternetEndpoint {
  readonly scheme: "tcp" | "tcps";
  /** Name or address; IPv6 without its brackets. */
  readonly host: string;
  /** 0 asks a listener for any free port. */
  readonly port: number;
}

/** A Unix socket in the file system. */
interface UnixEndpoint {
  readonly scheme: "unix";
  readonly path: string;
}

/**
 * Reads an endpoint. Throws INVALID_ARGUMENT for anything that is not wholly understood; the error names the part that is wrong
 * and never repeats user, password or parameter values, because people put secrets there (H39).
 */
export function parseEndpoint(text: string, use: "dial" | "listen"): TcpEndpoint {
  const scheme = typeof text === "string" ? (SCHEME.exec(text)?.[0] ?? "").toLowerCase() : "";
  switch (scheme) {
    case "tcp:":
    case "tcps:":
      return internetEndpoint(scheme === "tcp:" ? "tcp" : "tcps", text.slice(scheme.length), use);
    case "unix:":
      return unixEndpoint(text.slice(scheme.length));
    case "":
      throw refused(`this one names no scheme; did you mean tcp://127.0.0.1:7000?`);
    default:
      throw refused(`the scheme ${scheme} is not one of this package`);
  }
}

/** The endpoint as text, for messages, logs and dialing again. */
export function formatEndpoint(endpoint: TcpEndpoint): string {
  if (endpoint.scheme === "unix") return `unix:${endpoint.path}`;
  return `${endpoint.scheme}://${formatAddress(endpoint.host, endpoint.port)}`;
}

/** `host:port` with an IPv6 host in brackets and an IPv4 address that came in as IPv6 (`::ffff:10.0.0.1`) as IPv4. */
export function formatAddress(host: string, port: number): string {
  const mapped = MAPPED_IPV4.exec(host)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return `${mapped}:${port}`;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only programs on this machine can reach a listener there. A name other than `localhost` counts as public: who knows what it resolves to. */
export function isLoopback(endpoint: TcpEndpoint): boolean {
  if (endpoint.scheme === "unix" || endpoint.host.toLowerCase() === "localhost") return true;
  const family = isIP(endpoint.host);
  return family !== 0 && LOOPBACK.check(endpoint.host, family === 6 ? "ipv6" : "ipv4");
}

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const MAPPED_IPV4 = /^::ffff:([\d.]+)$/i;
const AUTHORITY = /^\/\/(?:\[(?<ipv6>[^\][]*)\]|(?<host>[^:[\]]*))(?::(?<port>\d{1,5}))?\/?$/;
// Control characters, blanks and what separates the parts of other URLs; letters of all scripts may stand in a name.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const NO_HOST = /[\u0000-\u0020"#%/<>?@\\^`{|}\u007f]/;

// Linux has 108 bytes for the path of a Unix socket, macOS 104, each with a zero byte at the end.
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function internetEndpoint(scheme: "tcp" | "tcps", rest: string, use: "dial" | "listen"): InternetEndpoint {
  if (rest.includes("@")) throw refused("it names a user or a password, which belong into the options");
  refuseParameters(rest);
  const parts = AUTHORITY.exec(rest)?.groups;
  if (parts === undefined) throw refused(`this ${scheme}: endpoint has another form`);
  const { ipv6, host = "", port } = parts;
  if (ipv6 !== undefined && !isIPv6(ipv6)) throw refused("what stands in brackets is no IPv6 address");
  if (NO_HOST.test(host)) throw refused("the host holds a character that no host name has");
  if (port === undefined)
    throw refused(`the port is missing, as in ${scheme}://${ipv6 === undefined ? host : `[${ipv6}]`}:7000`);
  const number = Number(port);
  if (number > 65_535) throw refused(`the port ${port} is larger than 65535`);
  if (number === 0 && use === "dial")
    throw refused("port 0 is for listening; dial the port that the listener's endpoint tells");
  return { scheme, host: ipv6 ?? (host === "" ? "127.0.0.1" : host), port: number };
}

function unixEndpoint(rest: string): UnixEndpoint {
  refuseParameters(rest);
  // unix:///path is the same as unix:/path; a host in front of the path means nothing here.
  const path = rest.startsWith("///") ? rest.slice(2) : rest;
  if (path === "" || path.endsWith("/") || path.startsWith("//"))
    throw refused("the path of the socket file is missing");
  if (path.includes("\0")) throw refused("the path holds a zero byte");
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES)
    throw refused(`the path has ${length} bytes and the system takes ${MAX_PATH_BYTES}; choose a shorter folder`);
  return { scheme: "unix", path };
}

function refuseParameters(rest: string): void {
  const start = rest.search(/[?#]/);
  if (start < 0) return;
  const name = /^\?([\w.-]{1,40})=/.exec(rest.slice(start))?.[1];
  throw refused(
    name === undefined
      ? "it holds a parameter or a fragment"
      : `the parameter "${name}" is unknown; settings are options`,
  );
}

function refused(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `endpoint must be tcp://host:port, tcps://host:port or unix:/path: ${what}`, {
    reason: "INVALID_ARGUMENT",
  });
}

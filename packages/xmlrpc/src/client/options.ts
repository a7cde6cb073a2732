import { validateHeaderName, validateHeaderValue } from "node:http";
import type { AgentOptions } from "node:https";
import { type Clock, systemClock } from "@rpc/core";
import { refused, wholeNumber } from "../errors.ts";
import type { DocumentOptions, ProfileName } from "../profiles.ts";

/** What stands behind the URL: XML-RPC (the default), JSON-RPC 2.0 at the same URL, or the facade `POST /json/2/<model>/<method>`. */
export type XmlRpcProtocol = "xml-rpc" | "json-rpc" | "json-2";

/** What becomes of an input: see {@link XmlRpcTransportOptions.params}. */
export type XmlRpcParamsForm = "struct" | "positional" | "kwargs";

/** What every request shows: a user with a password or an API key, or a bearer token, asked for at each request when it is a function. */
export type XmlRpcAuth =
  | { readonly user: string; readonly password: string }
  | { readonly token: string | (() => string) };

/** How TLS proves the server, and this end to it. */
export interface XmlRpcTlsOptions extends Pick<AgentOptions, "ca" | "cert" | "key" | "passphrase" | "minVersion"> {
  /** Name to expect in the certificate, where it is not the URL's host. */
  readonly servername?: string | undefined;
  /** Default: true. Without it anybody may stand in between. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** Options of `createXmlRpcTransport`. */
export interface XmlRpcTransportOptions {
  /** Default: `xml-rpc`. */
  readonly protocol?: XmlRpcProtocol | undefined;
  /** The dialect. Default: `lenient`. */
  readonly profile?: ProfileName | undefined;
  /** How XML-RPC documents are written and read, in detail. Dates are read as `Date` unless it says otherwise. */
  readonly document?: DocumentOptions | undefined;
  /** Default: the user and password that stand in the URL, if any. */
  readonly auth?: XmlRpcAuth | undefined;
  /** How long a call may take that has no deadline of its own. Default: as long as it takes. */
  readonly timeoutMs?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Connections at the same time; further calls wait for one of them. Default: 64. */
  readonly maxConnections?: number | undefined;
  /**
   * How long a connection may lie idle before it is closed. Shorter than at the server, so that no call is sent into a connection that is
   * about to end; a server that says its own time is believed. Default: 4,000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** Largest reply, counted after decompression. Default: 20 MiB. */
  readonly maxReplyBytes?: number | undefined;
  /** Most that the headers of a call's metadata may take, encoded; servers take 8 to 16 KiB of headers in all. Default: 12 KiB. */
  readonly maxMetadataBytes?: number | undefined;
  /** Asks for compressed replies. It costs time on both ends. Default: false. */
  readonly gzip?: boolean | undefined;
  /** Compresses requests from this size on; 0: never, since few foreign servers take it. Default: 0. */
  readonly gzipRequestsFromBytes?: number | undefined;
  /**
   * `auto`: calls made in one turn of the event loop travel as one `system.multicall` (JSON-RPC: one batch). A call with metadata or an
   * idempotency key travels alone. Default: `off`.
   */
  readonly multicall?: "auto" | "off" | undefined;
  /** Most calls in one multicall or batch; more are sent in several. Default: 1,000. */
  readonly maxCallsPerBatch?: number | undefined;
  /**
   * What becomes of an input. `struct`: the one parameter. `positional`: a list is the parameters, a record gives its fields in the order of
   * the contract (without one: in its own order), for foreign servers. `kwargs`: a record is the arguments by name of a database's method,
   * `[{ kwargs: input }]`, any other input its one argument, `[{ args: [input] }]`; in JSON-2, where all arguments have names, as `struct`.
   * Default: `struct`.
   */
  readonly params?: XmlRpcParamsForm | undefined;
  /** JSON-2: the database, where it stands neither in the path nor in `?db=`. */
  readonly database?: string | undefined;
  readonly tls?: XmlRpcTlsOptions | undefined;
  /** Where deadlines come from. Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

/** Where to, and what every request shows. */
export interface Target {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly url: URL;
  /** For messages and logs: the URL without credentials and query. */
  readonly endpoint: string;
  /** The value of `Authorization`, asked for at each request. */
  readonly authorization: (() => string) | undefined;
}

/** Options with their defaults. */
export interface ClientSettings {
  readonly protocol: XmlRpcProtocol;
  readonly timeoutMs: number | undefined;
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly maxReplyBytes: number;
  readonly maxMetadataBytes: number;
  readonly gzip: boolean;
  readonly gzipRequestsFromBytes: number;
  readonly batches: boolean;
  readonly maxCallsPerBatch: number;
  readonly params: XmlRpcParamsForm;
  readonly tls: XmlRpcTlsOptions | undefined;
  readonly document: DocumentOptions;
  readonly headers: readonly string[];
  readonly clock: Clock;
}

/** Fills in the defaults. Throws INVALID_ARGUMENT for what makes no sense. */
export function clientSettings(options: XmlRpcTransportOptions): ClientSettings {
  const { protocol = "xml-rpc", timeoutMs, multicall = "off", params = "struct" } = options;
  oneOf("protocol", protocol, ["xml-rpc", "json-rpc", "json-2"]);
  oneOf("multicall", multicall, ["auto", "off"]);
  oneOf("params", params, ["struct", "positional", "kwargs"]);
  return {
    protocol,
    timeoutMs: timeoutMs === undefined ? undefined : wholeNumber("timeoutMs", timeoutMs, 1, 1),
    maxConnections: wholeNumber("maxConnections", options.maxConnections, 64, 1),
    idleTimeoutMs: wholeNumber("idleTimeoutMs", options.idleTimeoutMs, 4_000, 1),
    maxReplyBytes: wholeNumber("maxReplyBytes", options.maxReplyBytes, 20 * 1024 * 1024),
    maxMetadataBytes: wholeNumber("maxMetadataBytes", options.maxMetadataBytes, 12 * 1024),
    gzip: options.gzip ?? false,
    gzipRequestsFromBytes: wholeNumber("gzipRequestsFromBytes", options.gzipRequestsFromBytes, 0),
    batches: multicall === "auto" && protocol !== "json-2",
    maxCallsPerBatch: wholeNumber("maxCallsPerBatch", options.maxCallsPerBatch, 1_000, 1),
    params: params === "kwargs" && protocol === "json-2" ? "struct" : params,
    tls: options.tls,
    document: documentOptions(options),
    headers: checkedHeaders(options.headers ?? {}),
    clock: options.clock ?? systemClock,
  };
}

/** A reply is bounded by its bytes; one text in it needs no bound of its own. */
function documentOptions({
  profile,
  document,
  maxReplyBytes = 20 * 1024 * 1024,
}: XmlRpcTransportOptions): DocumentOptions {
  const limits = { maxTextLength: maxReplyBytes, ...document?.limits };
  return { dates: "date", profile, ...document, limits };
}

/** What requests consist of, and what this package sets by itself. */
const OUR_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "accept-encoding",
  "expect",
]);

function checkedHeaders(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (OUR_HEADERS.has(name.toLowerCase())) throw refused(`option headers: ${name} is set by the transport itself`);
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      if (!isAscii(value)) throw refused("");
    } catch {
      // Not quoted: the value may be a key.
      throw refused(`option headers: ${JSON.stringify(name.slice(0, 80))} or its value cannot stand in a header`);
    }
    return [name, value];
  });
}

/** Takes a URL apart. Throws INVALID_ARGUMENT; the message never holds the user or the password. */
export function targetOf(text: string, options: XmlRpcTransportOptions): Target {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // Not quoted: whoever mistypes a URL mistypes the part with the password as well.
    throw refused("the URL of an XML-RPC server cannot be read; write it like https://user:key@host/RPC2?db=name");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    // Not quoted: of `user:key@host` without a scheme it is the user.
    throw refused("the URL of an XML-RPC server must begin with http:// or https://");
  }
  if (url.hash !== "") throw refused("the URL of an XML-RPC server must not have a fragment (#…)");
  const secure = url.protocol === "https:";
  if (options.tls !== undefined && !secure)
    throw refused("the option tls is set although the URL is not encrypted; write https:// or leave tls out");
  const authorization = authorizationOf(url, options.auth);
  url.username = "";
  url.password = "";
  return {
    secure,
    host: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: url.pathname + url.search,
    url,
    endpoint: `${url.origin}${url.pathname}`,
    authorization,
  };
}

function authorizationOf(url: URL, auth: XmlRpcAuth | undefined): (() => string) | undefined {
  if (auth === undefined) {
    if (url.username === "" && url.password === "") return undefined;
    return constant(basic(unescaped(url.username), unescaped(url.password)));
  }
  if ("token" in auth) {
    const { token } = auth;
    if (typeof token === "function") return () => `Bearer ${checkedToken(token())}`;
    return constant(`Bearer ${checkedToken(token)}`);
  }
  return constant(basic(auth.user, auth.password));
}

function constant(value: string): () => string {
  return () => value;
}

function basic(user: string, password: string): string {
  if (typeof user !== "string" || typeof password !== "string")
    throw refused("option auth must be { user, password } or { token }");
  // RFC 7617: the first colon ends the name.
  if (user.includes(":")) throw refused("option auth: a user's name must not have a colon");
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}

function checkedToken(token: unknown): string {
  if (typeof token === "string" && /^[!-~]+$/.test(token)) return token;
  throw refused("option auth: a token must be printable ASCII without blanks, and not empty");
}

function isAscii(text: string): boolean {
  return /^[\t -~]*$/.test(text);
}

/** Percent-decoding of a part of a URL; what is no encoding stays as it is. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function oneOf(name: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw refused(`option ${name} must be one of ${words.join(", ")}, got ${value}`);
}

import { RpcError, type StatusCode } from "@rpc/core";

/** What an answer without a fault means, by its HTTP status. Below 200 and 2xx are handled by who reads the body. */
const BY_STATUS: ReadonlyMap<number, readonly [StatusCode, string]> = new Map<number, readonly [StatusCode, string]>([
  [400, ["INTERNAL", "PROTOCOL"]],
  [401, ["UNAUTHENTICATED", "UNAUTHENTICATED"]],
  [403, ["PERMISSION_DENIED", "FORBIDDEN"]],
  [404, ["UNIMPLEMENTED", "NO_ENDPOINT"]],
  [405, ["UNIMPLEMENTED", "NO_ENDPOINT"]],
  [408, ["UNAVAILABLE", "UNAVAILABLE"]],
  [411, ["INTERNAL", "PROTOCOL"]],
  [413, ["RESOURCE_EXHAUSTED", "maxMessageBytes"]],
  [415, ["UNIMPLEMENTED", "PROTOCOL"]],
  [429, ["UNAVAILABLE", "RATE_LIMIT"]],
  [431, ["RESOURCE_EXHAUSTED", "maxMetadataBytes"]],
  [501, ["UNIMPLEMENTED", "NO_ENDPOINT"]],
  [502, ["UNAVAILABLE", "BAD_GATEWAY"]],
  [503, ["UNAVAILABLE", "UNAVAILABLE"]],
  [504, ["UNAVAILABLE", "GATEWAY_TIMEOUT"]],
]);

/** The server, or something in front of it, refused before any handler ran. */
const NOT_RUN: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 411, 413, 415, 429, 431, 501]);

/** Longest text of a plain answer that goes into a message. */
const MAX_TEXT_LENGTH = 200;

/** The error of a call that was answered by HTTP alone, without a fault. */
export function errorOfStatus(
  method: string,
  endpoint: string,
  status: number,
  location: string,
  text: string,
): RpcError {
  if (status >= 300 && status < 400) {
    const to = location === "" ? "" : ` to ${withoutCredentials(location)}`;
    const message = `${method}: ${endpoint} redirects${to}, and calls are not sent on; use the address itself`;
    return new RpcError("INTERNAL", message, { reason: "REDIRECT", delivered: "no", details: { status } });
  }
  const code = codeOfStatus(status);
  const reason = BY_STATUS.get(status)?.[1] ?? "HTTP";
  const said = text === "" ? "" : `: ${text}`;
  return new RpcError(code, `${method}: ${endpoint} answered with HTTP ${status}${said}`, {
    reason,
    delivered: NOT_RUN.has(status) ? "no" : "unknown",
    details: { status },
  });
}

/** The status code that an HTTP status stands for. */
export function codeOfStatus(status: number): StatusCode {
  return BY_STATUS.get(status)?.[0] ?? (status >= 500 ? "INTERNAL" : "UNKNOWN");
}

/** What a plain answer says, for a message: nothing of HTML, and no control characters. */
export function plainText(contentType: string, body: Uint8Array): string {
  if (!contentType.startsWith("text/plain")) return "";
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, MAX_TEXT_LENGTH * 4)).toString("utf8");
  return onOneLine(text);
}

function onOneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
}

/** Errors of Node that come before anything has left. */
const NOT_REACHED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ENOENT",
  "EMFILE",
]);

/** The error of a call whose connection failed. `sent`: the whole request may have left. */
export function errorOfConnection(method: string, endpoint: string, error: Error, sent: boolean): RpcError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const delivered = sent && !NOT_REACHED.has(code) ? "unknown" : "no";
  // OpenSSL ends its texts with a line feed.
  const text = onOneLine(error.message);
  const what = isCertificateError(code) ? `cannot be trusted (${text})` : `is lost (${text})`;
  const reached = NOT_REACHED.has(code) ? `cannot be reached (${code})` : what;
  return new RpcError("UNAVAILABLE", `${method}: ${endpoint} ${reached}`, {
    reason: NOT_REACHED.has(code) ? "UNAVAILABLE" : "PEER_LOST",
    delivered,
    cause: error,
    // The certificate will be the same the next time.
    ...(isCertificateError(code) ? { retryable: false } : {}),
  });
}

function isCertificateError(code: string): boolean {
  return (
    code.startsWith("ERR_TLS_") ||
    code.startsWith("CERT_") ||
    code.includes("SELF_SIGNED") ||
    code.startsWith("UNABLE_TO_")
  );
}

function withoutCredentials(location: string): string {
  const end = location.search(/[?#]/);
  const bare = (end < 0 ? location : location.slice(0, end)).replace(/\/\/[^/]*@/, "//");
  return JSON.stringify(bare.slice(0, MAX_TEXT_LENGTH));
}

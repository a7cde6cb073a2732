import type { Metadata } from "@rpc/core";

/** Headers of ours, in lower case. Foreign peers neither send nor miss them. */
export const Header = {
  /** What is left of the call's time, in whole milliseconds. */
  timeout: "x-rpc-timeout-ms",
  idempotencyKey: "idempotency-key",
  /** The caller's id of the call, when it reads it; for the logs of both ends. */
  callId: "x-rpc-call-id",
  /** How many calls lie between this one and the first caller; left out at 0. */
  depth: "x-rpc-depth",
  /** Random for each process of a caller, 32 hex digits: whose idempotency keys are whose, where nobody proves who it is. */
  instanceId: "x-rpc-instance-id",
  /** 1 on a reply whose output is undefined: XML-RPC has no word for it and sends nil, JSON null. */
  noOutput: "x-rpc-no-output",
  /** Begins the name of each header that carries metadata: `x-rpc-meta-` and the key. */
  metadata: "x-rpc-meta-",
} as const;

/** Metadata that is a header of its own, because the whole world knows it by that name: W3C trace context. */
const OWN_NAME: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

/**
 * Metadata as header names and values, appended to `headers`. Keys are HTTP tokens already. Headers carry printable ASCII: everything else in a
 * value, and `%`, is percent-encoded as UTF-8, and so are blanks at either end, which HTTP would cut.
 */
export function appendMetadata(headers: string[], metadata: Metadata): void {
  for (const [key, value] of metadata) {
    if (OWN_NAME.has(key)) headers.push(key, encoded(value));
    else headers.push(Header.metadata + key, encoded(value));
  }
}

/** Metadata out of headers, given as Node's `rawHeaders` or any list of names and values in turn. What breaks the rules is left out. */
export function readMetadata(headers: readonly string[], metadata: Metadata): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const key = metadataKey((headers[i] ?? "").toLowerCase());
    if (key === undefined) continue;
    try {
      metadata.append(key, decoded(headers[i + 1] ?? ""));
    } catch {
      // Control characters, lone surrogates: data of a peer, never worth the call.
    }
  }
}

/** The key of the metadata that a header (lower case) carries; undefined: none. */
export function metadataKey(name: string): string | undefined {
  if (name.startsWith(Header.metadata)) return name.length > Header.metadata.length ? name.slice(11) : undefined;
  return OWN_NAME.has(name) ? name : undefined;
}

const PLAIN = /^(?! )[ -$&-~]*(?<! )$/;
const OTHERS = /[^ -$&-~]+|^ +| +$/g;

function encoded(value: string): string {
  if (PLAIN.test(value)) return value;
  // encodeURIComponent leaves some ASCII as it is, but none that OTHERS can match besides "%", blanks and what is not printable.
  return value.toWellFormed().replace(OTHERS, (text) => encodeURIComponent(text));
}

function decoded(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    // Somebody who does not encode, and means the sign itself.
    return value;
  }
}

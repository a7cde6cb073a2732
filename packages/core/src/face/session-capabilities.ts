import type { Capabilities } from "../words/capabilities.ts";
import type { Compression } from "../words/compression.ts";
import type { SessionLimits } from "../words/limits.ts";

/** What every channel gets from the session. A transport package passes its own differences on top. */
const SESSION_CAPABILITIES: Capabilities = Object.freeze({
  duplex: "native",
  notify: "native",
  serverStream: "native",
  clientStream: "native",
  bidiStream: "native",
  progress: "native",
  cancel: "propagated",
  deadline: "propagated",
  metadata: "native",
  ordering: "per-peer",
  heartbeat: "native",
  reconnect: "native",
  resume: "native",
  authentication: "native",
  compression: { unsupported: "messages are not compressed; compress large fields yourself" },
  batch: { unsupported: "calls made in one tick already leave in one write; there is no batch to build" },
  replyCache: "native",
  topics: "volatile",
  queue: "volatile",
  broadcast: "native",
  transactional: { unsupported: "a socket takes part in no database transaction; use a database queue" },
});

const NO_RESUME = "a call in flight does not survive a lost connection, because resumeWindowMs is 0";

/** What a transport can do with these options. */
export function sessionCapabilities(
  limits: SessionLimits,
  compressions: readonly Compression[] = [],
  differences: Partial<Capabilities> = {},
): Capabilities {
  return {
    ...SESSION_CAPABILITIES,
    ...(limits.resumeWindowMs === 0 ? { resume: { unsupported: NO_RESUME } } : {}),
    ...(compressions.length > 0 ? { compression: "native" as const } : {}),
    ...differences,
  };
}

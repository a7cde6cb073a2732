import type { Capabilities } from "@rpc/core";

const NO_STREAMS = "HTTP carries one input and one output per call; ask for pages, or use a WebSocket or TCP transport";
const NO_COMPRESSION = "messages are not compressed, because the option gzip is off";

/** What XML-RPC, JSON-RPC and JSON-2 over HTTP carry, the same at both ends. */
export function capabilitiesOf(gzip: boolean): Capabilities {
  return gzip ? { ...CAPABILITIES, compression: "native" } : CAPABILITIES;
}

const CAPABILITIES: Capabilities = Object.freeze({
  duplex: { unsupported: "the server cannot call over HTTP; pair it with the database queue, by which it calls back" },
  notify: "emulated",
  serverStream: { unsupported: NO_STREAMS },
  clientStream: { unsupported: NO_STREAMS },
  bidiStream: { unsupported: NO_STREAMS },
  progress: { unsupported: "nothing comes back before the reply; let the caller ask for the state by a second method" },
  cancel: "propagated",
  deadline: "propagated",
  metadata: "native",
  ordering: { unsupported: "calls travel over several connections; wait for one before you make the next" },
  heartbeat: { unsupported: "there is no session to keep alive; set timeoutMs" },
  reconnect: "native",
  resume: { unsupported: "a call in flight is lost with its connection; make methods idempotent and use withRetry" },
  authentication: "native",
  compression: { unsupported: NO_COMPRESSION },
  batch: "native",
  replyCache: "native",
  topics: { unsupported: "the server cannot push events; pair it with the database queue" },
  queue: { unsupported: "there is no queue behind HTTP; use the database queue" },
  broadcast: { unsupported: "the server knows no peers that it could call; pair it with the database queue" },
  transactional: { unsupported: "HTTP takes part in no database transaction; use the database queue" },
});

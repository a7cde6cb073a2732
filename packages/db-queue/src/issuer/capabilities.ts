import type { Capabilities } from "@rpc/core";

const NO_STREAMS =
  "a row holds one input and one output; report progress and log lines, or use a TCP or WebSocket transport beside the queue";

/** What calls through a table can do. */
export const CAPABILITIES: Capabilities = Object.freeze({
  duplex: {
    unsupported:
      "an agent cannot call whoever issued its command; pair the queue with another transport, by which it calls back",
  },
  notify: "native",
  serverStream: { unsupported: NO_STREAMS },
  clientStream: { unsupported: NO_STREAMS },
  bidiStream: { unsupported: NO_STREAMS },
  progress: "native",
  cancel: "propagated",
  deadline: "propagated",
  metadata: "native",
  ordering: {
    unsupported:
      "several agents, and several calls at once, share an address; give what must stay in order an orderingKey",
  },
  heartbeat: {
    unsupported: "a call has no connection to keep alive; agents renew leases, and a lost one ends the call",
  },
  reconnect: { unsupported: "a call has no connection; the store finds its database again by itself" },
  resume: {
    unsupported: "a call has no connection to lose; it waits in the table, and handle(id) finds its outcome again",
  },
  authentication: {
    unsupported: "whoever may write to the tables may issue; give each program its own login of the database",
  },
  compression: { unsupported: "rows are not compressed here; the database does it where it can" },
  batch: { unsupported: "there are no batches to make by hand; what one turn issues is inserted together" },
  replyCache: "native",
  topics: { unsupported: "events need somebody who listens now; publish them over TCP or WebSocket" },
  queue: {
    unsupported:
      "jobs are submitted here as commands, and consumed by serving them with serveDbQueue, not by a consumer of a client",
    bindable: true,
  },
  broadcast: { unsupported: "a client of one address calls one agent; use broadcast() of the queue" },
  transactional: "native",
});

import type { Capabilities } from "@rpc/core";

const ONE_REPLY = "MDP 0.1 has one reply to a request; use the dialect mdp02, which has many, or ask for pages";
const ONE_REQUEST = "a request is one message; send a list, or use TCP or WebSocket";

/** What Majordomo carries, the same at both ends. `partial`: whether MDP 0.2 is spoken, with its partial replies. */
export function capabilitiesOf(partial: boolean): Capabilities {
  return partial ? WITH_PARTIAL_REPLIES : CAPABILITIES;
}

const CAPABILITIES: Capabilities = Object.freeze({
  duplex: { unsupported: "a broker sends requests to workers alone; let the caller be a worker of its own service" },
  notify: "emulated",
  serverStream: { unsupported: ONE_REPLY },
  clientStream: { unsupported: ONE_REQUEST },
  bidiStream: { unsupported: ONE_REQUEST },
  progress: { unsupported: "nothing comes back before the reply; let the worker publish how far it is" },
  cancel: "local",
  deadline: "propagated",
  metadata: "emulated",
  ordering: { unsupported: "requests go to whichever worker is free; wait for one before you make the next" },
  heartbeat: { unsupported: "broker and workers watch each other, and nobody watches clients; set timeoutMs" },
  reconnect: "native",
  resume: { unsupported: "a call in flight is lost with its connection; make methods idempotent and use withRetry" },
  authentication: {
    unsupported: "the broker knows who asks (CURVE, PLAIN) and decides by that; workers are not told",
  },
  compression: { unsupported: "ZeroMQ does not compress" },
  batch: { unsupported: "each call is a request of its own" },
  replyCache: "native",
  topics: { unsupported: "events go over a forwarder and not over the broker; set the option events" },
  queue: { unsupported: "requests wait at the broker only until their deadlines; use Titanic, or the database queue" },
  broadcast: { unsupported: "a request goes to one worker; publish an event over a forwarder" },
  transactional: { unsupported: "a broker takes part in no database transaction; use the database queue" },
});

const WITH_PARTIAL_REPLIES: Capabilities = Object.freeze({ ...CAPABILITIES, serverStream: "emulated" });

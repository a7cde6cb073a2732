import type { CloseOptions, Handler } from "../words/transport.ts";
import { createMemoryChannelPair } from "../machines/memory-channel.ts";
import { jsonEnvelopeCodec } from "../tools/json-envelope-codec.ts";
import { servingHalf } from "./serving.ts";
import { createSessionListener, type SessionListener } from "./session-listener.ts";
import { createSessionTransport, type SessionTransport, type SessionTransportOptions } from "./session-transport.ts";

export type MemoryTransportOptions = Omit<SessionTransportOptions, "endpoint" | "dial" | "codec" | "serving">;

/** A transport inside this process, and its listening half. */
export interface MemoryTransport extends SessionTransport {
  readonly listener: SessionListener;
}

const NO_PROOF = "both ends are made in one place from the same options, so there is nobody to prove anything to";

/**
 * Client and server in one process, without a network: for tests, and to try things out. Values are encoded and decoded as on every wire,
 * so that what works here works there. Closing it closes both halves.
 */
export function createMemoryTransport(router: Handler, options: MemoryTransportOptions = {}): MemoryTransport {
  const { serve, ...given } = options;
  // Nothing can get lost between the two ends, and a heartbeat's timer would keep a program from ending.
  const capabilities = { authentication: { unsupported: NO_PROOF }, ...given.capabilities };
  const shared = { heartbeatMs: 0, resumeWindowMs: 0, ...given, capabilities };
  const endpoint = "memory:";
  const codec = jsonEnvelopeCodec;
  const listener = createSessionListener({
    ...shared,
    endpoint,
    codec,
    handler: router,
    stopAccepting: () => Promise.resolve(),
  });
  const transport = createSessionTransport({
    ...shared,
    serve,
    serving: servingHalf,
    endpoint,
    codec,
    dial: () => {
      const [near, far] = createMemoryChannelPair();
      listener.accept(far);
      return Promise.resolve(near);
    },
  });
  const closeCaller = transport.close.bind(transport);
  const close = async (closeOptions?: CloseOptions): Promise<void> => {
    await closeCaller(closeOptions);
    await listener.close(closeOptions);
  };
  return Object.assign(transport, { listener, close, [Symbol.asyncDispose]: () => close() });
}

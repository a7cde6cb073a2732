import { onTestFinished } from "vitest";
import { type Handler, RpcError } from "../src/index.ts";
import {
  type Channel,
  createMemoryChannelPair,
  createSessionListener,
  createSessionTransport,
  jsonEnvelopeCodec,
  type SessionListener,
  type SessionListenerOptions,
  type SessionTransport,
  type SessionTransportOptions,
} from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";

/** A transport and a listener with a wire between them that a test can cut. */
export interface Resumable {
  readonly clock: FakeClock;
  readonly transport: SessionTransport;
  listener: SessionListener;
  readonly errors: RpcError[];
  /** What has happened to the transport and to the listener's peers, in order. */
  readonly events: string[];
  /** Pairs of channels so far, the dialing end first. */
  readonly links: (readonly [Channel, Channel])[];
  /** While it is true nobody answers a dial. */
  down: boolean;
  /** Cuts the newest connection at both ends; settles when both know. */
  cut(): Promise<void>;
  /** A server that knows nothing of the old one takes its place. */
  restart(): Promise<void>;
}

export function resumable(
  handler: Handler,
  options: {
    readonly listener?: Partial<SessionListenerOptions>;
    readonly transport?: Partial<SessionTransportOptions>;
    /** Puts something between a new channel and its session. */
    readonly dress?: (channel: Channel, side: "dialing" | "accepting") => Channel;
  } = {},
): Resumable {
  const clock = new FakeClock();
  const errors: RpcError[] = [];
  const events: string[] = [];
  const links: (readonly [Channel, Channel])[] = [];
  const onError = (error: RpcError): void => void errors.push(error);
  const shared = { codec: jsonEnvelopeCodec, clock, onError, heartbeatMs: 0 };
  const listen = (): SessionListener => {
    const listener = createSessionListener({
      ...shared,
      endpoint: "memory:server",
      handler,
      stopAccepting: () => Promise.resolve(),
      ...options.listener,
    });
    listener.on("client-connected", () => events.push("client-connected"));
    listener.on("client-suspended", () => events.push("client-suspended"));
    listener.on("client-resumed", () => events.push("client-resumed"));
    listener.on("client-disconnected", () => events.push("client-disconnected"));
    listener.on("client-refused", () => events.push("client-refused"));
    return listener;
  };
  const rig: Resumable = {
    clock,
    errors,
    events,
    links,
    down: false,
    listener: listen(),
    transport: createSessionTransport({
      ...shared,
      endpoint: "memory:client",
      dial: () => {
        if (rig.down) return Promise.reject(new RpcError("UNAVAILABLE", "nobody there", { delivered: "no" }));
        const dress = options.dress ?? ((channel: Channel) => channel);
        const [near, far] = createMemoryChannelPair();
        links.push([near, far]);
        rig.listener.accept(dress(far, "accepting"));
        return Promise.resolve(dress(near, "dialing"));
      },
      ...options.transport,
    }),
    cut: () => {
      const [near, far] = links.at(-1) ?? [];
      near?.destroy?.();
      far?.destroy?.();
      return settled();
    },
    restart: async () => {
      const old = rig.listener;
      rig.down = true;
      await rig.cut();
      rig.listener = listen();
      rig.down = false;
      await old.close();
    },
  };
  for (const event of ["connected", "suspended", "resumed", "disconnected"] as const)
    rig.transport.on(event, () => events.push(event));
  onTestFinished(async () => {
    await rig.transport.close();
    await rig.listener.close();
  });
  return rig;
}

/** Lets time pass, a tenth of a second at a time, until a promise has settled. */
export async function whileTimePasses<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  const state = { isSettled: false };
  const done = (): void => void (state.isSettled = true);
  promise.then(done, done);
  for (let step = 0; step < 1_000 && !state.isSettled; step++) {
    await settled();
    await clock.advance(100);
  }
  return promise;
}

/** A channel around a channel, some of whose members are others. */
export function wrapped(inner: Channel, others: Partial<Channel>): Channel {
  return {
    remote: inner.remote,
    security: inner.security,
    open: (sink) => inner.open(sink),
    send: (message, transfer) => inner.send(message, transfer),
    close: (reason) => inner.close(reason),
    destroy: (reason) => inner.destroy?.(reason),
    pause: () => inner.pause?.(),
    resume: () => inner.resume?.(),
    limitMessageBytes: (bytes) => inner.limitMessageBytes?.(bytes),
    ...others,
  };
}

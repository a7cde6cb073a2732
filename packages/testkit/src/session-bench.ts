import type {
  CallerSessionOptions,
  Channel,
  Handler,
  Listener,
  ListenerSessionOptions,
  SessionLimits,
  SessionListenerOptions,
  SessionTransportOptions,
  Transport,
} from "@rpc/core/transport";
import { createSessionListener, createSessionTransport } from "@rpc/core/transport";
import { CHANNEL_MESSAGE_LIMIT, type ChannelPair } from "./channel-bench.ts";
import type { Fault } from "./faults.ts";
import { createRawPeer, type RawPeer } from "./raw-peer.ts";
import type { TransportBench, Wire } from "./transport-bench.ts";

/** A bench whose transport rests on a channel. */
export type WireBench = TransportBench & { readonly wire: Wire };

const ENDPOINT = "wire:testkit";
const keep: Fault = (channel) => channel;

/** A pair of channels on the transport's own wire, closed at the end of the case. */
export async function connectWire(bench: WireBench): Promise<ChannelPair> {
  const pair = await bench.wire.connect({ clock: bench.clock, maxMessageBytes: CHANNEL_MESSAGE_LIMIT });
  bench.defer(() => pair.close());
  return pair;
}

/** A listener that takes the channels which a case hands to it. */
export interface WireListener {
  readonly listener: Listener;
  accept(channel: Channel): void;
  readonly errors: unknown[];
}

/** What a case may say about such a listener. */
export type WireListenerOptions = ListenerSessionOptions & Pick<SessionListenerOptions, "compressions">;

/** A listener without a wire of its own. */
export function listenOnWire(bench: WireBench, handler: Handler, options: WireListenerOptions = {}): WireListener {
  const errors: unknown[] = [];
  const listener = createSessionListener({
    endpoint: ENDPOINT,
    handler,
    codec: bench.wire.codec,
    clock: bench.clock,
    stopAccepting: async () => undefined,
    onError: (error: unknown) => void errors.push(error),
    ...options,
  });
  bench.defer(() => listener.close());
  return { listener, accept: (channel) => listener.accept(channel), errors };
}

/** A raw client, its session open, at a listener that serves the handler. */
export async function rawClient(
  bench: WireBench,
  handler: Handler,
  options: WireListenerOptions = {},
): Promise<{ readonly raw: RawPeer; readonly server: WireListener; readonly connect: () => Promise<RawPeer> }> {
  const server = listenOnWire(bench, handler, options);
  const connect = async (): Promise<RawPeer> => {
    const raw = await dialRaw(bench, server);
    await raw.greet();
    return raw;
  };
  return { raw: await connect(), server, connect };
}

/** A raw client that has said nothing yet. */
export async function dialRaw(bench: WireBench, server: WireListener): Promise<RawPeer> {
  const pair = await connectWire(bench);
  server.accept(pair.accepted);
  return createRawPeer(pair.dialed, bench.wire.codec);
}

/** A transport whose server is a raw peer, its session open. */
export async function rawServer(
  bench: WireBench,
  limits: Partial<SessionLimits> = {},
): Promise<{ readonly raw: RawPeer; readonly transport: Transport }> {
  const pair = await connectWire(bench);
  const transport = transportOver(bench, async () => pair.dialed, limits);
  const raw = createRawPeer(pair.accepted, bench.wire.codec);
  await Promise.all([transport.ready(), raw.welcome()]);
  return { raw, transport };
}

/** A transport over channels that a case makes. */
export function transportOver(
  bench: WireBench,
  dial: (signal: AbortSignal) => Promise<Channel>,
  options: CallerSessionOptions & Pick<SessionTransportOptions, "compressions"> = {},
): Transport {
  const transport = createSessionTransport({
    endpoint: ENDPOINT,
    dial,
    codec: bench.wire.codec,
    clock: bench.clock,
    ...options,
  });
  bench.defer(() => transport.close());
  return transport;
}

/** What stands between the two ends of a faulty pair. */
export interface Faults {
  /** Around the dialing end's channel. */
  readonly dialed?: Fault | undefined;
  /** Around the accepting end's channel. */
  readonly accepted?: Fault | undefined;
}

/** Both ends as real sessions, with faults between them. Every dial makes a new pair of channels. */
export function faultyPair(
  bench: WireBench,
  handler: Handler,
  faults: (dial: number) => Faults,
  limits: Partial<SessionLimits> = {},
  serve?: Handler,
): { readonly transport: Transport; readonly server: WireListener; readonly dials: () => number } {
  const server = listenOnWire(bench, handler, limits);
  let dials = 0;
  const transport = transportOver(
    bench,
    async () => {
      dials += 1;
      const { dialed = keep, accepted = keep } = faults(dials);
      const pair = await connectWire(bench);
      server.accept(accepted(pair.accepted));
      return dialed(pair.dialed);
    },
    { ...limits, serve },
  );
  return { transport, server, dials: () => dials };
}

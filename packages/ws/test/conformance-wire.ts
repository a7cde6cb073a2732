import { readFileSync } from "node:fs";
import type { ConnectionOptions, TlsOptions } from "node:tls";
import {
  type CallerCredentials,
  type Channel,
  type Clock,
  type EnvelopeCodec,
  jsonEnvelopeCodec,
  type ListenerCredentials,
  type SessionTransport,
} from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import type {
  ChannelAddresses,
  ChannelListener,
  ChannelPair,
  ChannelPairOptions,
  TransportPair,
  TransportPairOptions,
  Wire,
} from "@rpc/testkit";
import { createWsTransport as createBrowserTransport } from "../src/browser.ts";
import { browserConnect } from "../src/browser/dial.ts";
import { dialWs } from "../src/dial-in-turn.ts";
import { parseEndpoint } from "../src/endpoint.ts";
import { createWsTransport, serveWs } from "../src/index.ts";
import { acceptWs } from "../src/node/accept.ts";
import { nodeConnect } from "../src/node/dial.ts";
import { listenSettings, nodeDialSettings, type WsTransportOptions } from "../src/node/options.ts";
import { watchSockets } from "../../../tools/vitest/watch-sockets.ts";

/** One of the kinds of connection of this package. */
export interface Kind {
  readonly endpoint: string;
  readonly codec: EnvelopeCodec;
  /** The dialing end: over `ws`, or over the platform's own class as in a browser. */
  readonly platform: "node" | "browser";
  readonly serve: { readonly tls?: TlsOptions } & Shared;
  readonly dial: { readonly tls?: ConnectionOptions } & Shared;
  /** Proved by both ends, unless a case says what they prove. */
  readonly credentials?: { readonly listener: ListenerCredentials; readonly caller: CallerCredentials };
}

interface Shared {
  readonly compression?: boolean;
  readonly resumeWindowMs?: number;
}

const pem = (name: string): Buffer => readFileSync(new URL(`./certificates/${name}`, import.meta.url));

export const json: Kind = {
  endpoint: "ws://127.0.0.1:0/rpc",
  codec: jsonEnvelopeCodec,
  platform: "node",
  serve: {},
  dial: {},
};
export const protobuf: Kind = { ...json, codec: protobufEnvelopeCodec };
/** The class of browsers, which Node has too. */
export const browser: Kind = { ...json, platform: "browser" };
export const browserProtobuf: Kind = { ...protobuf, platform: "browser" };
export const tls: Kind = {
  ...protobuf,
  endpoint: "wss://127.0.0.1:0",
  serve: { tls: { key: pem("server.key"), cert: pem("server.pem") } },
  dial: { tls: { ca: pem("authority.pem") } },
};

/** The same kind with other options on both ends. */
export function withOptions(kind: Kind, options: Shared & Pick<Kind, "credentials">): Kind {
  const { credentials, ...shared } = options;
  return {
    ...kind,
    serve: { ...kind.serve, ...shared },
    dial: { ...kind.dial, ...shared },
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** A transport and a listener of the public doors. */
export function pairOf(kind: Kind): (options: TransportPairOptions) => Promise<TransportPair> {
  return async ({
    handler,
    serve,
    clock,
    limits,
    callerLimits,
    exposeStacks,
    onError,
    credentials = kind.credentials,
  }) => {
    const watch = watchSockets();
    const common = { clock, exposeStacks, onError, codecs: [kind.codec] };
    const listen = (endpoint: string): ReturnType<typeof serveWs> =>
      serveWs(handler, { ...common, endpoint, ...limits, ...kind.serve, ...credentials?.listener });
    let listener = await listen(kind.endpoint);
    const { endpoint } = listener;
    const another = (): SessionTransport => {
      const options = { clock, serve, codec: kind.codec, ...callerLimits, ...kind.dial, ...credentials?.caller };
      return kind.platform === "node"
        ? createWsTransport(endpoint, options)
        : createBrowserTransport(endpoint, options);
    };
    const transport = another();
    return {
      transport,
      listener,
      another,
      cut: () => watch.cut(),
      restart: async () => {
        await listener.close();
        listener = await listen(endpoint);
      },
      close: async () => {
        await transport.close();
        await listener.close();
        await watch.gone();
      },
    };
  };
}

/** Two ends of one connection, as channels. */
export async function channelsOf(kind: Kind, options: ChannelPairOptions): Promise<ChannelPair> {
  const watch = watchSockets();
  const listener = await listenAt(kind, kind.endpoint, options);
  const dialed = await dialAt(kind, listener.endpoint, options, new AbortController().signal);
  const accepted = await listener.accept();
  await listener.close();
  return {
    dialed,
    accepted,
    close: async () => {
      await watch.cut();
      await watch.gone();
    },
  };
}

/** The wire beneath the sessions of one kind. */
export function wireOf(kind: Kind): Wire {
  return { codec: kind.codec, connect: (options) => channelsOf(kind, options) };
}

/** Listening and dialing by itself, for C14 to C18. */
export function addressesOf(kind: Kind, wrongEndpoints: readonly string[], clock: Clock): ChannelAddresses {
  const options = { clock, maxMessageBytes: 1024 * 1024 };
  return {
    listen: async (endpoint) => listenAt(kind, endpoint ?? kind.endpoint, options),
    dial: (endpoint, signal) => dialAt(kind, endpoint, options, signal),
    unusedEndpoint: async () => {
      const listener = await listenAt(kind, kind.endpoint, options);
      await listener.close();
      return listener.endpoint;
    },
    checkEndpoint: (endpoint) => createWsTransport(endpoint, kind.dial),
    wrongEndpoints,
  };
}

async function listenAt(
  kind: Kind,
  endpoint: string,
  options: Parameters<typeof listenSettings>[0],
): Promise<ChannelListener> {
  const arrived: Channel[] = [];
  const waiting: ((channel: Channel) => void)[] = [];
  const settings = listenSettings({ ...options, ...kind.serve, codecs: [kind.codec] });
  const acceptor = await acceptWs(parseEndpoint(endpoint, "listen"), settings, (channel) => {
    const next = waiting.shift();
    if (next === undefined) arrived.push(channel);
    else next(channel);
  });
  return {
    endpoint: acceptor.endpoint,
    accept: () => {
      const first = arrived.shift();
      if (first !== undefined) return Promise.resolve(first);
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    close: () => acceptor.stop(),
  };
}

function dialAt(kind: Kind, endpoint: string, options: WsTransportOptions, signal: AbortSignal): Promise<Channel> {
  const settings = nodeDialSettings({ ...options, ...kind.dial, codec: kind.codec });
  const connect = kind.platform === "node" ? nodeConnect(settings) : browserConnect(settings);
  return dialWs([parseEndpoint(endpoint, "dial")], connect, settings, signal);
}

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions, TlsOptions } from "node:tls";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import type {
  BytePipe,
  ChannelAddresses,
  ChannelListener,
  ChannelPair,
  ChannelPairOptions,
  Framing,
  TransportPair,
  TransportPairOptions,
  Wire,
} from "@rpc/testkit";
import type { CallerCredentials, Channel, Clock, ListenerCredentials } from "@rpc/core/transport";
import { acceptTcp } from "../src/accept.ts";
import { compressionsOf } from "../src/compression.ts";
import { dialTcp } from "../src/dial.ts";
import { parseEndpoint } from "../src/endpoint.ts";
import { createTcpTransport, serveTcp } from "../src/index.ts";
import { dialSettings, listenSettings } from "../src/options.ts";
import { watchSockets } from "../../../tools/vitest/watch-sockets.ts";

/** One of the three kinds of connection of this package. */
export interface Kind {
  readonly endpoint: () => Promise<string>;
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
const folders: string[] = [];

export const tcp: Kind = { endpoint: async () => "tcp://127.0.0.1:0", serve: {}, dial: {} };
export const tls: Kind = {
  endpoint: async () => "tcps://127.0.0.1:0",
  serve: { tls: { key: pem("server.key"), cert: pem("server.pem") } },
  dial: { tls: { ca: pem("authority.pem") } },
};
export const unix: Kind = {
  endpoint: async () => {
    const folder = await mkdtemp(join(tmpdir(), "rpc-"));
    folders.push(folder);
    return `unix:${join(folder, "s")}`;
  },
  serve: {},
  dial: {},
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

/** Removes the folders of Unix sockets. */
export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
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
    const listen = (endpoint: string): ReturnType<typeof serveTcp> =>
      serveTcp(handler, { endpoint, clock, exposeStacks, onError, ...limits, ...kind.serve, ...credentials?.listener });
    let listener = await listen(await kind.endpoint());
    const { endpoint } = listener;
    const another = (): ReturnType<typeof createTcpTransport> =>
      createTcpTransport(endpoint, { clock, serve, ...callerLimits, ...kind.dial, ...credentials?.caller });
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
  const listener = await listenAt(kind, await kind.endpoint(), options);
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
  return {
    codec: protobufEnvelopeCodec,
    compressions: compressionsOf(kind.serve.compression),
    connect: (options) => channelsOf(kind, options),
  };
}

/** Listening and dialing by itself, for C14 to C18. */
export function addressesOf(kind: Kind, wrongEndpoints: readonly string[], clock: Clock): ChannelAddresses {
  const options = { clock, maxMessageBytes: 1024 * 1024 };
  return {
    listen: async (endpoint) => listenAt(kind, endpoint ?? (await kind.endpoint()), options),
    dial: (endpoint, signal) => dialAt(kind, endpoint, options, signal),
    unusedEndpoint: async () => {
      const listener = await listenAt(kind, await kind.endpoint(), options);
      await listener.close();
      return listener.endpoint;
    },
    checkEndpoint: (endpoint) => createTcpTransport(endpoint, kind.dial),
    wrongEndpoints,
  };
}

/** Our frames, spoken by a bare socket. */
export function framingOf(kind: Kind): Framing {
  return {
    open: async (options) => {
      const watch = watchSockets();
      const listener = await listenAt(kind, await kind.endpoint(), options);
      const bytes = await bytePipe(listener.endpoint);
      const channel = await listener.accept();
      await listener.close();
      return {
        channel,
        bytes,
        close: async () => {
          await watch.cut();
          await watch.gone();
        },
      };
    },
    frame: (message) => {
      const frame = new Uint8Array(4 + message.length);
      new DataView(frame.buffer).setUint32(0, message.length);
      frame.set(message, 4);
      return frame;
    },
    header: (length) => {
      const header = new Uint8Array(4);
      new DataView(header.buffer).setUint32(0, length);
      return header;
    },
  };
}

async function listenAt(
  kind: Kind,
  endpoint: string,
  options: Parameters<typeof listenSettings>[0],
): Promise<ChannelListener> {
  const arrived: Channel[] = [];
  const waiting: ((channel: Channel) => void)[] = [];
  const acceptor = await acceptTcp(
    parseEndpoint(endpoint, "listen"),
    listenSettings({ ...options, ...kind.serve }),
    (channel) => {
      const next = waiting.shift();
      if (next === undefined) arrived.push(channel);
      else next(channel);
    },
  );
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

function dialAt(
  kind: Kind,
  endpoint: string,
  options: Parameters<typeof dialSettings>[0],
  signal: AbortSignal,
): Promise<Channel> {
  return dialTcp([parseEndpoint(endpoint, "dial")], dialSettings({ ...options, ...kind.dial }), signal);
}

async function bytePipe(endpoint: string): Promise<BytePipe> {
  const address = parseEndpoint(endpoint, "dial");
  const socket = connect(
    address.scheme === "unix"
      ? { path: address.path, allowHalfOpen: true }
      : { host: address.host, port: address.port, allowHalfOpen: true, noDelay: true },
  );
  await once(socket, "connect");
  const chunks: Buffer[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  socket.on("data", (chunk) => chunks.push(chunk));
  // A reset is one of the ways in which the other side may end.
  socket.on("error", () => resolve());
  socket.on("end", () => resolve());
  socket.on("close", () => resolve());
  return {
    write: async (bytes) => {
      if (!socket.writable) return;
      await new Promise<void>((written) => {
        socket.write(bytes, () => setImmediate(written));
      });
    },
    end: () => void socket.end(),
    destroy: () => void (address.scheme === "unix" ? socket.destroy() : socket.resetAndDestroy()),
    received: () => new Uint8Array(Buffer.concat(chunks)),
    ended,
  };
}

import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { ConnectionOptions, TlsOptions } from "node:tls";
import { type ListenerSessionOptions, RpcError } from "@rpc/core";
import { type EnvelopeCodec, jsonEnvelopeCodec, resolveLimits } from "@rpc/core/transport";
import {
  type ChannelSettings,
  dialSettings,
  type DialSettings,
  wholeNumber,
  type WsCallerOptions,
} from "../options.ts";

/** What the two halves in Node have in common, beside what every session takes. */
export interface WsChannelOptions {
  /**
   * permessage-deflate for messages of at least `compressFromBytes`, where the other end wants it too. It costs time and memory on both ends;
   * over TLS, do not let one message hold a secret beside text that somebody else chooses. Default: false.
   */
  readonly compression?: boolean | undefined;
  /** Pieces that one message may come in. Default: 1,024. */
  readonly maxFragments?: number | undefined;
}

/** Options of `createWsTransport`. */
export interface WsTransportOptions extends WsCallerOptions, WsChannelOptions {
  /** TLS options of Node for `wss://`: `ca`, `cert` and `key` for mutual TLS, … Default: Node's, which trust the public authorities. */
  readonly tls?: ConnectionOptions | undefined;
  /** Headers of the upgrade request, for a proxy on the way. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of `serveWs`. */
export interface WsListenerOptions extends ListenerSessionOptions, WsChannelOptions {
  /** Where to listen: `ws://host:port/path` or `wss://…`; port 0 takes a free one. Default: `ws://127.0.0.1:0`. */
  readonly endpoint?: string | undefined;
  /**
   * A server of `node:http` or `node:https` that listens already: upgrades of {@link WsListenerOptions.path} are taken, everything else is left
   * to it. `endpoint` then says what clients dial, for a server behind a proxy. Default: a server of its own.
   */
  readonly server?: HttpServer | HttpsServer | undefined;
  /** Which upgrades of {@link WsListenerOptions.server} are ours. Default: `/`. */
  readonly path?: string | undefined;
  /** How envelopes may be written; each client chooses. `[protobufEnvelopeCodec, jsonEnvelopeCodec]` takes both. Default: JSON. */
  readonly codecs?: readonly EnvelopeCodec[] | undefined;
  /**
   * Pages that may connect, as origins (`https://app.example.com`), or `"*"` for all. Programs that are no browsers send no origin and are
   * not asked. Default: pages of the very host that they connect to.
   */
  readonly origins?: readonly string[] | "*" | undefined;
  /** TLS options of Node, needed for `wss://`: `key` and `cert`; for mutual TLS also `requestCert: true` and `ca`. */
  readonly tls?: TlsOptions | undefined;
  /** Lets everybody who can reach a public address call without TLS and without proof. Default: false. */
  readonly allowInsecure?: boolean | undefined;
  /** Connections at the same time; further ones are refused at once. Default: 10,000. */
  readonly maxConnections?: number | undefined;
  /** Connections that wait to be accepted; the system may lower it. Default: 511. */
  readonly backlog?: number | undefined;
  /** How long a closed channel may take to hand over what was sent, before it is cut. Default: 5,000. */
  readonly closeTimeoutMs?: number | undefined;
}

/** What a channel in Node needs to know. */
export interface NodeChannelSettings extends ChannelSettings {
  /** Messages from so many bytes on are compressed; undefined: none. */
  readonly deflateFromBytes: number | undefined;
  readonly maxFragments: number;
}

/** What dialing needs to know. */
export interface NodeDialSettings extends DialSettings, NodeChannelSettings {
  readonly tls: ConnectionOptions;
  readonly headers: Readonly<Record<string, string>>;
}

/** What listening needs to know. */
export interface ListenSettings extends NodeChannelSettings {
  readonly codecs: readonly EnvelopeCodec[];
  readonly origins: readonly string[] | "*" | undefined;
  readonly tls: TlsOptions | undefined;
  readonly allowInsecure: boolean;
  /** Whether everybody who connects has to prove a secret. */
  readonly asksForSecret: boolean;
  readonly maxConnections: number;
  readonly backlog: number;
  /** How long TLS and the upgrade may take together. */
  readonly handshakeTimeoutMs: number;
  readonly onError: (error: RpcError) => void;
}

export const DEFAULT_LISTEN_ENDPOINT = "ws://127.0.0.1:0";

/** Fills in the defaults of the calling half. Throws INVALID_ARGUMENT for a number that makes no sense. */
export function nodeDialSettings(options: WsTransportOptions): NodeDialSettings {
  return {
    ...dialSettings(options),
    ...channelSettings(options),
    tls: options.tls ?? {},
    headers: options.headers ?? {},
  };
}

/** Fills in the defaults of the serving half. Throws INVALID_ARGUMENT for a number, an origin or a list of codecs that makes no sense. */
export function listenSettings(options: WsListenerOptions): ListenSettings {
  const { clock, maxMessageBytes, closeTimeoutMs } = dialSettings({ ...options, codec: undefined });
  const codecs = options.codecs ?? [jsonEnvelopeCodec];
  if (codecs.length === 0 || new Set(codecs.map(({ name }) => name)).size < codecs.length)
    throw invalid("option codecs must hold at least one codec, and none twice");
  return {
    ...channelSettings(options),
    clock,
    maxMessageBytes,
    closeTimeoutMs,
    codecs,
    origins: options.origins === undefined || options.origins === "*" ? options.origins : options.origins.map(originOf),
    tls: options.tls,
    allowInsecure: options.allowInsecure ?? false,
    asksForSecret: options.secret !== undefined || options.secrets !== undefined,
    maxConnections: wholeNumber("maxConnections", options.maxConnections, 10_000),
    backlog: wholeNumber("backlog", options.backlog, 511),
    handshakeTimeoutMs: resolveLimits(options).unauthenticatedTimeoutMs,
    onError: options.onError ?? (() => undefined),
  };
}

function channelSettings({
  compression = false,
  compressFromBytes,
  maxFragments,
}: WsChannelOptions & { readonly compressFromBytes?: number | undefined }): Pick<
  NodeChannelSettings,
  "deflateFromBytes" | "maxFragments"
> {
  return {
    deflateFromBytes: compression ? wholeNumber("compressFromBytes", compressFromBytes, 1024) : undefined,
    maxFragments: wholeNumber("maxFragments", maxFragments, 1024),
  };
}

/** As browsers write it. `null` is what sandboxed pages and files say. */
function originOf(text: string): string {
  if (text === "null") return text;
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin === "null" || !/^[^/]*\/\/[^/]+\/?$/.test(text))
    throw invalid(`option origins: ${JSON.stringify(text)} is no origin such as "https://app.example.com"`);
  return origin;
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

import type { ConnectionOptions, TlsOptions } from "node:tls";
import { type CallerSessionOptions, type Clock, type ListenerSessionOptions, RpcError, systemClock } from "@rpc/core";
import { MAX_TIMER_MS, resolveLimits } from "@rpc/core/transport";
import type { CompressionOption } from "./compression.ts";

/** What the calling and the serving half have in common, beside what every session takes. */
export interface TcpChannelOptions {
  /** How long one message may take from its first byte to its last; activity does not extend it. Default: 10,000. */
  readonly partialFrameTimeoutMs?: number | undefined;
  /** How long a closed channel may take to hand over what was sent, before it is cut. Default: 5,000. */
  readonly closeTimeoutMs?: number | undefined;
  /**
   * Idle time after which the system itself probes the other end (TCP's keepalive); 0: never. Default: 0, because the session's
   * heartbeats find a lost peer sooner.
   */
  readonly keepAliveMs?: number | undefined;
  /**
   * Compresses larger messages where both ends want it: `true`, or names in order of preference. It costs time on both ends; over TLS, do
   * not let one message hold a secret beside text that somebody else chooses. Default: false.
   */
  readonly compression?: CompressionOption | undefined;
}

/** Options of `createTcpTransport`. */
export interface TcpTransportOptions extends TcpChannelOptions, CallerSessionOptions {
  /** TLS options of Node for `tcps://`: `ca`, `cert` and `key` for mutual TLS, … Default: Node's, which trust the public authorities. */
  readonly tls?: ConnectionOptions | undefined;
}

/** Options of `serveTcp`. */
export interface TcpListenerOptions extends TcpChannelOptions, ListenerSessionOptions {
  /** Where to listen: `tcp://host:port`, `tcps://host:port` or `unix:/path`; port 0 takes a free one. Default: `tcp://127.0.0.1:0`. */
  readonly endpoint?: string | undefined;
  /** TLS options of Node, needed for `tcps://`: `key` and `cert`; for mutual TLS also `requestCert: true` and `ca`. */
  readonly tls?: TlsOptions | undefined;
  /** Lets everybody who can reach a public address call without TLS and without proof. Default: false. */
  readonly allowInsecure?: boolean | undefined;
  /** Connections at the same time; further ones are refused at once. Default: 10,000. */
  readonly maxConnections?: number | undefined;
  /** Connections that wait to be accepted; the system may lower it. Default: 511. */
  readonly backlog?: number | undefined;
  /** Who may connect to a Unix socket, as file permissions. Default: 0o600, the same user only. */
  readonly socketMode?: number | undefined;
}

/** What a channel needs to know; one object for all channels of a transport or listener. */
export interface ChannelSettings {
  readonly clock: Clock;
  /** Until the session says otherwise. */
  readonly maxMessageBytes: number;
  readonly partialFrameTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** What dialing needs to know. */
export interface DialSettings extends ChannelSettings {
  readonly connectTimeoutMs: number;
  readonly tls: ConnectionOptions;
}

/** What listening needs to know. */
export interface ListenSettings extends ChannelSettings {
  readonly tls: TlsOptions | undefined;
  readonly allowInsecure: boolean;
  /** Whether everybody who connects has to prove a secret. */
  readonly asksForSecret: boolean;
  readonly maxConnections: number;
  readonly backlog: number;
  readonly socketMode: number;
  /** How long a TLS handshake may take. */
  readonly handshakeTimeoutMs: number;
  readonly onError: (error: RpcError) => void;
}

export const DEFAULT_LISTEN_ENDPOINT = "tcp://127.0.0.1:0";

/** Fills in the defaults of the calling half. Throws INVALID_ARGUMENT for a number that makes no sense. */
export function dialSettings(options: TcpTransportOptions): DialSettings {
  return {
    ...channelSettings(options),
    connectTimeoutMs: wholeNumber("connectTimeoutMs", options.connectTimeoutMs, 10_000),
    tls: options.tls ?? {},
  };
}

/** Fills in the defaults of the serving half. Throws INVALID_ARGUMENT for a number that makes no sense. */
export function listenSettings(options: TcpListenerOptions): ListenSettings {
  return {
    ...channelSettings(options),
    tls: options.tls,
    allowInsecure: options.allowInsecure ?? false,
    asksForSecret: options.secret !== undefined || options.secrets !== undefined,
    maxConnections: wholeNumber("maxConnections", options.maxConnections, 10_000),
    backlog: wholeNumber("backlog", options.backlog, 511),
    socketMode: wholeNumber("socketMode", options.socketMode, 0o600),
    handshakeTimeoutMs: resolveLimits(options).unauthenticatedTimeoutMs,
    onError: options.onError ?? (() => undefined),
  };
}

function channelSettings(options: TcpTransportOptions | TcpListenerOptions): ChannelSettings {
  return {
    clock: options.clock ?? systemClock,
    maxMessageBytes: resolveLimits(options).maxMessageBytes,
    partialFrameTimeoutMs: wholeNumber("partialFrameTimeoutMs", options.partialFrameTimeoutMs, 10_000),
    closeTimeoutMs: wholeNumber("closeTimeoutMs", options.closeTimeoutMs, 5_000),
    keepAliveMs: wholeNumber("keepAliveMs", options.keepAliveMs, 0),
  };
}

function wholeNumber(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  if (Number.isInteger(value) && value >= 0 && value <= MAX_TIMER_MS) return value;
  const message = `option ${name} must be a whole number from 0 to ${MAX_TIMER_MS}, got ${String(value)}`;
  throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

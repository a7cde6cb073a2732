import { type Clock, type RpcError, systemClock } from "@rpc/core";
import type { BackoffOptions, GuardOptions } from "@rpc/core/transport";
import { refused, wholeNumber } from "../calls/errors.ts";
import type { MdpVersion } from "../frames/words.ts";
import { checkedCredentials, type MdpCredentials } from "../link/credentials.ts";
import { LINK_HEARTBEAT_MS } from "../link/heartbeats.ts";

/** What every worker says about its place at a broker. */
export interface MdpWorkerOptions {
  /** Where the broker listens: `tcp://host:port`, `ipc://path`. */
  readonly broker: string;
  /**
   * Requests at the same time, for each service. A broker sends a worker one at a time, so this is how many sockets register, each a worker
   * of its own to the broker. Default: 4.
   */
  readonly concurrency?: number | undefined;
  /** Majordomo to speak: 0.1, which all brokers know, or 0.2, which has partial replies. Default: 0.1. */
  readonly version?: MdpVersion | undefined;
  /** Signs of life are sent this often. Default: 1,000. */
  readonly heartbeatMs?: number | undefined;
  /** A broker that was silent for this many beats, with no request open, is left. Default: 4. */
  readonly liveness?: number | undefined;
  /** Waits before a socket is made again. Default: up to 1,000, growing to 30,000. */
  readonly reconnect?: BackoffOptions | undefined;
  /**
   * How often ZeroMQ itself looks whether the connection is there; lost after two misses. 0: not at all, for brokers on a libzmq before 4.2, which do
   * not answer. Default: 5,000.
   */
  readonly linkHeartbeatMs?: number | undefined;
  readonly credentials?: MdpCredentials | undefined;
  /** Largest body, in bytes; a larger one is answered with an error. Default: 4 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Told what belongs to no caller, such as a notification that failed. Default: nobody is. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

/** Options of `serveMdp`. */
export interface MdpListenerOptions extends MdpWorkerOptions, GuardOptions {
  /** The service to register as, such as `dbmgr` or `plugin-diskfree.darkstar`. Default: one service for each contract, with its name. */
  readonly service?: string | undefined;
  /** Where publishers connect to, `tcp://host:40411`: the router's events are published there as well. Default: nowhere. */
  readonly events?: string | undefined;
  /** Bytes of metadata per call and direction. Default: 16 KiB. */
  readonly maxMetadataBytes?: number | undefined;
  /** Whether errors carry stack traces to callers. Default: false. */
  readonly exposeStacks?: boolean | undefined;
}

/** Options with their defaults. */
export interface WorkerSettings {
  readonly broker: string;
  readonly concurrency: number;
  readonly version: MdpVersion;
  readonly heartbeatMs: number;
  readonly liveness: number;
  readonly reconnect: BackoffOptions;
  readonly linkHeartbeatMs: number;
  readonly credentials: MdpCredentials | undefined;
  readonly maxMessageBytes: number;
  readonly onError: (error: RpcError) => void;
  readonly clock: Clock;
}

/** Throws INVALID_ARGUMENT for what cannot be right. */
export function workerSettings(options: MdpWorkerOptions): WorkerSettings {
  return {
    broker: checkedEndpoint(options.broker),
    concurrency: wholeNumber("concurrency", options.concurrency, 4, 1, 10_000),
    version: options.version ?? "0.1",
    heartbeatMs: wholeNumber("heartbeatMs", options.heartbeatMs, 1_000, 1),
    liveness: wholeNumber("liveness", options.liveness, 4, 2),
    reconnect: { minMs: 1_000, maxMs: 30_000, ...options.reconnect },
    linkHeartbeatMs: wholeNumber("linkHeartbeatMs", options.linkHeartbeatMs, LINK_HEARTBEAT_MS, 0, 1_000_000_000),
    credentials: checkedCredentials(options.credentials),
    maxMessageBytes: wholeNumber("maxMessageBytes", options.maxMessageBytes, 4 * 1024 * 1024, 0),
    onError: options.onError ?? (() => undefined),
    clock: options.clock ?? systemClock,
  };
}

/** An endpoint that a socket can connect to. Throws INVALID_ARGUMENT. */
export function checkedEndpoint(endpoint: string): string {
  const port = /^tcp:\/\/[^\s*/]+:(\d{1,5})$/.exec(endpoint)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return endpoint;
  if (/^(ipc|inproc):\/\/\S+$/.test(endpoint)) return endpoint;
  throw refused(`an endpoint is tcp://host:port, ipc://path or inproc://name, got ${JSON.stringify(endpoint)}`);
}

/** The frame that a service's name is. Throws INVALID_ARGUMENT. */
export function serviceFrame(service: string): Uint8Array {
  const frame = Buffer.from(service, "utf8");
  if (frame.length > 0 && frame.length <= 255 && service.isWellFormed()) return frame;
  throw refused(`a service's name has 1 to 255 bytes, got ${JSON.stringify(service.slice(0, 100))}`);
}

import { type Clock, systemClock } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { refused, wholeNumber } from "../calls/errors.ts";
import { checkedCredentials, type MdpCredentials } from "../link/credentials.ts";
import { LINK_HEARTBEAT_MS } from "../link/heartbeats.ts";
import { checkedEndpoint } from "../worker/options.ts";

/**
 * What the broker is, as far as its clients see it. `domogik`: requests say their caller's patience (version 1.4 and later, and our own broker);
 * `domogik-1.3` and `rfc7`: they do not; `mdp02`: MDP 0.2, whose replies may be many.
 */
export type MdpClientDialect = "domogik" | "domogik-1.3" | "rfc7" | "mdp02";

/**
 * How replies find their calls. `envelope`: all calls share a socket and bear marks of their own, which brokers and workers that copy address
 * frames bring back; `socket`: each call under way has a socket to itself, for strict ones.
 */
export type MdpCorrelation = "envelope" | "socket";

/** What every client says about its brokers. */
export interface MdpClientOptions {
  /** Default: `domogik`. */
  readonly dialect?: MdpClientDialect | undefined;
  /** Default: `envelope`; with `rfc7` `socket`; with `mdp02` there is `socket` alone. */
  readonly correlation?: MdpCorrelation | undefined;
  /** Sockets with the correlation `socket`; further calls wait for one of them. Default: 64. */
  readonly maxSockets?: number | undefined;
  /** Calls under way; the surplus is refused RESOURCE_EXHAUSTED. Default: 10,000. */
  readonly maxCallsInFlight?: number | undefined;
  /** How long a call may take that has no deadline of its own. Default: as long as it takes. */
  readonly timeoutMs?: number | undefined;
  /** How long a broker may take to be reached; after that its calls fail UNAVAILABLE. Default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Largest reply, in bytes. Default: 4 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * How often ZeroMQ itself looks whether the connection is there; after two misses it is lost, and calls under way fail UNAVAILABLE. 0: not at all, for
   * brokers on a libzmq before 4.2, which do not answer. Default: 5,000.
   */
  readonly linkHeartbeatMs?: number | undefined;
  readonly credentials?: MdpCredentials | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

/** Options of `createMdpTransport`. */
export interface MdpTransportOptions extends MdpClientOptions {
  /** The service to ask, or what says it for a method. Default: the name of the method's contract. */
  readonly service?: string | ((method: MethodDescriptor) => string) | undefined;
  /**
   * How an input becomes the data of a request. `args`: as its member `args`; `flat`: the input, a record, is the data itself, as Domogik's
   * own workers read it. Default: `args`.
   */
  readonly input?: "args" | "flat" | undefined;
  /**
   * How messages travel that a contract describes by protobuf: as JSON, which everybody reads, or as they are, in a frame of their own, which
   * workers of ours read. Default: `json`.
   */
  readonly body?: "json" | "protobuf" | undefined;
  /** Where subscribers connect to, `tcp://host:40412`: for contracts with events. Default: events cannot be subscribed to. */
  readonly events?: string | undefined;
  /** Bytes of metadata per call and direction. Default: 16 KiB. */
  readonly maxMetadataBytes?: number | undefined;
  /** Items of one stream that came and were not read, and their bytes; beyond it the stream fails, for nobody can hold its worker back. Default: 100,000. */
  readonly maxUnreadItems?: number | undefined;
  /** Default: 64 MiB. */
  readonly maxUnreadBytes?: number | undefined;
}

/** Options with their defaults. */
export interface ClientSettings {
  readonly brokers: readonly string[];
  readonly dialect: MdpClientDialect;
  readonly correlation: MdpCorrelation;
  readonly maxSockets: number;
  readonly maxCallsInFlight: number;
  readonly timeoutMs: number | undefined;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly linkHeartbeatMs: number;
  /** Time-outs in a row, with nothing heard meanwhile, after which a broker is asked whether it is there at all. */
  readonly silentTries: number;
  readonly credentials: MdpCredentials | undefined;
  readonly clock: Clock;
}

/** Throws INVALID_ARGUMENT for what cannot be right. */
export function clientSettings(endpoint: string | readonly string[], options: MdpClientOptions): ClientSettings {
  const brokers = typeof endpoint === "string" ? [endpoint] : endpoint;
  if (brokers.length === 0) throw refused("there must be a broker to ask");
  const { dialect = "domogik", timeoutMs } = options;
  if (dialect === "mdp02" && options.correlation === "envelope")
    throw refused("MDP 0.2 has no address frames of a client's own: its correlation is socket");
  return {
    brokers: brokers.map(checkedEndpoint),
    dialect,
    // RFC 7 knows one address frame: a strict broker or worker drops a request with a mark, and nobody answers it.
    correlation: options.correlation ?? (dialect === "mdp02" || dialect === "rfc7" ? "socket" : "envelope"),
    maxSockets: wholeNumber("maxSockets", options.maxSockets, 64, 1, 10_000),
    maxCallsInFlight: wholeNumber("maxCallsInFlight", options.maxCallsInFlight, 10_000, 0),
    timeoutMs: timeoutMs === undefined ? undefined : wholeNumber("timeoutMs", timeoutMs, 0, 1),
    connectTimeoutMs: wholeNumber("connectTimeoutMs", options.connectTimeoutMs, 5_000, 1),
    maxMessageBytes: wholeNumber("maxMessageBytes", options.maxMessageBytes, 4 * 1024 * 1024),
    linkHeartbeatMs: wholeNumber("linkHeartbeatMs", options.linkHeartbeatMs, LINK_HEARTBEAT_MS, 0, 1_000_000_000),
    silentTries: 1,
    credentials: checkedCredentials(options.credentials),
    clock: options.clock ?? systemClock,
  };
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { RpcError } from "@rpc/core";
import { Context, Router } from "zeromq";
import type { MdpAuth } from "./auth.ts";
import { closeBound } from "../link/close-bound.ts";
import { isIpv6 } from "../link/ipv6.ts";
import { checkDoor, type MdpDoor } from "./doors.ts";
import type { MdpBrokerEvents, MdpCounters } from "./events.ts";
import { BrokerMachine } from "./machine.ts";
import { Door } from "./roster.ts";
import { type MdpBrokerSettings, type MdpWorkerInfo, numberOption, resolveSettings } from "./settings.ts";
import { zapDomainOf, ZapHandler } from "./zap.ts";

export interface MdpBrokerOptions extends MdpBrokerSettings, MdpDoor {
  /** A second door for clients alone, with the same `auth` and `rules`. Default: none. */
  readonly clientEndpoint?: string;
  /** More doors, each with rights of its own. Default: none. */
  readonly doors?: readonly MdpDoor[];
  /** Largest frame. A peer that sends a larger one is disconnected before it is read. Default: 16 MiB. */
  readonly maxFrameBytes?: number;
  /** Messages that wait for one peer that does not read; more are dropped. Default: 10,000. */
  readonly maxUnsent?: number;
}

export interface MdpBrokerStats {
  readonly workers: number;
  readonly services: number;
  /** Requests that wait for a worker. */
  readonly waiting: number;
  /** Requests that a worker has. */
  readonly inFlight: number;
  readonly counters: Readonly<MdpCounters>;
}

export interface MdpBroker extends AsyncDisposable {
  /** Where the first door is, with the real port. */
  readonly endpoint: string;
  /** All doors: the first one, the clients', and then those of `doors`. */
  readonly endpoints: readonly string[];
  on<Name extends keyof MdpBrokerEvents>(name: Name, listen: (...values: MdpBrokerEvents[Name]) => void): () => void;
  stats(): MdpBrokerStats;
  workers(): readonly MdpWorkerInfo[];
  /**
   * Idempotent. Takes nothing new, lets what it has come to its end for `drainMs` (default: 5,000), answers the rest with an error, and
   * tells all workers to go.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

const DEFAULT_FRAME_BYTES = 16 * 1024 * 1024;
const DEFAULT_UNSENT = 10_000;
/** Messages of one peer that have come and are not read yet; then it is the peer that waits. */
const MOST_UNREAD = 1_000;
const DEFAULT_DRAIN_MS = 5_000;
/** How long what has been said may take to leave after a broker is closed. */
const LINGER_MS = 1_000;
/** Peers that say nothing that could be read are disconnected. */
const HANDSHAKE_MS = 10_000;

/** Starts a Majordomo broker: 7/MDP, 8/MMI and 18/MDP and Domogik's dialect on one socket. Rejects when an endpoint cannot be bound. */
export async function runMdpBroker(options: MdpBrokerOptions): Promise<MdpBroker> {
  const settings = resolveSettings(options);
  const plans = doorsOf(options);
  for (const plan of plans) checkDoor(plan);
  const rules = new Map<string, MdpAuth>();
  for (const [index, { auth }] of plans.entries()) {
    if (auth !== undefined && auth !== null) rules.set(zapDomainOf(index), auth);
  }
  // Whoever admits peers does so for its context: one of its own, so that two brokers of a process do not answer for each other.
  const context = rules.size === 0 ? undefined : new Context();
  const doors = plans.map(({ clientsOnly, rules }, index) => new Door(index, clientsOnly ?? false, rules));
  const sockets = plans.map((plan, index) => socketOf(plan, index, options, context));
  const machine: BrokerMachine = new BrokerMachine(settings, doors, (door, frames) => {
    const socket = sockets[door.index];
    if (socket === undefined || socket.closed) return;
    const failed = (thrown: unknown): void => {
      machine.undelivered(door, frames, (thrown as { readonly code?: string }).code !== "EHOSTUNREACH");
    };
    try {
      socket.send(frames as Uint8Array[]).then(undefined, failed);
    } catch (thrown) {
      // Not in the middle of what the broker is doing: that would be told twice.
      queueMicrotask(() => failed(thrown));
    }
  });
  const zap =
    context === undefined
      ? undefined
      : new ZapHandler(context, rules, (line) => {
          machine.events.emit("log", line);
        });
  try {
    await zap?.start();
    for (const [index, { endpoint }] of plans.entries()) await bind(sockets[index], endpoint);
  } catch (thrown) {
    for (const socket of sockets) socket.close();
    zap?.close();
    throw thrown;
  }
  const endpoints = sockets.map((socket, index) => socket.lastEndpoint ?? plans[index]?.endpoint ?? "");
  for (const door of doors) void read(machine, door, sockets[door.index]);
  let closed: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    await new Promise<void>((resolve) => machine.drain(drainMs, resolve));
    await Promise.all(sockets.map((socket, index) => closeBound(socket, endpoints[index] ?? "")));
    zap?.close();
  };
  return {
    endpoint: endpoints[0] ?? "",
    endpoints,
    on: (name, listen) => machine.events.on(name, listen),
    stats: () => ({
      workers: machine.workers,
      services: machine.dispatcher.services.size,
      waiting: machine.dispatcher.waiting,
      inFlight: machine.dispatcher.inFlight,
      counters: { ...machine.counters },
    }),
    workers: () => doors.flatMap(({ workers }) => Array.from(workers.values(), (worker) => worker.info())),
    close: ({ drainMs = DEFAULT_DRAIN_MS } = {}) => (closed ??= close(drainMs)),
    [Symbol.asyncDispose]: () => (closed ??= close(DEFAULT_DRAIN_MS)),
  };
}

async function bind(socket: Router | undefined, endpoint: string): Promise<void> {
  try {
    await socket?.bind(endpoint);
  } catch (thrown) {
    const message = `a broker cannot listen at ${endpoint}: ${RpcError.from(thrown).message}`;
    throw new RpcError("UNAVAILABLE", message, { reason: "UNAVAILABLE", cause: thrown });
  }
}

function doorsOf(options: MdpBrokerOptions): MdpDoor[] {
  const { endpoint, auth, rules, clientsOnly, clientEndpoint, doors, allowInsecure } = options;
  const same = { auth: auth ?? null, allowInsecure: allowInsecure ?? false, ...(rules !== undefined && { rules }) };
  return [
    { endpoint, ...same, clientsOnly: clientsOnly ?? false },
    ...(clientEndpoint === undefined ? [] : [{ endpoint: clientEndpoint, ...same, clientsOnly: true }]),
    ...(doors ?? []),
  ];
}

function socketOf(plan: MdpDoor, index: number, options: MdpBrokerOptions, context: Context | undefined): Router {
  const { auth } = plan;
  return new Router({
    ...(context !== undefined && { context }),
    // A message that cannot go at once comes back at once: nothing waits in here, and no send excludes another.
    sendTimeout: 0,
    mandatory: true,
    linger: LINGER_MS,
    handshakeInterval: HANDSHAKE_MS,
    tcpKeepalive: 1,
    ipv6: isIpv6(plan.endpoint),
    maxMessageSize: numberOption("maxFrameBytes", options.maxFrameBytes ?? DEFAULT_FRAME_BYTES, 1),
    // To ZeroMQ 0 is no limit.
    sendHighWaterMark: numberOption("maxUnsent", options.maxUnsent ?? DEFAULT_UNSENT, 1),
    receiveHighWaterMark: MOST_UNREAD,
    ...(auth !== undefined && auth !== null && { zapDomain: zapDomainOf(index) }),
    ...(auth?.mechanism === "curve" && { curveServer: true, curveSecretKey: auth.secretKey }),
    ...(auth?.mechanism === "plain" && { plainServer: true }),
  });
}

/** One turn for each message, which is what the library gives; whatever it was, the next one is read. */
async function read(machine: BrokerMachine, door: Door, socket: Router | undefined): Promise<void> {
  if (socket === undefined) return;
  for (;;) {
    let frames: Buffer[];
    try {
      frames = await socket.receive();
    } catch (thrown) {
      if (socket.closed) return;
      machine.events.log(() => `reading failed: ${String(thrown)}`);
      await nextTurn();
      continue;
    }
    try {
      machine.receive(door, frames);
    } catch (thrown) {
      machine.events.log(() => `a message could not be handled: ${String(thrown)}`);
    }
  }
}

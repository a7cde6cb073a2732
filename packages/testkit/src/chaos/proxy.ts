import { connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, systemClock } from "@rpc/core/transport";
import { ProxiedConnection, type ProxySide, type ProxyTally, reset } from "./proxied-connection.ts";
import { type ChaosPlan, type ChaosRun, type FaultCounts, runChaos } from "./proxy-driver.ts";
import { type Random, randomFrom } from "./random.ts";

/** Where a proxy forwards to. */
export type ProxyTarget = { readonly host?: string; readonly port: number } | { readonly path: string };

/** Options of `createChaosProxy`. */
export interface ChaosProxyOptions {
  readonly target: ProxyTarget;
  /** Times stalls and the driver of `chaos`. Default: the process's clock. */
  readonly clock?: Clock;
  /** At least 0 and below 1; what `chaos` draws from when its plan has no seed. Default: Math.random. */
  readonly random?: () => number;
}

/**
 * A TCP proxy on the loopback address that treats connections badly when it is told to. Faults hit the connections that are open at the
 * time; each method gives their number.
 */
export interface ChaosProxy extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** `tcp://127.0.0.1:port`. */
  readonly endpoint: string;
  /** Connections of which at least one end is open, those in a black hole included. */
  readonly connections: number;
  /** Faults so far, by kind, and what they cost. */
  readonly counts: Readonly<FaultCounts>;
  /** Resets both ends (RST). */
  cut(): number;
  /** Tells the named side, by a FIN, that the other one sends nothing more; what that one sends is swallowed. */
  halfClose(side: ProxySide): number;
  /** Swallows all bytes and the end of either side, so that both take the connection for open, until `restore`. New ones get through. */
  blackHole(): number;
  /** Ends black holes: connections that lost bytes are cut, the others go on. */
  restore(): number;
  /** Holds bytes of both directions back for so long, then delivers them. */
  stall(ms: number): number;
  /** While on, new connections are reset at once. */
  refuse(on: boolean): void;
  /** Lets faults happen at random times until it is stopped. */
  chaos(plan?: ChaosPlan): ChaosRun;
  /** Stops the driver, cuts every connection and listens no more. Idempotent. */
  close(): Promise<void>;
}

/** Starts a proxy and resolves when it listens, on a free port. */
export async function createChaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  return new LoopbackProxy(server, options);
}

class LoopbackProxy implements ChaosProxy {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #server: Server;
  readonly #target: ProxyTarget;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #runs = new Set<ChaosRun>();
  /** Timers of the stalls that are on. */
  readonly #stalls = new Set<unknown>();
  readonly #tally: ProxyTally = { swallowedBytes: 0 };
  readonly #counts = { cut: 0, halfClose: 0, blackHole: 0, stall: 0, refused: 0, accepted: 0 };
  #refuses = false;
  #closing: Promise<void> | undefined;

  constructor(server: Server, { target, clock, random }: ChaosProxyOptions) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a proxy listens on TCP");
    this.port = address.port;
    this.#server = server;
    this.#target = target;
    this.#clock = clock ?? systemClock;
    this.#random = randomFrom(random ?? Math.random);
    server.on("connection", (client) => this.#accept(client));
  }

  get endpoint(): string {
    return `tcp://${this.host}:${this.port}`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get counts(): Readonly<FaultCounts> {
    return { ...this.#counts, swallowedBytes: this.#tally.swallowedBytes };
  }

  cut(): number {
    return this.#hit("cut", (connection) => connection.cut());
  }

  halfClose(side: ProxySide): number {
    return this.#hit("halfClose", (connection) => connection.halfClose(side));
  }

  blackHole(): number {
    return this.#hit("blackHole", (connection) => connection.blackHole());
  }

  restore(): number {
    const holed = [...this.#connections].filter((connection) => connection.holed);
    for (const connection of holed) connection.restore();
    return holed.length;
  }

  stall(ms: number): number {
    const held = [...this.#connections];
    const count = this.#hit("stall", (connection) => connection.hold());
    const timer = this.#clock.setTimeout(() => {
      this.#stalls.delete(timer);
      for (const connection of held) connection.release();
    }, ms);
    this.#stalls.add(timer);
    return count;
  }

  refuse(on: boolean): void {
    this.#refuses = on;
  }

  chaos(plan: ChaosPlan = {}): ChaosRun {
    const run = runChaos(this, plan, this.#clock, this.#random, () => this.#runs.delete(run));
    this.#runs.add(run);
    return run;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const run of this.#runs) run.stop();
    for (const timer of this.#stalls) this.#clock.clearTimeout(timer);
    this.#stalls.clear();
    this.#refuses = true;
    for (const connection of this.#connections) connection.cut();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #hit(fault: "cut" | "halfClose" | "blackHole" | "stall", strike: (connection: ProxiedConnection) => void): number {
    const hit = [...this.#connections];
    for (const connection of hit) strike(connection);
    this.#counts[fault] += hit.length;
    return hit.length;
  }

  #accept(client: Socket): void {
    if (this.#refuses) {
      this.#counts.refused += 1;
      client.on("error", () => undefined);
      reset(client);
      return;
    }
    this.#counts.accepted += 1;
    const target = connect({ host: "127.0.0.1", ...this.#target, allowHalfOpen: true, noDelay: true });
    // A target that is not there resets it, and so its client, like every other lost connection.
    this.#connections.add(
      new ProxiedConnection(client, target, this.#tally, (connection) => this.#connections.delete(connection)),
    );
  }
}

import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { CallPort, Transport } from "../../words/transport.ts";
import type { Pass } from "../../tools/availability.ts";
import type { BackoffOptions } from "../../tools/backoff.ts";
import { rendezvousScore, rendezvousSeed } from "../../tools/rendezvous.ts";
import { Single } from "../../tools/single.ts";
import { wholeNumber } from "../../tools/option-checks.ts";
import type { Course } from "../../machines/course.ts";
import { Lifetime } from "../../machines/lifetime.ts";
import { ComposedTransport, coursePort, SEVERAL_SERVERS } from "./composed.ts";
import { Part } from "./part.ts";
import { patternsOfNone } from "./pattern-parts.ts";

/**
 * Which server a call goes to. `round-robin`: one after the other. `least-in-flight`: the one with the fewest calls and streams of this
 * transport under way. `sticky`: calls of one key go to one server, and when it is gone to one other; a key of undefined goes anywhere.
 * The input of client streams and bidi streams is undefined there, since none of it has come yet.
 */
export type BalanceStrategy =
  | "round-robin"
  | "least-in-flight"
  | { readonly sticky: (input: unknown, context: CallContext) => string | undefined };

/** How servers are chosen and left out; a server that was left out is tried again after a wait, drawn between 0 and a bound that grows. */
export interface BalanceOptions extends BackoffOptions {
  /** Default: `round-robin`. */
  readonly strategy?: BalanceStrategy | undefined;
  /**
   * Answers of UNAVAILABLE in a row after which a server is left out. One that cannot be reached, or whose connection is lost for good, is left out
   * at once. Default: 5.
   */
  readonly failures?: number | undefined;
  /** Default: that of the transports. */
  readonly clock?: Clock | undefined;
  /** Gives numbers from 0 up to, not including, 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/**
 * Shares calls out among servers that serve the same. One that says that it is down (`isDown`) gets none while there is another. A call that certainly did not arrive goes on to another server. When none is left
 * it fails UNAVAILABLE, reason NO_SERVER, naming the last error. Throws INVALID_ARGUMENT for options that cannot be.
 */
export function balance(transports: readonly Transport[], options: BalanceOptions = {}): Transport {
  const [first] = transports;
  if (first === undefined)
    throw new RpcError("INVALID_ARGUMENT", "balance() needs at least one transport", { reason: "INVALID_ARGUMENT" });
  const servers = new Servers(transports, options, options.clock ?? first.clock ?? systemClock);
  const endpoint = `one of ${transports.map((transport) => transport.endpoint).join(", ")}`;
  // One server is no choice: it has everything that it has alone.
  const several = transports.length === 1 ? undefined : patternsOfNone(endpoint);
  return new ComposedTransport({
    parts: [...transports],
    endpoint,
    patterns: several?.patterns,
    capabilities: several && { ...SEVERAL_SERVERS, ...several.capabilities },
    lifetime: servers.lifetime,
    port: coursePort((input, context) => new BalanceCourse(servers, input, context)),
  });
}

class Server extends Part {
  readonly seed: number;
  /** Calls and streams under way. */
  inFlight = 0;
  /** Answers of UNAVAILABLE in a row. */
  failures = 0;

  constructor(transport: Transport, name: string, clock: Clock, options: BalanceOptions) {
    super(transport, clock, options, options.random);
    this.seed = rendezvousSeed(name);
  }
}

/** What all calls share. */
class Servers {
  readonly maxFailures: number;
  readonly lifetime: Lifetime = new Lifetime();
  readonly #servers: readonly Server[];
  readonly #strategy: BalanceStrategy;
  #turn = 0;
  #lastError: RpcError | undefined = undefined;

  constructor(transports: readonly Transport[], options: BalanceOptions, clock: Clock) {
    this.#strategy = options.strategy ?? "round-robin";
    this.maxFailures = wholeNumber("failures", options.failures ?? 5, 1);
    const names = new Map<string, number>();
    this.#servers = transports.map((transport) => {
      // By its name, not its place in the list: keys stay where they are when the list changes.
      const count = (names.get(transport.endpoint) ?? 0) + 1;
      names.set(transport.endpoint, count);
      const name = count === 1 ? transport.endpoint : `${transport.endpoint} ${count}`;
      return new Server(transport, name, clock, options);
    });
  }

  keyOf(input: unknown, context: CallContext): string | undefined {
    const strategy = this.#strategy;
    if (typeof strategy === "string") return undefined;
    const isStream = context.method.kind !== "unary" && context.method.kind !== "notification";
    const value = isStream ? (input instanceof Single ? input.value : undefined) : input;
    try {
      return strategy.sticky(value, context);
    } catch (thrown) {
      const message = `${context.method.name}: the sticky key: ${RpcError.from(thrown).message}`;
      throw new RpcError("INTERNAL", message, { reason: "INTERNAL", delivered: "no", cause: thrown });
    }
  }

  /** The server for a call, among those that it has not been to. */
  choose(key: string | undefined, tried: ReadonlySet<Server> | undefined): Server | undefined {
    // Those that cannot be reached are better than none: a call there waits, as it would without balancing.
    return this.#best(key, tried, true) ?? this.#best(key, tried, false);
  }

  #best(key: string | undefined, tried: ReadonlySet<Server> | undefined, reachable: boolean): Server | undefined {
    const count = this.#servers.length;
    const start = this.#turn;
    let best: Server | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const index = (start + i) % count;
      const server = this.#servers[index];
      if (server === undefined || tried?.has(server) === true || !server.availability.isOpen) continue;
      if (reachable && !server.reachable()) continue;
      const score = key === undefined ? this.#score(server, i) : rendezvousScore(server.seed, key);
      if (score <= bestScore) continue;
      best = server;
      bestScore = score;
      if (key === undefined) this.#turn = (index + 1) % count;
    }
    return best;
  }

  /** The higher, the better; `distance` from the one whose turn it is. */
  #score(server: Server, distance: number): number {
    return this.#strategy === "least-in-flight" ? -server.inFlight : -distance;
  }

  lost(error: RpcError): void {
    this.#lastError = error;
  }

  noneLeft(context: CallContext): RpcError {
    const waitMs = Math.min(...this.#servers.map(({ availability }) => availability.opensInMs));
    const last = this.#lastError === undefined ? "" : `; the last error was: ${this.#lastError.message}`;
    const message = `${context.method.name}: none of ${this.#servers.length} servers can be reached, the next one is tried in ${Math.ceil(waitMs)} ms${last}`;
    return new RpcError("UNAVAILABLE", message, { reason: "NO_SERVER", delivered: "no", cause: this.#lastError });
  }
}

class BalanceCourse implements Course {
  readonly repeats = true;
  readonly #servers: Servers;
  readonly #context: CallContext;
  readonly #key: string | undefined;
  #server: Server | undefined = undefined;
  #pass: Pass = 0;
  #tried: Set<Server> | undefined = undefined;

  constructor(servers: Servers, input: unknown, context: CallContext) {
    this.#servers = servers;
    this.#context = context;
    this.#key = servers.keyOf(input, context);
  }

  enter(): CallPort {
    const server = this.#servers.choose(this.#key, this.#tried);
    if (server === undefined) throw this.#servers.noneLeft(this.#context);
    this.#server = server;
    this.#pass = server.availability.enter();
    server.inFlight++;
    return server.transport;
  }

  answered(): void {
    const server = this.#server;
    if (server === undefined) return;
    server.failures = 0;
    server.availability.worked(this.#pass);
  }

  left(error: RpcError | undefined, repeatable: boolean): boolean {
    const server = this.#server;
    if (server === undefined) return false;
    this.#server = undefined;
    server.inFlight--;
    this.#judge(server, error);
    if (!repeatable || this.#servers.lifetime.closed || error?.code !== "UNAVAILABLE" || error.delivered !== "no")
      return false;
    this.#tried ??= new Set();
    this.#tried.add(server);
    return true;
  }

  /** What the end of a call says about its server. */
  #judge(server: Server, error: RpcError | undefined): void {
    if (error?.code === "CANCELLED" || error?.code === "DEADLINE_EXCEEDED") {
      return server.availability.abandoned(this.#pass);
    }
    if (error?.code !== "UNAVAILABLE") {
      server.failures = 0;
      return server.availability.worked(this.#pass);
    }
    this.#servers.lost(error);
    server.failures++;
    // Without a word about its way the error is the server's own: it is there, and may know better the next time.
    if (error.delivered === undefined && server.failures < this.#servers.maxFailures && !server.availability.isDown)
      return;
    server.availability.failed(this.#pass);
  }
}

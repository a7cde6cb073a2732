import { type Channel, type Clock, createMemoryChannelPair, RpcError } from "@rpc/core/transport";
import { ChaosWire, type WireHost } from "./chaos-wire.ts";
import { drawFate, type Fate, type FateKind, type FatePlan } from "./fate.ts";
import { createRandom, type Random, type Span } from "./random.ts";

/** How badly the connections of `createChaosChannels` are treated. */
export interface ChannelPlan extends FatePlan {
  /** How long a message takes, drawn for each connection. Default: 0 to 20. */
  readonly latencyMs?: Span;
  /** How long connecting takes. Default: 0 to 30. */
  readonly dialMs?: Span;
  /** Share of the dials that are refused UNAVAILABLE. Default: 0.1. */
  readonly refused?: number;
  /** Share of the dials that hang until their signal aborts. Default: 0.02. */
  readonly hanging?: number;
  /** Dials in a row that may fail or be struck before their twelfth message. Default: 2, so that no outage lasts for long. */
  readonly badInARow?: number;
  /** Dials at the beginning that succeed, their connections unharmed before their twelfth message. Default: 0. */
  readonly spared?: number;
}

/** Options of `createChaosChannels`. */
export interface ChaosChannelsOptions {
  /** The same seed, clock and traffic give the same faults. */
  readonly seed: number;
  readonly clock: Clock;
  /** Takes the far end of each connection. */
  accept(channel: Channel): void;
  readonly plan?: ChannelPlan;
}

/** Connections in this process that come to harm, all by the clock that they are given and by a seed. */
export interface ChaosChannels {
  /** Connects: hands one end to `accept` and resolves with the other. Rejects UNAVAILABLE, or with the reason of the signal. */
  dial(signal?: AbortSignal): Promise<Channel>;
  /** From here on no connection comes to harm any more; what has begun goes its way. */
  calm(): void;
  /** Cuts all connections: the dialing ends hear of it at once, the accepting ones after so long. Default: 0. */
  cut(acceptorLearnsAfterMs?: number): void;
  /** Connections of which at least one end was not told its end. */
  readonly connections: number;
  /** What happened to connections so far, and `refused` and `hanging` dials, by kind. */
  readonly counts: Readonly<Record<ChannelFault, number>>;
  /** What happened, line by line with the time, for reading a seed that fails. */
  readonly story: readonly string[];
  /** Ends every connection, tells nobody, and leaves no timer behind. */
  close(): void;
}

/** What can happen to a dial or a connection. */
export type ChannelFault = FateKind | "refused" | "hanging";

/** Before so many messages a connection has hardly more than its handshake behind it. */
const EARLY_MESSAGES = 12;

const LATENCY_MS: Span = [0, 20];
const DIAL_MS: Span = [0, 30];

/** Makes a way to dial whose connections live as badly as the plan says. */
export function createChaosChannels(options: ChaosChannelsOptions): ChaosChannels {
  return new SeededChannels(options);
}

class SeededChannels implements ChaosChannels {
  readonly #options: ChaosChannelsOptions;
  readonly #plan: ChannelPlan;
  readonly #random: Random;
  readonly #wires = new Set<ChaosWire>();
  /** What gives up a dial that is under way. */
  readonly #dials = new Set<(reason: unknown) => void>();
  readonly #story: string[] = [];
  readonly #counts: Record<ChannelFault, number> = {
    cut: 0,
    blackHole: 0,
    lost: 0,
    stall: 0,
    halfClose: 0,
    refused: 0,
    hanging: 0,
  };
  readonly #host: WireHost;
  #calm = false;
  #bad = 0;
  #dialCount = 0;

  constructor(options: ChaosChannelsOptions) {
    this.#options = options;
    this.#plan = options.plan ?? {};
    this.#random = createRandom(options.seed);
    this.#host = {
      clock: options.clock,
      isCalm: () => this.#calm,
      struck: (name, fate, messages) => {
        this.#counts[fate.kind] += 1;
        if (fate.kind !== "stall") this.#bad = messages < EARLY_MESSAGES ? this.#bad + 1 : 0;
        this.#tell(`${name}: ${describeFate(fate)} at message ${messages}`);
      },
      ended: (name, side) => this.#tell(`${name}: over for the ${side}`),
      gone: (wire) => this.#wires.delete(wire),
    };
  }

  get connections(): number {
    return this.#wires.size;
  }

  get counts(): Readonly<Record<ChannelFault, number>> {
    return this.#counts;
  }

  get story(): readonly string[] {
    return this.#story;
  }

  calm(): void {
    this.#calm = true;
    this.#tell("calm from here on");
  }

  cut(acceptorLearnsAfterMs = 0): void {
    for (const wire of this.#wires) {
      wire.strike({ kind: "cut", atMessage: 0, dialerLearnsMs: 0, acceptorLearnsMs: acceptorLearnsAfterMs });
    }
  }

  dial(signal?: AbortSignal): Promise<Channel> {
    const name = `connection ${++this.#dialCount}`;
    // Drawn first and by each dial for itself: when a dial happens must not change what happens to the others.
    const random = this.#random.fork();
    const dialMs = random.between(...(this.#plan.dialMs ?? DIAL_MS));
    const isSpared = this.#dialCount <= (this.#plan.spared ?? 0);
    const mayFail = !this.#calm && !isSpared && this.#bad < (this.#plan.badInARow ?? 2);
    const hangs = random.chance(this.#plan.hanging ?? 0.02) && mayFail;
    const refused = random.chance(this.#plan.refused ?? 0.1) && mayFail;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#options.clock.clearTimeout(timer);
        this.#dials.delete(giveUp);
        signal?.removeEventListener("abort", abort);
      };
      const giveUp = (reason: unknown): void => {
        settle();
        reject(RpcError.from(reason));
      };
      const abort = (): void => giveUp(signal?.reason);
      const answer = (): void => {
        settle();
        if (refused) reject(new RpcError("UNAVAILABLE", `${name} was refused`, { reason: "REFUSED", delivered: "no" }));
        else resolve(this.#connect(name, random, mayFail));
      };
      // A dial that hangs has a timer all the same, so that it is found when nobody aborts it.
      const timer = this.#options.clock.setTimeout(hangs ? () => undefined : answer, hangs ? HANGING_MS : dialMs);
      this.#dials.add(giveUp);
      signal?.addEventListener("abort", abort);
      if (hangs || refused) {
        this.#bad += 1;
        this.#counts[hangs ? "hanging" : "refused"] += 1;
        this.#tell(`${name}: ${hangs ? "hangs" : "is refused"}`);
      }
      if (signal?.aborted === true) abort();
    });
  }

  close(): void {
    for (const giveUp of this.#dials) giveUp(new RpcError("UNAVAILABLE", "the channels were closed"));
    for (const wire of this.#wires) wire.drop();
    this.#wires.clear();
  }

  #connect(name: string, random: Random, mayFail: boolean): Channel {
    const latencyMs = random.between(...(this.#plan.latencyMs ?? LATENCY_MS));
    const draw = (messages: number): Fate | undefined =>
      drawFate(random, this.#plan, messages, mayFail ? 0 : EARLY_MESSAGES);
    if (!mayFail) this.#bad = 0;
    const [near, far] = createMemoryChannelPair();
    const wire = new ChaosWire(name, near, far, latencyMs, draw, this.#host);
    this.#wires.add(wire);
    this.#tell(`${name}: made, ${latencyMs} ms`);
    this.#options.accept(wire.accepted);
    return wire.dialed;
  }

  #tell(line: string): void {
    this.#story.push(`${this.#options.clock.now()} ${line}`);
  }
}

/** A day: longer than any test, and found by `pendingCount`. */
const HANGING_MS = 86_400_000;

function describeFate(fate: Fate): string {
  switch (fate.kind) {
    case "cut":
      return `cut, dialer learns after ${fate.dialerLearnsMs} ms, acceptor after ${fate.acceptorLearnsMs} ms`;
    case "blackHole":
      return `black hole, dialer learns after ${fate.dialerLearnsMs} ms, acceptor after ${fate.acceptorLearnsMs} ms`;
    case "lost":
      return "black hole for good";
    case "stall":
      return `stall of ${fate.stallMs} ms`;
    case "halfClose":
      return `half close, told to the ${fate.told}`;
    default:
      return fate satisfies never;
  }
}

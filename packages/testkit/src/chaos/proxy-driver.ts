import type { Clock } from "@rpc/core/transport";
import type { ProxySide } from "./proxied-connection.ts";
import { createRandom, type Random, type Span } from "./random.ts";

/** What a driver may do to all connections at once. */
export type ChaosFault = "cut" | "halfCloseClient" | "halfCloseServer" | "blackHole" | "stall" | "refuse";

/** When and how often things go wrong. */
export interface ChaosPlan {
  /** The same seed gives the same faults at the same times. Default: what the proxy's own `random` gives. */
  readonly seed?: number;
  /** Time from one fault to the next. Default: 50 to 500. */
  readonly everyMs?: Span;
  /** How often each fault happens, as weights; one that is not named does not happen. Default: all, cuts most often. */
  readonly faults?: Readonly<Partial<Record<ChaosFault, number>>>;
  /** How long bytes are held back. Default: 20 to 300. */
  readonly stallMs?: Span;
  /** How long a black hole stays silent until its connections are cut. Default: 200 to 2,000. */
  readonly blackHoleMs?: Span;
  /** How long new connections are refused, those that are open being cut. Default: 50 to 500. */
  readonly refuseMs?: Span;
  /** Hears of each fault and of the number of connections that it hits. Default: nobody does. */
  readonly onFault?: (fault: ChaosFault, connections: number) => void;
}

/** A running driver. */
export interface ChaosRun {
  /** Ends it, and with it the black holes and refusals that it began. Idempotent. */
  stop(): void;
}

/** Faults by kind: connections hit, those taken and refused, and bytes that vanished. */
export interface FaultCounts {
  cut: number;
  halfClose: number;
  blackHole: number;
  stall: number;
  refused: number;
  accepted: number;
  swallowedBytes: number;
}

/** The faults of a proxy, as the driver uses them. */
interface Driven {
  cut(): number;
  halfClose(side: ProxySide): number;
  blackHole(): number;
  restore(): number;
  stall(ms: number): number;
  refuse(on: boolean): void;
}

const EVERY_MS: Span = [50, 500];
const STALL_MS: Span = [20, 300];
const BLACK_HOLE_MS: Span = [200, 2_000];
const REFUSE_MS: Span = [50, 500];
const FAULTS: Readonly<Record<ChaosFault, number>> = {
  cut: 8,
  halfCloseClient: 2,
  halfCloseServer: 2,
  blackHole: 2,
  stall: 4,
  refuse: 1,
};

/** Drives a proxy by a plan until it is stopped. */
export function runChaos(
  proxy: Driven,
  plan: ChaosPlan,
  clock: Clock,
  fallback: Random,
  stopped: () => void,
): ChaosRun {
  const random = plan.seed === undefined ? fallback.fork() : createRandom(plan.seed);
  const timers = new Set<unknown>();
  let isStopped = false;

  function later(span: Span, run: () => void): void {
    const timer = clock.setTimeout(
      () => {
        timers.delete(timer);
        run();
      },
      random.between(...span),
    );
    timers.add(timer);
  }
  function strike(fault: ChaosFault): number {
    switch (fault) {
      case "cut":
        return proxy.cut();
      case "halfCloseClient":
        return proxy.halfClose("client");
      case "halfCloseServer":
        return proxy.halfClose("server");
      case "blackHole":
        later(plan.blackHoleMs ?? BLACK_HOLE_MS, () => void proxy.restore());
        return proxy.blackHole();
      case "stall":
        return proxy.stall(random.between(...(plan.stallMs ?? STALL_MS)));
      case "refuse":
        proxy.refuse(true);
        later(plan.refuseMs ?? REFUSE_MS, () => proxy.refuse(false));
        return proxy.cut();
      default:
        return fault satisfies never;
    }
  }
  function next(): void {
    later(plan.everyMs ?? EVERY_MS, () => {
      const fault = random.weighted(plan.faults ?? FAULTS);
      if (fault !== undefined) {
        const hit = strike(fault);
        plan.onFault?.(fault, hit);
      }
      next();
    });
  }

  next();
  return {
    stop() {
      if (isStopped) return;
      isStopped = true;
      for (const timer of timers) clock.clearTimeout(timer);
      timers.clear();
      proxy.refuse(false);
      proxy.restore();
      stopped();
    },
  };
}

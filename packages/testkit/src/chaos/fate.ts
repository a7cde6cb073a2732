import type { Random, Span } from "./random.ts";

/** Which end of a connection in this process. */
export type WireSide = "dialer" | "acceptor";

/** What becomes of a connection once so many messages were sent over it, both directions counted together. */
export type Fate = { readonly atMessage: number } & (
  | {
      /** `cut`: each end learns of it in its own time, often soon. `blackHole`: nothing passes for long, then each learns. */
      readonly kind: "cut" | "blackHole";
      readonly dialerLearnsMs: number;
      readonly acceptorLearnsMs: number;
    }
  /** Nothing passes any more and nobody is ever told: only life signs find it. */
  | { readonly kind: "lost" }
  /** What is under way waits, then goes on. */
  | { readonly kind: "stall"; readonly stallMs: number }
  /** One end is told that the other sends nothing more; what that one sends vanishes. */
  | { readonly kind: "halfClose"; readonly told: WireSide }
);

export type FateKind = Fate["kind"];

/** What connections have to fear. */
export interface FatePlan {
  /** How often each fate is drawn, as weights; one that is not named is not. Default: all, cuts most often. */
  readonly fates?: Readonly<Partial<Record<FateKind | "none", number>>>;
  /** After how many messages of a connection its fate strikes. Default: 0 to 120. */
  readonly atMessage?: Span;
  /** How long one end of a cut connection takes it for open. Half of them learn at once. Default: 0 to 400. */
  readonly learnsMs?: Span;
  /** How long a black hole lasts until it becomes a cut. Default: 100 to 3,000. */
  readonly blackHoleMs?: Span;
  /** Default: 10 to 800. */
  readonly stallMs?: Span;
}

const FATES: Readonly<Record<FateKind | "none", number>> = {
  none: 0,
  cut: 8,
  blackHole: 2,
  lost: 1,
  stall: 3,
  halfClose: 1,
};
const AT_MESSAGE: Span = [0, 120];
const LEARNS_MS: Span = [0, 400];
const BLACK_HOLE_MS: Span = [100, 3_000];
const STALL_MS: Span = [10, 800];

/** Draws what becomes of a connection that has sent `messages` already, not before message number `least`. */
export function drawFate(random: Random, plan: FatePlan, messages: number, least: number): Fate | undefined {
  const kind = random.weighted(plan.fates ?? FATES);
  const [from, to] = plan.atMessage ?? AT_MESSAGE;
  const atMessage = Math.max(messages + random.between(from, to), least);
  const learns = (): number => (random.chance(0.5) ? 0 : random.between(...(plan.learnsMs ?? LEARNS_MS)));
  switch (kind) {
    case undefined:
    case "none":
      return undefined;
    case "cut":
      return { kind, atMessage, dialerLearnsMs: learns(), acceptorLearnsMs: learns() };
    case "blackHole": {
      const silentMs = random.between(...(plan.blackHoleMs ?? BLACK_HOLE_MS));
      return { kind, atMessage, dialerLearnsMs: silentMs + learns(), acceptorLearnsMs: silentMs + learns() };
    }
    case "lost":
      return { kind, atMessage };
    case "stall":
      return { kind, atMessage, stallMs: random.between(...(plan.stallMs ?? STALL_MS)) };
    case "halfClose":
      return { kind, atMessage, told: random.chance(0.5) ? "dialer" : "acceptor" };
    default:
      return kind satisfies never;
  }
}

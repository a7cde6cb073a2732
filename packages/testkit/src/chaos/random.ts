/** Chance that can be repeated: the same seed gives the same numbers, on every machine. */
export interface Random {
  /** At least 0 and below 1. */
  next(): number;
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** True for `share` of the asks: 0 never, 1 always. */
  chance(share: number): boolean;
  /** One of the names, each as often as its weight says; undefined when no weight is above 0. */
  weighted<Name extends string>(weights: Readonly<Partial<Record<Name, number>>>): Name | undefined;
  /** A source of its own, so that what one part draws does not shift what another one gets. */
  fork(): Random;
}

/** A source of chance from a seed (mulberry32). Not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  return randomFrom(() => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  });
}

/** The same over numbers from elsewhere, such as `Math.random`. */
export function randomFrom(next: () => number): Random {
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (share) => next() < share,
    weighted: (weights) => {
      const entries = Object.entries<number | undefined>(weights).map(([name, weight]) => [name, weight ?? 0] as const);
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        // What Object.entries gives of these weights are their names.
        if (weight > 0 && left < weight) return name as keyof typeof weights;
        left -= weight;
      }
      return undefined;
    },
    fork: () => createRandom(Math.floor(next() * 4_294_967_296)),
  };
}

/** From the first to the second, both included. */
export type Span = readonly [least: number, most: number];

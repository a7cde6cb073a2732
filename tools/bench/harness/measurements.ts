/** What a run of the bench holds: for each entrant and figure all values, or the reason why there is none. */
import type { FigureId } from "./figures.ts";
import { figuresOf, type Load } from "./figures.ts";
import type { RosterEntry } from "./roster.ts";

export type Outcome = { readonly values: readonly number[]; readonly median: number } | { readonly missing: string };

export class Measurements {
  readonly #values = new Map<string, number[]>();
  readonly #missing = new Map<string, string>();

  add(entry: RosterEntry, figure: FigureId, value: number): void {
    const key = keyOf(entry.name, figure);
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [value]);
    else values.push(value);
  }

  /** The first reason stays. A figure that failed once is not shown at all: half a series is no median. */
  markMissing(entry: RosterEntry, load: Load, reason: string): void {
    for (const { id } of figuresOf(load)) this.markFigureMissing(entry, id, reason);
  }

  markFigureMissing(entry: RosterEntry, figure: FigureId, reason: string): void {
    const key = keyOf(entry.name, figure);
    if (!this.#missing.has(key)) this.#missing.set(key, reason);
  }

  isMissing(entry: RosterEntry, load: Load): boolean {
    return figuresOf(load).every(({ id }) => this.#missing.has(keyOf(entry.name, id)));
  }

  outcome(entrantName: string, figure: FigureId): Outcome {
    const key = keyOf(entrantName, figure);
    const reason = this.#missing.get(key);
    if (reason !== undefined) return { missing: reason };
    const values = this.#values.get(key);
    return values === undefined ? { missing: NOT_IN_RUN } : { values, median: medianOf(values) };
  }

  median(entrantName: string, figure: FigureId): number | undefined {
    const outcome = this.outcome(entrantName, figure);
    return "median" in outcome ? outcome.median : undefined;
  }
}

export const NOT_IN_RUN = "not measured in this run";

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function keyOf(entrantName: string, figure: FigureId): string {
  return `${entrantName}/${figure}`;
}

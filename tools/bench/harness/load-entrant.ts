import type { Entrant, PatternEntrants } from "./entrant.ts";

/** The entrant's own libraries are loaded only in the processes that measure it. */
export async function loadEntrant(name: string): Promise<Entrant> {
  const module = (await import(`../entrants/${name}.ts`)) as { entrant: Entrant };
  return module.entrant;
}

/** What an entrant offers for one of the loads in `patterns/`. */
export async function loadPattern<Load extends keyof PatternEntrants>(
  name: string,
  load: Load,
): Promise<PatternEntrants[Load]> {
  const module = (await import(`../entrants/${name}.ts`)) as Partial<PatternEntrants>;
  const found = module[load];
  if (found === undefined) throw new Error(`entrants/${name}.ts does not export "${load}"`);
  return found;
}

import type { Entrant } from "./entrant.ts";

export async function loadEntrant(name: string): Promise<Entrant> {
  // The name comes from the roster; each file there exports its entrant under this one name.
  const module = (await import(`../entrants/${name}.ts`)) as { entrant: Entrant };
  return module.entrant;
}

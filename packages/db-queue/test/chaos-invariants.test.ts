import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runInvariants } from "./chaos-invariants.ts";
import { createDatabase } from "./postgres-database.ts";

// `node tools/soak/queue.ts invariants` runs tens of thousands, and other seeds.
const SEED = 4711;
const LIMIT = { timeout: 180_000 };

it(
  "Q10 Q50 Q54 Q58 H179 H180 H181 H182 PostgreSQL: eight agents, killed and frozen at random, keep every promise",
  LIMIT,
  async () => {
    const at = { url: await createDatabase() };
    const verdict = await runInvariants({ seed: SEED, commands: 2000, agents: 8, at });
    expect(verdict.violations).toEqual([]);
    expect(verdict.counts["kills"]).toBeGreaterThan(0);
  },
);

it(
  "Q10 Q50 Q54 Q58 H179 H180 H181 H182 H205 SQLite: eight agents, killed and frozen at random, keep every promise",
  LIMIT,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "rpc-chaos-"));
    try {
      const verdict = await runInvariants({
        seed: SEED,
        commands: 1000,
        agents: 8,
        at: { file: join(folder, "queue.db") },
      });
      expect(verdict.violations).toEqual([]);
      expect(verdict.counts["kills"]).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

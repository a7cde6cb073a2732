import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mountSmallDisk, type SmallDisk } from "./chaos-disk.ts";
import { runScenario, SQLITE_SCENARIOS } from "./chaos-scenarios.ts";

const SCALE = {
  agents: 3,
  harmMs: 1000,
  store: { lockTimeoutMs: 300 },
  agentOptions: { concurrency: 2, leaseMs: 4000, reaper: { everyMs: 500 } },
};
// Agents that are killed are the invariants' business, on both stores.
const SCENARIOS = SQLITE_SCENARIOS.filter(({ rows }) => rows === "H196");
// Where nobody may mount a disk, a file that may not grow is all the room there is.
const PLACES: readonly (readonly [string, () => SmallDisk | undefined])[] = [
  ["a file", () => undefined],
  ...(canMount() ? [["a disk of its own", () => mountSmallDisk(8)] as const] : []),
];

it.for(
  SCENARIOS.flatMap((scenario) =>
    PLACES.filter(([where]) => scenario.id === "disk-full" || where === "a file").map(
      ([where, mount]) => [scenario.rows, scenario.id, where, scenario, mount] as const,
    ),
  ),
)(
  "%s SQLite, %s on %s: agents stay up and go on without help, nothing is lost, nothing runs twice that must not",
  { timeout: 120_000 },
  async ([, , , scenario, mount]) => {
    const disk = mount();
    const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), "rpc-chaos-"));
    try {
      const report = await runScenario(scenario, SCALE, { file: join(folder, "queue.db"), disk });
      expect(report.violations).toEqual([]);
      expect(report.counts["done"]).toBeGreaterThan(20);
    } finally {
      if (disk === undefined) rmSync(folder, { recursive: true, force: true });
      else disk.unmount();
    }
  },
);

function canMount(): boolean {
  const disk = mountSmallDisk(1);
  disk?.unmount();
  return disk !== undefined;
}

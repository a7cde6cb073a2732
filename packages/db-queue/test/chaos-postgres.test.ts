import { afterAll, beforeAll, expect, it } from "vitest";
import { POSTGRES_SCENARIOS, runScenario } from "./chaos-scenarios.ts";
import { startPostgres, type TestServer } from "./embedded-postgres.ts";
import { createDatabase } from "./postgres-database.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startPostgres({ settings: ["max_connections=60"] });
}, 60_000);
afterAll(() => server.stop());

const SCALE = {
  agents: 3,
  harmMs: 1500,
  store: { statementTimeoutMs: 1000, connectTimeoutMs: 1000, keepAliveMs: 500 },
  agentOptions: { concurrency: 2, leaseMs: 4000, reaper: { everyMs: 500 } },
};

it.for(POSTGRES_SCENARIOS.map((scenario) => [scenario.rows, scenario.id, scenario] as const))(
  "%s PostgreSQL, %s: agents stay up and go on without help, nothing is lost, nothing runs twice that must not",
  { timeout: 120_000 },
  async ([, , scenario]) => {
    const report = await runScenario(scenario, SCALE, { server, url: await createDatabase(server.url()) });
    expect(report.violations).toEqual([]);
    expect(report.counts["done"]).toBeGreaterThan(20);
  },
);

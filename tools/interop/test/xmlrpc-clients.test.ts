import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callCases, httpCases, valueCases } from "../xmlrpc/cases.ts";
import { asExpected, clientLosses } from "../xmlrpc/losses.ts";
import { clientPrograms, runClient } from "../xmlrpc/programs.ts";
import { PASSWORD, serveForClients, type Served, USER } from "../xmlrpc/server.ts";

const programs = clientPrograms();
const START_MS = 60_000;

it("finds every foreign client where CI runs", () => {
  const missing = programs.map(({ name, missing }) => (missing === undefined ? undefined : `${name} ${missing}`));
  expect(process.env["CI"] ? missing.filter((reason) => reason !== undefined) : []).toEqual([]);
});

// Skipped only on a developer's machine: in CI the test above fails then.
describe.each(programs)("X34 $name calls our server", ({ id, command, missing }) => {
  let served: Served | undefined;
  let outcomes: ReadonlyMap<string, string> = new Map();
  const folder = mkdtempSync(join(tmpdir(), "rpc-xmlrpc-"));

  beforeAll(async () => {
    if (missing !== undefined) return;
    served = await serveForClients();
    outcomes = await runClient(command(folder), [served.open, served.database, USER, PASSWORD]);
  }, START_MS);
  afterAll(async () => {
    await served?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const rows = [...valueCases, ...callCases, ...(id === "curl" ? httpCases : [])];
  it.skipIf(missing !== undefined).each(rows)(
    `$title${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    (row) => {
      const loss = clientLosses[id]?.[row.id];
      expect(asExpected(outcomes.get(row.id), loss)).toBe(loss?.seen ?? "ok");
    },
  );

  it.skipIf(missing !== undefined)("tries what is tried with all of them", () => {
    expect([...outcomes.keys()].toSorted()).toEqual(rows.map((row) => row.id).toSorted());
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Decimal } from "@rpc/xmlrpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serverCases, valueCases } from "../xmlrpc/cases.ts";
import { asExpected, serverLosses } from "../xmlrpc/losses.ts";
import { readExtensions, runOurClient, sentToApache } from "../xmlrpc/our-client.ts";
import { type RunningServer, serverPrograms, startServer } from "../xmlrpc/programs.ts";

const programs = serverPrograms();
const START_MS = 60_000;

it("finds every foreign server where CI runs", () => {
  const missing = programs.map(({ name, missing }) => (missing === undefined ? undefined : `${name} ${missing}`));
  expect(process.env["CI"] ? missing.filter((reason) => reason !== undefined) : []).toEqual([]);
});

// Skipped only on a developer's machine: in CI the test above fails then.
describe.each(programs.filter(({ id }) => id !== "apache"))(
  "X34 our client calls $name",
  ({ id, command, missing }) => {
    let outcomes: ReadonlyMap<string, string> = new Map();
    const folder = mkdtempSync(join(tmpdir(), "rpc-xmlrpc-"));

    beforeAll(async () => {
      if (missing !== undefined) return;
      await using server = await startServer(command(folder));
      outcomes = await runOurClient(server.url);
    }, START_MS);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const rows = [...valueCases, ...serverCases];
    it.skipIf(missing !== undefined).each(rows)(
      `$title${missing === undefined ? "" : ` (skipped: ${missing})`}`,
      (row) => {
        const loss = serverLosses[id]?.[row.id];
        expect(asExpected(outcomes.get(row.id), loss)).toBe(loss?.seen ?? "ok");
      },
    );
  },
);

const apache = programs.find(({ id }) => id === "apache");

describe.skipIf(apache?.missing !== undefined)("Apache's extensions", () => {
  let server: RunningServer | undefined;
  beforeAll(async () => {
    if (apache !== undefined) server = await startServer(apache.command(""));
  }, START_MS);
  afterAll(() => server?.[Symbol.asyncDispose]());

  it("are read by our client, but for Java's own objects", async () => {
    const outcomes = await readExtensions(server?.url ?? "");
    expect(Object.fromEntries([...outcomes].filter(([name]) => name !== "serializable"))).toEqual({
      i1: "-128",
      i2: "32767",
      i8: "9007199254740993n",
      float: "0.5",
      bigdecimal: "decimal 12345678901234567890.123456789",
      biginteger: "123456789012345678901234567890n",
      nil: "[null]",
    });
    expect(outcomes.get("serializable")).toMatch(/serializable/);
  });

  it("are written with their prefix in the profile apache", async () => {
    const value = [null, 2n ** 53n + 1n, 2n ** 70n, new Decimal("0.10")];
    const document = await sentToApache(server?.url ?? "", value);
    expect(document).toContain('xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"');
    for (const part of [
      "<ex:nil/>",
      "<ex:i8>9007199254740993</ex:i8>",
      "<ex:biginteger>1180591620717411303424</ex:biginteger>",
      "<ex:bigdecimal>0.10</ex:bigdecimal>",
    ])
      expect(document).toContain(part);
  });
});

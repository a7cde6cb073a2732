import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { dynamicRouter } from "@rpc/core";
import { expect, it, onTestFinished } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";

const PROGRAM = fileURLToPath(new URL("issuer-program.ts", import.meta.url));
const ADDRESS = "software_dev.buildbot:7";

// Its polls come after 11 s at the earliest: a process that waits for one is stopped before.
it("lets a program end that has had its answer, without having closed anything", { timeout: 20_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "rpc-issuer-"));
  const file = join(folder, "queue.db");
  await using store = createSqliteStore({ file });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await store.migrate();
  await store.ensureAddress(ADDRESS);
  const router = dynamicRouter();
  router.register({ hello: () => "there" }.hello);
  await using _agent = await serveDbQueue(router, { store, address: ADDRESS });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--experimental-strip-types", PROGRAM, file, ADDRESS],
    { env: { ...process.env, NODE_NO_WARNINGS: "1" }, timeout: 10_000 },
  );
  expect(stdout).toBe("there");
});

// One PostgreSQL per run of the tests, started when the first test file asks for it: who runs the files of SQLite does not wait for it.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres, type TestServer } from "./embedded-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresDoor: string;
  }
}

/** Answers each connection at a socket of its own with `{url}` or `{error}`, and closes it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "rpc-pg-door-"));
  let server: Promise<TestServer> | undefined;
  const door = createServer((socket) => {
    socket.on("error", () => undefined);
    server ??= startPostgres();
    server.then(
      (started) => socket.end(JSON.stringify({ url: started.url() })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  const path = join(folder, "door");
  await new Promise<void>((resolve) => {
    door.listen(path, resolve);
  });
  project.provide("postgresDoor", path);
  return async () => {
    door.close();
    rmSync(folder, { recursive: true, force: true });
    const started = await server?.catch(() => undefined);
    await started?.stop();
  };
}

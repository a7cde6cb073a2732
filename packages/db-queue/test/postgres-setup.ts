// One PostgreSQL per run of the tests, started when the first test file asks for it: who runs the files of SQLite does not wait for it.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres, type TestServer } from "./embedded-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresDoor: string;
  }
}

let folder = "";
let door: Server | undefined;
let server: Promise<TestServer> | undefined;

/** Answers each connection at a socket of its own with `{url}` or `{error}`, and closes it. */
export async function setup(project: TestProject): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "rpc-pg-door-"));
  door = createServer((socket) => {
    socket.on("error", () => undefined);
    server ??= startPostgres();
    server.then(
      (started) => socket.end(JSON.stringify({ url: started.url() })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  const path = join(folder, "door");
  door.listen(path);
  await once(door, "listening");
  project.provide("postgresDoor", path);
}

export async function teardown(): Promise<void> {
  door?.close();
  rmSync(folder, { recursive: true, force: true });
  const started = await server?.catch(() => undefined);
  await started?.stop();
}

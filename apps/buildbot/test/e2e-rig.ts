// A house of real processes: a server, bots, and repositories of git, each started as a user would, by its command.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { stringify } from "yaml";
import { connect, type Connection } from "../src/cli/connection.ts";
import type { BuildDetail, BuildRequest } from "../src/contracts/values.ts";
import { makeRepository, type Repository } from "./git-rig.ts";

const MAIN = join(import.meta.dirname, "..", "src", "cli", "main.ts");
/** Of what Node has compiled: each of the many processes starts in two thirds of the time. */
const COMPILED = join(import.meta.dirname, "..", ".results", "compiled");
const WAIT_MS = 60_000;

export interface HouseOptions {
  /** `postgres://…`. Default: SQLite, in the house's own folder. */
  readonly databaseUrl?: string | undefined;
  /** Of `buildbot server`, beside the rig's. */
  readonly serverArgs?: readonly string[];
  /** PEM of who has signed the server's certificate, where it has one. */
  readonly caFile?: string;
  /** For programs to start, which takes long where hundreds of others run. Default: 60,000. */
  readonly patienceMs?: number;
}

/** Builders by their names, as they stand in the configuration, but for their repository. */
export type Builders = Readonly<Record<string, object>>;

/** A process of the command `buildbot`, and what it says. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<number>;
  out = "";
  err = "";
  signal: NodeJS.Signals | null = null;

  constructor(args: readonly string[], env: Record<string, string> = {}, cwd?: string) {
    const { BUILDBOT_URL: _url, BUILDBOT_TOKEN: _token, DATABASE_URL: _database, ...inherited } = process.env;
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: { ...inherited, NO_COLOR: "1", NODE_COMPILE_CACHE: COMPILED, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.out += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.err += text));
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.signal = signal;
        resolve(code ?? -1);
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line that matches, when it has come. */
  async says(pattern: RegExp, patienceMs?: number): Promise<string> {
    await until(
      () => pattern.test(this.out) || this.child.exitCode !== null,
      () => `${this.out}\n${this.err}`,
      patienceMs,
    );
    const [, found = ""] = pattern.exec(this.out) ?? [];
    if (!pattern.test(this.out)) throw new Error(`it ended without saying ${pattern}:\n${this.out}\n${this.err}`);
    return found;
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.ended;
  }
}

export class House implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "buildbot-e2e-"));
  readonly repository: Repository = makeRepository(join(this.folder, "source"));
  admin = "";
  pageUrl = "";
  tcpUrl = "";
  readonly #programs = new Set<Program>();
  readonly #connections: Connection[] = [];
  readonly #botTokens = new Map<string, string>();
  readonly #options: HouseOptions;
  #server: Program | undefined;
  #people: Connection | undefined;

  private constructor(options: HouseOptions) {
    this.#options = options;
  }

  static async start(options: HouseOptions = {}): Promise<House> {
    const house = new House(options);
    house.repository.commit("Begin", { "hello.txt": "hello\n" });
    await house.startServer();
    return house;
  }

  get data(): string {
    return join(this.folder, "data");
  }

  get people(): Connection {
    if (this.#people === undefined) throw new Error("the server has not been started");
    return this.#people;
  }

  /** On the addresses that it had before, when it was there before. */
  async startServer(): Promise<Program> {
    const http = this.pageUrl === "" ? "127.0.0.1:0" : this.pageUrl;
    const tcp = this.tcpUrl === "" ? "127.0.0.1:0" : this.tcpUrl;
    const { databaseUrl, serverArgs = [], patienceMs } = this.#options;
    const env = databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl };
    const server = this.run(["server", "--data", this.data, "--http", http, "--tcp", tcp, ...serverArgs], env);
    this.pageUrl = await server.says(/^page:\s+(\S+)$/m, patienceMs);
    this.tcpUrl = await server.says(/^bots:\s+(\S+)$/m);
    if (this.admin === "") this.admin = await server.says(/^admin:\s+(\S+)$/m);
    this.#server = server;
    this.#people ??= await this.connect();
    return server;
  }

  get server(): Program {
    if (this.#server === undefined) throw new Error("the server has not been started");
    return this.#server;
  }

  async stopServer(signal: NodeJS.Signals): Promise<number> {
    return (await this.#server?.end(signal)) ?? 0;
  }

  async connect(): Promise<Connection> {
    const { caFile } = this.#options;
    const ca = caFile === undefined ? {} : { ca: caFile };
    const connection = await connect({ url: this.tcpUrl, token: this.admin, ...ca });
    this.#connections.push(connection);
    return connection;
  }

  /** Lets a bot in, once. */
  async addBot(name: string, maxBuilds = 2): Promise<string> {
    const token = this.#botTokens.get(name) ?? (await this.people.bots.create({ name, maxBuilds })).token;
    this.#botTokens.set(name, token);
    return token;
  }

  /** A bot's process. One of the same name works in the same folder. */
  async startBot(name: string, maxBuilds = 2, ...servers: readonly string[]): Promise<Program> {
    const token = await this.addBot(name, maxBuilds);
    const dir = join(this.folder, "bots", name);
    const { caFile } = this.#options;
    const ca = caFile === undefined ? [] : ["--ca", caFile];
    const to = (servers.length === 0 ? [this.tcpUrl] : servers).flatMap((server) => ["--server", server]);
    const args = ["bot", ...to, "--dir", dir, "--claim-seconds", "1", "--min-free-mib", "0", ...ca];
    const bot = this.run(args, { BUILDBOT_TOKEN: token });
    await bot.says(/^bot (\S+)/m, this.#options.patienceMs);
    await this.present(name, true);
    return bot;
  }

  /** As the server has told it. */
  tokenOf(bot: string): string {
    return this.#botTokens.get(bot) ?? "";
  }

  async present(name: string, isPresent: boolean): Promise<void> {
    await until(
      async () => (await this.people.bots.list()).some((bot) => bot.name === name && bot.present === isPresent),
      () => `${name} is ${isPresent ? "not " : ""}present`,
      this.#options.patienceMs,
    );
  }

  /** The command, as a person with the admin's token. */
  command(...args: string[]): Program {
    return this.run(args, { BUILDBOT_URL: this.pageUrl, BUILDBOT_TOKEN: this.admin });
  }

  run(args: readonly string[], env: Record<string, string> = {}): Program {
    const program = new Program(args, env, this.folder);
    this.#programs.add(program);
    return program;
  }

  /** Builders over the house's one repository. */
  async configure(builders: Builders): Promise<void> {
    const { settings } = this.people;
    const { version } = await settings.get();
    await settings.save({ text: this.configuration(builders), version });
  }

  configuration(builders: Builders): string {
    return stringify({
      repositories: { source: { url: this.repository.path, branches: ["main"], pollSeconds: 0 } },
      builders: Object.fromEntries(
        Object.entries(builders).map(([name, builder]) => [name, { repository: "source", ...builder }]),
      ),
    });
  }

  async force(builder: string): Promise<BuildRequest> {
    return this.people.builds.force({ builder });
  }

  /** The build of a request, once there is one that counts. */
  async running({ id }: BuildRequest): Promise<BuildDetail> {
    let build: number | undefined;
    await until(async () => (build = (await this.people.builds.request({ id })).buildId) !== undefined);
    return this.people.builds.get({ id: build ?? 0 });
  }

  async ended(request: BuildRequest): Promise<BuildDetail> {
    await until(
      async () => (await this.people.builds.request({ id: request.id })).state === "complete",
      () => `request ${request.id} of ${request.builder}`,
    );
    return this.running(request);
  }

  /** A command of a step that waits until the test lets it go on by `open`. */
  gate(name: string): string {
    return `until test -e ${join(this.folder, name)}; do sleep 0.05; done`;
  }

  open(name: string): void {
    writeFileSync(join(this.folder, name), "");
  }

  async log(build: number, step: number): Promise<string> {
    const { lines } = await this.people.builds.lines({ build, step, firstLine: 0 });
    return lines.map(({ text }) => text).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.end()));
    await Promise.all(this.#connections.map(({ transport }) => transport.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Of all processes of this machine: which have this text in their command line. Linux alone. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}

/** Where a process is, when it still is. Linux alone. */
export function workFolderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  why: () => string = () => "",
  waitMs: number = WAIT_MS,
): Promise<void> {
  const end = Date.now() + waitMs;
  while (!(await heldBy(holds))) {
    if (Date.now() > end) throw new Error(`it does not come\n${why()}`);
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}

/** A server that is away is waited for as well. */
async function heldBy(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await holds();
  } catch (error) {
    if (RpcError.from(error).code !== "UNAVAILABLE") throw error;
    return false;
  }
}

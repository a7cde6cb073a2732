// A server with its built page, bots and git, all real, and people who look at it with Chromium.
import { existsSync, globSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { build } from "vite";
import { stringify } from "yaml";
import { type RunningBot, runBot } from "../src/bot/run-bot.ts";
import { connect, type Connection } from "../src/cli/connection.ts";
import type { BuildDetail, BuildRequest } from "../src/contracts/values.ts";
import { type RunningServer, type ServerOptions, startServer } from "../src/server/server.ts";
import { until } from "./e2e-rig.ts";
import { makeRepository, type Repository } from "./git-rig.ts";

const APP = join(import.meta.dirname, "..");

/** A browser of Chromium's kind: the one that `CHROMIUM` names, or Debian's. */
const executablePath: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

/** What has to be installed before {@link launch} is of use; undefined: nothing. */
export const missingBrowser: string | undefined =
  executablePath === undefined
    ? "no Chromium was found (Debian: apt-get install chromium), and the variable CHROMIUM names none"
    : undefined;

export async function launch(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(missingBrowser);
  return chromium.launch({
    executablePath,
    args: [
      // A container has no user namespaces for the sandbox; these pages are ours.
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** The page as it is now, built into a folder of its own. */
export async function buildPage(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), "buildbot-page-"));
  await buildInto(outDir);
  return outDir;
}

/** As it is shipped: Vite takes its own word for the kind of build from the tests', and React would be the one for developers, thrice as slow. */
async function buildInto(outDir: string): Promise<void> {
  const kind = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    await build({
      root: join(APP, "web"),
      configFile: join(APP, "vite.config.ts"),
      logLevel: "warn",
      build: { outDir },
    });
  } finally {
    process.env["NODE_ENV"] = kind;
  }
}

/** Where servers that are processes of their own look for it: built anew when its sources are newer. */
export function buildPageInPlace(): Promise<void> {
  return (inPlace ??= refreshPage());
}

let inPlace: Promise<void> | undefined;

async function refreshPage(): Promise<void> {
  const outDir = join(APP, "dist", "web");
  const index = join(outDir, "index.html");
  const sources = ["web/**/*", "src/contracts/*.ts", "vite.config.ts"].flatMap((pattern) =>
    globSync(pattern, { cwd: APP }).map((name) => statSync(join(APP, name)).mtimeMs),
  );
  if (existsSync(index) && statSync(index).mtimeMs > Math.max(...sources)) return;
  await buildInto(outDir);
}

export class Site implements AsyncDisposable {
  readonly folder: string;
  readonly repository: Repository;
  readonly admin: string;
  readonly url: string;
  readonly people: Connection;
  readonly #options: ServerOptions;
  #server: RunningServer | undefined;
  readonly #bots = new Map<string, RunningBot>();
  readonly #tokens = new Map<string, string>();

  private constructor(folder: string, options: ServerOptions, server: RunningServer, people: Connection) {
    this.folder = folder;
    this.repository = makeRepository(join(folder, "source"));
    this.admin = server.adminToken ?? "";
    this.url = server.httpUrl;
    this.people = people;
    this.#server = server;
    this.#options = { ...options, http: placeOf(server.httpUrl), tcp: placeOf(server.tcpEndpoint) };
  }

  static async start(webFolder: string, more: Partial<ServerOptions> = {}): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), "buildbot-site-"));
    const options: ServerOptions = {
      dataDir: join(folder, "data"),
      http: { host: "127.0.0.1", port: 0 },
      tcp: { host: "127.0.0.1", port: 0 },
      webFolder,
      ...more,
    };
    const server = await startServer(options);
    return new Site(
      folder,
      options,
      server,
      await connect({ url: server.tcpEndpoint, token: server.adminToken ?? "" }),
    );
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** On the ports that it had before. */
  async startAgain(): Promise<void> {
    this.#server = await startServer(this.#options);
  }

  async startBot(name: string, maxBuilds = 2): Promise<void> {
    const token = this.#tokens.get(name) ?? (await this.people.bots.create({ name, maxBuilds })).token;
    this.#tokens.set(name, token);
    const server = this.people.url;
    const bot = await runBot({ server, token, dir: join(this.folder, "bots", name), claimMs: 1000, minFreeBytes: 0 });
    this.#bots.set(name, bot);
    await this.present(name, true);
  }

  async endBot(name: string): Promise<void> {
    await this.#bots.get(name)?.close();
    this.#bots.delete(name);
    await this.present(name, false);
  }

  async present(name: string, isPresent: boolean): Promise<void> {
    const { bots } = this.people;
    await until(async () => (await bots.list()).some((bot) => bot.name === name && bot.present === isPresent));
  }

  /** Builders over the one repository. */
  async configure(builders: Record<string, object>, repositories: Record<string, object> = {}): Promise<void> {
    const { settings } = this.people;
    const { version } = await settings.get();
    const text = stringify({
      repositories: { source: { url: this.repository.path, branches: ["main"], pollSeconds: 0 }, ...repositories },
      builders: Object.fromEntries(
        Object.entries(builders).map(([name, builder]) => [name, { repository: "source", ...builder }]),
      ),
    });
    await settings.save({ text, version });
  }

  async poll(bot: string): Promise<void> {
    const { bots } = this.people;
    const [row] = await bots.command({ bot, method: "pollAllSources" });
    await until(async () =>
      (await bots.commands({})).some(({ id, state }) => id === row?.id && state !== "queued" && state !== "claimed"),
    );
  }

  async force(builder: string, reason = "forced"): Promise<BuildRequest> {
    return this.people.builds.force({ builder, reason });
  }

  /** The build of a request, once there is one. */
  async running({ id }: BuildRequest): Promise<BuildDetail> {
    const { builds } = this.people;
    let build: number | undefined;
    await until(async () => (build = (await builds.request({ id })).buildId) !== undefined);
    return builds.get({ id: build ?? 0 });
  }

  async ended(request: BuildRequest): Promise<BuildDetail> {
    const { builds } = this.people;
    await until(async () => (await builds.request({ id: request.id })).state === "complete");
    return this.running(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#bots.values()].map((bot) => bot.close()));
    await this.people.transport.close();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function placeOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

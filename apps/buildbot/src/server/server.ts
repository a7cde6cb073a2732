import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, health, mergeRouters, type Peer, RpcError, systemClock } from "@rpc/core";
import { serveTcp } from "@rpc/tcp";
import { serveWs } from "@rpc/ws";
import { createXmlRpcHandler, databases } from "@rpc/xmlrpc";
import { hearingAllTexts } from "../contracts/xml-text.ts";
import { Artefacts } from "./artefacts/index.ts";
import { Auth, botKey, nameOf, Sessions } from "./auth/index.ts";
import { createBus } from "./bus.ts";
import { Commands } from "./commands/index.ts";
import { readConfiguration } from "./config/index.ts";
import { BotWatch, createDesk } from "./desk/index.ts";
import { BOTS_CALLS_PATH, BOTS_PATH, HttpServer, PAGE_PATH } from "./http/index.ts";
import { Logs } from "./logs/index.ts";
import { modelHandlers } from "./models/index.ts";
import { createPage } from "./page/index.ts";
import { Polling } from "./polling.ts";
import { Retention } from "./retention.ts";
import { startSchedulerLoop } from "./schedule/index.ts";
import { openStore } from "./store/index.ts";

/** At the same time: each bot waits by one for its commands. */
const MOST_BOT_CALLS = 10_000;
const MOST_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface ServerOptions {
  /** Made when it is not there. Holds the database, logs, artefacts, and the key of the bots' secrets. */
  readonly dataDir: string;
  /** `postgres://…`. Default: SQLite, in `dataDir`. */
  readonly databaseUrl?: string | undefined;
  /**
   * The page, `/ws`, `/ws/bots`, `/rpc/bots`, `/RPC2`, webhooks. Port 0 takes a free one. Connections to `/ws` take tokens over TLS or from this machine alone: for others let a proxy that
   * speaks TLS stand in front, and say its `origins`.
   */
  readonly http: { readonly host: string; readonly port: number };
  /** Bots, and commands of people who have a token. */
  readonly tcp: {
    readonly host: string;
    readonly port: number;
    /** PEM. Without them there is no TLS: people's tokens are taken from this machine alone, and bots' proofs from everywhere. */
    readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  };
  /** What who shows no token may do. Default: `viewer`, look at everything but the configuration. */
  readonly anonymous?: "viewer" | "none" | undefined;
  /** Of the page as browsers see it, when a proxy stands in front: `["https://ci.example.com"]`. Default: the host that is asked itself. */
  readonly origins?: readonly string[] | undefined;
  /** Nothing has been heard of a bot for so long: its builds are given to others. Default: 10 minutes. */
  readonly lostAfterMs?: number | undefined;
  /** The page's built files. Default: `dist/web` of this package. */
  readonly webFolder?: string | undefined;
  /** For timers. Default: the process's. */
  readonly clock?: Clock | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly wallClock?: (() => number) | undefined;
  /** What goes on, for a person. Default: dropped. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

export interface RunningServer {
  readonly httpUrl: string;
  readonly tcpEndpoint: string;
  /** Of the user `admin`, when there was no user yet. It is told this once. */
  readonly adminToken?: string;
  /** Idempotent. Ends calls and connections; what bots build goes on without it. */
  close(): Promise<void>;
}

/** Opens the database and listens. Rejects, with everything closed again, when one of that fails. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers: (() => unknown)[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll(closers));
  try {
    return { ...(await start(options, closers)), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function start(options: ServerOptions, closers: (() => unknown)[]): Promise<Omit<RunningServer, "close">> {
  const { dataDir, anonymous = "viewer", origins = [], clock = systemClock, wallClock = Date.now } = options;
  const say = options.onMessage ?? (() => undefined);
  const failed = (error: unknown): void => say(wordsOf(error));
  await mkdir(dataDir, { recursive: true, mode: 0o700 });

  const store = await openStore(options.databaseUrl ?? join(dataDir, "buildbot.db"), { clock, wallClock });
  closers.push(() => store.close());
  const bus = createBus(failed);
  const logs = new Logs({ folder: join(dataDir, "logs") });
  closers.push(() => logs.close());
  const artefacts = new Artefacts({ folder: join(dataDir, "artefacts") });
  await artefacts.begin();
  const auth = new Auth({ store, anonymous, key: await botKey(join(dataDir, "bots.key")) });
  const commands = await Commands.open({ store, bus, botOf, failed });
  closers.push(() => commands.close());

  const page = createPage({ store, auth, bus, logs, commands }, failed);
  closers.push(() => page.close());
  const desk = createDesk({ store, bus, logs, artefacts, commands, botOf });
  const loop = startSchedulerLoop({
    store,
    issue: (tx, requests) => commands.tellOfRequests(tx, requests, { by: "scheduler" }),
    made: (requests) => {
      for (const request of requests) bus.emit("queueChanged", request);
    },
    failed,
  });
  closers.push(() => loop.close());
  bus.on("commitsAdded", () => loop.wake());
  bus.on("configChanged", () => loop.wake());
  const watch = new BotWatch({ store, bus, logs, commands, failed, lostAfterMs: options.lostAfterMs });
  closers.push(() => watch.close());
  const polling = new Polling({ store, commands, failed });
  closers.push(() => polling.close());
  const retention = new Retention({ store, logs, artefacts, failed });
  closers.push(() => retention.close());
  bus.on("configChanged", retention.look);

  const { authenticate, authorize, secrets } = auth;
  const models = modelHandlers({ store, commands, bus });
  const xmlRpc = createXmlRpcHandler(databases({ buildbot: { models } }), {
    authenticate: ({ secret, user }) => auth.userOf(user, secret),
    authorize,
    clock,
    realm: "buildbot",
    onError: failed,
  });
  closers.push(() => xmlRpc.close());
  const forBots = mergeRouters(desk, commands.service, health(desk));
  const botCalls = createXmlRpcHandler(hearingAllTexts(forBots), {
    path: BOTS_CALLS_PATH,
    authenticate: ({ secret, user }) => auth.botWith(user, secret),
    authorize,
    // A bot that is made anew has another secret from then on.
    credentialCacheMs: 0,
    // Nobody guesses 32 random bytes, and behind a proxy all bots have one address: who tries is not to keep the others out.
    authFailures: false,
    replyCache: false,
    json2: false,
    maxConcurrentCalls: MOST_BOT_CALLS,
    // As sessions have it.
    maxMessageBytes: MOST_MESSAGE_BYTES,
    clock,
    realm: "buildbot bots",
    onError: failed,
  });
  closers.push(() => botCalls.close());
  const webFolder = options.webFolder ?? join(packageFolder(), "dist", "web");
  const http = new HttpServer({ store, auth, bus, logs, artefacts, xmlRpc, botCalls, webFolder, origins, failed });
  closers.push(() => http.close());
  const port = await http.listen(options.http.host, options.http.port);
  if (!isLoopback(options.http.host)) {
    say(
      `${options.http.host} is reached without TLS: pages and tokens get in through a proxy that speaks TLS, bots directly`,
    );
  }
  const session = { authenticate, authorize, clock, onError: failed };
  const forPeople = mergeRouters(page.handler, health(page.handler));
  const ws = await serveWs(forPeople, {
    ...session,
    server: http.server,
    path: PAGE_PATH,
    // Whoever starts it on a public address has said so. Tokens are refused there all the same, unless TLS hides them.
    allowInsecure: true,
    ...(origins.length === 0 ? {} : { origins }),
  });
  closers.push(() => ws.close());
  // For bots that only HTTP lets out.
  const overHttp = await serveWs(forBots, {
    secrets,
    authorize,
    clock,
    onError: failed,
    server: http.server,
    path: BOTS_PATH,
  });
  closers.push(() => overHttp.close());
  const { tls } = options.tcp;
  const tcp = await serveTcp(mergeRouters(page.handler, desk, commands.service, health(page.handler, desk)), {
    ...session,
    secrets,
    endpoint: `${tls === undefined ? "tcp" : "tcps"}://${inUrl(options.tcp.host)}:${options.tcp.port}`,
    ...(tls === undefined ? {} : { tls }),
  });
  closers.push(() => tcp.close());
  const sessions = new Sessions({ listeners: [ws, overHttp, tcp], store, bus, clock, failed });
  closers.push(() => sessions.close());
  bus.emit("configChanged", { version: (await readConfiguration(store.db)).version });

  const adminToken = await auth.firstUser();
  return {
    httpUrl: `http://${inUrl(options.http.host)}:${port}`,
    tcpEndpoint: tcp.endpoint,
    ...(adminToken === undefined ? {} : { adminToken }),
  };
}

/** Where it happened says something of a mistake in the program alone, and nothing of who knocks in vain. */
function wordsOf(error: unknown): string {
  if (error instanceof RpcError && error.code !== "INTERNAL") return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A bot's identity is its name; those of people have a colon. */
function botOf(peer: Peer): string | undefined {
  return peer.identity === undefined || peer.identity.includes(":") ? undefined : nameOf(peer);
}

/** What was opened last first, and all of it. */
async function closeAll(closers: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, "the server could not close everything");
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Of this package, whether it runs from its sources or built. */
function packageFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

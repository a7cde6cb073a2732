import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { XmlRpcHandler } from "@rpc/xmlrpc";
import { type Artefacts, artefactHeaders } from "../artefacts/index.ts";
import type { Auth } from "../auth/index.ts";
import type { Bus } from "../bus.ts";
import type { Logs } from "../logs/index.ts";
import { findArtefact, listBuilders, listBuilds, listSteps, type Store } from "../store/index.ts";
import { answer, answerHead, answerJson, Bodies, Busy, isPrivate, say, TooLarge } from "./answers.ts";
import { badge } from "./badge.ts";
import { Callers } from "./callers.ts";
import { StaticFiles } from "./static-files.ts";
import { webhook } from "./webhook.ts";

/** Where WebSockets are taken, elsewhere: of pages and people, and of bots. */
export const PAGE_PATH = "/ws";
export const BOTS_PATH = "/ws/bots";
/** Where bots call that have nothing but requests. */
export const BOTS_CALLS_PATH = "/rpc/bots";
/** Of webhooks, before it is known whose they are; and of logins, which they are not to keep out. */
const MOST_WEBHOOKS_BYTES = 64 * 1024 * 1024;
/** At the same time: it tells of 64 builds, and waits for commands. */
const MOST_CALLS_OF_A_BOT = 128;
const MOST_LOGINS_BYTES = 1024 * 1024;

export interface HttpParts {
  readonly store: Store;
  readonly auth: Auth;
  readonly bus: Bus;
  readonly logs: Logs;
  readonly artefacts: Artefacts;
  readonly xmlRpc: XmlRpcHandler;
  /** Of bots, at its own path. */
  readonly botCalls: XmlRpcHandler;
  /** Where the page's built files are. */
  readonly webFolder: string;
  /** Pages of other origins that may connect, of a proxy in front of it. */
  readonly origins: readonly string[];
  readonly failed: (error: unknown) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the path, decoded. */
  readonly words: readonly string[];
}

/** One server for the page, its files, logs, artefacts, badges, webhooks and XML-RPC. `/ws` is attached to it elsewhere. */
export class HttpServer {
  readonly server: Server;
  readonly #parts: HttpParts;
  readonly #callers: Callers;
  /** Those under way. */
  readonly #botCalls = new Map<string, number>();
  readonly #webhooks = new Bodies(MOST_WEBHOOKS_BYTES);
  readonly #files: StaticFiles;
  readonly #hosts: ReadonlySet<string>;
  #isOnLoopback = true;

  constructor(parts: HttpParts) {
    this.#parts = parts;
    this.#callers = new Callers(parts.auth, new Bodies(MOST_LOGINS_BYTES));
    this.#files = new StaticFiles(parts.webFolder);
    this.#hosts = new Set(parts.origins.map((origin) => new URL(origin).hostname));
    this.server = createServer({ requestTimeout: 60_000, headersTimeout: 10_000 }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => this.#fail(error, response));
    });
    // Of several listeners none takes what is not its own, and the connection would stay.
    this.server.on("upgrade", ({ url = "" }: IncomingMessage, socket: Duplex) => {
      if ([PAGE_PATH, BOTS_PATH].includes(url.split("?", 1)[0] ?? "")) return;
      socket.on("error", () => undefined);
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
  }

  /** Gives the port. */
  async listen(host: string, port: number): Promise<number> {
    await this.#files.begin();
    this.#isOnLoopback = host === "localhost" || host === "::1" || host.startsWith("127.");
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, host, () => {
        this.server.off("error", reject);
        resolve();
      });
    });
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (!this.#mayAsk(request)) {
      return say(
        response,
        421,
        "this server is asked by the name localhost or an address; see the option origins for others",
      );
    }
    // Webhooks prove what they are by a signature, whatever else they show.
    const isWebhook = path.startsWith("/webhook/");
    if (request.headers.authorization !== undefined && !isWebhook && !isPrivate(request)) return refuseToken(response);
    if (/^\/(?:RPC2|json)(?:\/|$)/.test(path) || path === "/web/version") {
      this.#parts.xmlRpc.node(request, response);
      return;
    }
    if (path === BOTS_CALLS_PATH) {
      return this.#serveBot(request, response);
    }
    const words = wordsOf(path);
    if (words === undefined) return say(response, 400, "this address cannot be read");
    const exchange = { request, response, words };
    if (request.method === "POST") return this.#post(exchange);
    if (request.method === "GET" || request.method === "HEAD") return this.#get(exchange, path);
    return say(response, 405, "GET, HEAD and POST are served", { allow: "GET, HEAD, POST" });
  }

  /** By all that it shows, the secret among it: nobody else can use up what is a bot's. */
  #serveBot(request: IncomingMessage, response: ServerResponse): void {
    const shown = request.headers.authorization ?? "";
    const calls = this.#botCalls.get(shown) ?? 0;
    if (calls >= MOST_CALLS_OF_A_BOT) {
      return say(response, 429, `${MOST_CALLS_OF_A_BOT} calls of this bot are under way: wait for some`, {
        "retry-after": "1",
      });
    }
    this.#botCalls.set(shown, calls + 1);
    response.once("close", () => {
      const left = (this.#botCalls.get(shown) ?? 1) - 1;
      if (left === 0) this.#botCalls.delete(shown);
      else this.#botCalls.set(shown, left);
    });
    this.#parts.botCalls.node(request, response);
  }

  async #post({ request, response, words }: Exchange): Promise<void> {
    const [first, second] = words;
    if (first === "webhook" && second !== undefined && words.length === 2) {
      return webhook({ ...this.#parts, bodies: this.#webhooks }, second, request, response);
    }
    if (words.length === 1 && (first === "login" || first === "logout")) {
      if (first === "login" && !isPrivate(request)) return refuseToken(response);
      if (!this.#isOwnPage(request)) return say(response, 403, "pages of other origins may not ask for this");
      return first === "login" ? this.#callers.login(request, response) : this.#callers.logout(request, response);
    }
    return say(response, 405, "nothing is taken at this address", { allow: "GET, HEAD" });
  }

  async #get(exchange: Exchange, path: string): Promise<void> {
    const { request, response, words } = exchange;
    switch (words[0]) {
      case "health":
        return this.#health(response);
      case "session":
        return this.#callers.session(request, response);
      case "raw":
        return this.#forViewers(exchange, (rest) => this.#raw(rest, response));
      case "artefacts":
        return this.#forViewers(exchange, (rest) => this.#artefact(rest, response));
      case "badge":
        return this.#forViewers(exchange, (rest) => this.#badge(rest, response));
      case "ws":
        return say(response, 426, "this is for WebSockets", { upgrade: "websocket" });
      case "webhook":
        return say(response, 405, "webhooks are sent by POST", { allow: "POST" });
      default:
        return this.#files.serve(path, response);
    }
  }

  async #forViewers(
    { request, response, words }: Exchange,
    run: (rest: readonly string[]) => Promise<void>,
  ): Promise<void> {
    if ((await this.#callers.of(request)) === undefined) {
      return say(response, 401, "log in first, or show a token as Authorization: Bearer …", {
        "www-authenticate": "Bearer",
      });
    }
    return run(words.slice(1));
  }

  async #health(response: ServerResponse): Promise<void> {
    await this.#parts.store.db.selectFrom("facts").select("name").limit(1).execute();
    answerJson(response, 200, { status: "ok" });
  }

  /** A step's log as it came: text, whatever it looks like. */
  async #raw(words: readonly string[], response: ServerResponse): Promise<void> {
    const [build, step] = words.map(numberOf);
    if (words.length !== 2 || build === undefined || step === undefined) return notFound(response);
    const { store, logs } = this.#parts;
    const { bytes } = await logs.size(build, step);
    if (bytes === 0 && !(await listSteps(store.db, build)).some(({ seq }) => seq === step)) return notFound(response);
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(bytes),
      "content-disposition": `inline; filename="build-${build}-step-${step}.log"`,
      "content-security-policy": "default-src 'none'; sandbox",
      "cache-control": "private, no-cache",
    };
    if (bytes === 0) return answer(response, 200, headers, "");
    await send(response, headers, logs.path(build, step), bytes);
  }

  async #artefact(words: readonly string[], response: ServerResponse): Promise<void> {
    const build = numberOf(words[0] ?? "");
    if (build === undefined) return notFound(response);
    const { store, artefacts } = this.#parts;
    // A name of the database's, compared with what was asked for; the file is called otherwise.
    const found = await findArtefact(store.db, build, words.slice(1).join("/"));
    if (found === undefined) return notFound(response);
    await send(response, artefactHeaders(found.name, found.bytes), artefacts.path(build, found.sha256), found.bytes);
  }

  async #badge(words: readonly string[], response: ServerResponse): Promise<void> {
    const name = /^(?<name>.+)\.svg$/s.exec(words.join("/"))?.groups?.["name"];
    const { db } = this.#parts.store;
    if (name === undefined || (await listBuilders(db, name)).length === 0) return notFound(response);
    const builds = await listBuilds(db, { builder: name, state: "finished", limit: 20 });
    // One that was put back says nothing of what was built.
    const last = builds.find(({ results }) => results !== "retry" && results !== "cancelled");
    const headers = {
      "content-type": "image/svg+xml",
      "cache-control": "no-cache",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      // A README shows it wherever it is.
      "cross-origin-resource-policy": "cross-origin",
    };
    answer(response, 200, headers, badge(name, last));
  }

  /** Whoever has a name that leads to this machine could otherwise let his page read what this machine alone may. */
  #mayAsk({ headers: { host = "" } }: IncomingMessage): boolean {
    if (!this.#isOnLoopback) return true;
    const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : "";
    return name === "localhost" || isIP(name.replaceAll(/[[\]]/g, "")) > 0 || this.#hosts.has(name);
  }

  /** A program says no origin. */
  #isOwnPage({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined || this.#parts.origins.includes(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host;
  }

  #fail(error: unknown, response: ServerResponse): void {
    const isGone = response.destroyed || (error as NodeJS.ErrnoException).code === "ERR_STREAM_PREMATURE_CLOSE";
    if (isGone) return;
    const isTooLarge = error instanceof TooLarge;
    const isBusy = error instanceof Busy;
    if (!isTooLarge && !isBusy) this.#parts.failed(error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (isTooLarge) say(response, 413, "this is too much", { connection: "close" });
    else if (isBusy)
      say(response, 503, "too much comes at once: send it again", { connection: "close", "retry-after": "60" });
    else say(response, 500, "the server could not do this; its log says why");
  }
}

function refuseToken(response: ServerResponse): void {
  const advice = "ask the proxy that speaks TLS and stands in front of this server";
  say(response, 403, `tokens are taken over TLS, or from this machine: ${advice}; others may have read this one`);
}

/** Undefined for what is no text, or means one path and looks like another. */
function wordsOf(path: string): string[] | undefined {
  try {
    const words = path.split("/").slice(1).map(decodeURIComponent);
    const isPlain = words.every((word) => !/[\0/\\]/.test(word) && word !== "." && word !== "..");
    return path.startsWith("/") && isPlain ? words : undefined;
  } catch {
    return undefined;
  }
}

function numberOf(word: string): number | undefined {
  return /^\d{1,9}$/.test(word) ? Number(word) : undefined;
}

function notFound(response: ServerResponse): void {
  say(response, 404, "there is no such thing");
}

/** As many bytes as are announced, though it may grow meanwhile. */
async function send(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  path: string,
  bytes: number,
): Promise<void> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return notFound(response);
  try {
    answerHead(response, 200, headers);
    if (response.req.method === "HEAD" || bytes === 0) response.end();
    else await pipeline(createReadStream("", { fd: file, start: 0, end: bytes - 1, autoClose: false }), response);
  } finally {
    await file.close();
  }
}

// A started server with real sockets, and those who call it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type SessionTransport } from "@rpc/core";
import { createTcpTransport } from "@rpc/tcp";
import { createWsTransport } from "@rpc/ws";
import { Desk } from "../src/contracts/bot.ts";
import { Bots, Builds, House, Settings, Users } from "../src/contracts/page.ts";
import type { Role } from "../src/contracts/values.ts";
import { type RunningServer, type ServerOptions, startServer } from "../src/server/server.ts";

export const HOUSE = `repositories:
  house: { url: "https://ann:hunter2@git.example.com/house.git", branches: [main, "release-*"], webhookSecret: mortar }
  shed: { url: /srv/shed.git }
builders:
  walls:
    repository: house
    schedulers: [{ kind: change, quietSeconds: 0 }]
    steps: [{ name: brick, command: "true" }]
  roof:
    repository: house
    bots: ["tall-*"]
    steps: [{ name: tile, command: "true" }]
`;

export interface People {
  readonly transport: SessionTransport;
  readonly builds: ReturnType<typeof createClient<typeof Builds>>;
  readonly house: ReturnType<typeof createClient<typeof House>>;
  readonly bots: ReturnType<typeof createClient<typeof Bots>>;
  readonly settings: ReturnType<typeof createClient<typeof Settings>>;
  readonly users: ReturnType<typeof createClient<typeof Users>>;
}

export class ServerRig implements AsyncDisposable {
  readonly dataDir: string;
  readonly admin: string;
  server: RunningServer;
  /** What it has said. */
  readonly messages: string[];
  readonly #options: ServerOptions;
  readonly #transports: SessionTransport[] = [];

  private constructor(options: ServerOptions, server: RunningServer, messages: string[]) {
    this.dataDir = options.dataDir;
    this.server = server;
    this.admin = server.adminToken ?? "";
    this.messages = messages;
    this.#options = options;
  }

  static async start(options: Partial<ServerOptions> = {}): Promise<ServerRig> {
    const dataDir = mkdtempSync(join(tmpdir(), "buildbot-server-"));
    const web = join(dataDir, "web");
    mkdirSync(join(web, "assets"), { recursive: true });
    writeFileSync(join(web, "index.html"), "<!doctype html><title>the page</title>");
    writeFileSync(join(web, "assets", "index-1a2b.js"), "export {};");
    const messages: string[] = [];
    const all: ServerOptions = {
      dataDir,
      http: { host: "127.0.0.1", port: 0 },
      tcp: { host: "127.0.0.1", port: 0 },
      webFolder: web,
      onMessage: (message) => messages.push(message),
      ...options,
    };
    return new ServerRig(all, await startServer(all), messages);
  }

  /** The same data, another process. */
  async restart(): Promise<void> {
    await this.#hangUp();
    await this.server.close();
    this.server = await startServer(this.#options);
  }

  get wsUrl(): string {
    return `${this.server.httpUrl.replace("http", "ws")}/ws`;
  }

  people(token: string, over: "ws" | "tcp" = "ws"): People {
    const transport =
      over === "ws" ? createWsTransport(this.wsUrl, { token }) : createTcpTransport(this.server.tcpEndpoint, { token });
    this.#transports.push(transport);
    return {
      transport,
      builds: createClient(Builds, transport),
      house: createClient(House, transport),
      bots: createClient(Bots, transport),
      settings: createClient(Settings, transport),
      users: createClient(Users, transport),
    };
  }

  /** `token`: as it is printed. */
  bot(token: string) {
    const colon = token.indexOf(":");
    const transport = createTcpTransport(this.server.tcpEndpoint, {
      identity: token.slice(0, colon),
      secret: token.slice(colon + 1),
    });
    this.#transports.push(transport);
    return { transport, desk: createClient(Desk, transport), builds: createClient(Builds, transport) };
  }

  async newUser(name: string, role: Role): Promise<string> {
    const { token } = await this.people(this.admin).users.create({ name, role });
    return token;
  }

  async configure(text = HOUSE): Promise<void> {
    const { settings } = this.people(this.admin);
    const { version } = await settings.get();
    await settings.save({ text, version });
  }

  /** A build of `walls` that runs at the bot `one`, and how to go on with it. */
  async runningBuild() {
    const { bots, builds } = this.people(this.admin);
    const { token } = await bots.create({ name: "one" });
    const { desk } = this.bot(token);
    const incarnation = "first";
    await desk.hello({ incarnation, about: { os: "test" }, running: [] });
    await builds.force({ builder: "walls", reason: "to see it run" });
    const [order] = await desk.claim({ incarnation, max: 1 });
    if (order === undefined) throw new Error("nothing was claimed");
    const { build } = order;
    await desk.began({ build, incarnation, revision: "a".repeat(40), subject: "Lay bricks", author: "Ann" });
    return { build, desk, incarnation, token, order };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hangUp();
    await this.server.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #hangUp(): Promise<void> {
    await Promise.all(this.#transports.splice(0).map((transport) => transport.close()));
  }
}

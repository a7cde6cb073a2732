import { createClient, RpcError, type SessionTransport } from "@rpc/core";
import { createTcpTransport } from "@rpc/tcp";
import { createWsTransport } from "@rpc/ws";
import type { Command } from "commander";
import { Bots, Builds, House, Settings, Users } from "../contracts/page.ts";
import { DEFAULT_TCP } from "./defaults.ts";
import { pem } from "./pem.ts";
import { UsageError } from "./problems.ts";

/** Of who shows no token: the server's word for whoever may look without one. */
const ANONYMOUS_TOKEN = "anonymous";
const PATIENCE_MS = 10_000;

export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly ca?: string;
}

export interface Connection {
  readonly url: string;
  readonly transport: SessionTransport;
  readonly builds: ReturnType<typeof createClient<typeof Builds>>;
  readonly house: ReturnType<typeof createClient<typeof House>>;
  readonly bots: ReturnType<typeof createClient<typeof Bots>>;
  readonly settings: ReturnType<typeof createClient<typeof Settings>>;
  readonly users: ReturnType<typeof createClient<typeof Users>>;
}

export function withConnection(command: Command): Command {
  return command
    .option(
      "--url <url>",
      `the server: tcp://, tcps://, ws://, wss://, or the page's http(s):// (else BUILDBOT_URL, else ${DEFAULT_TCP})`,
    )
    .option("--token <token>", "of a user (else BUILDBOT_TOKEN: that one no other user of this machine sees)")
    .option("--ca <file>", "PEM of who has signed the server's certificate, when no public authority has");
}

export function tokenOf(options: ConnectionOptions): string | undefined {
  return options.token ?? process.env["BUILDBOT_TOKEN"];
}

/** Rejects when nobody answers within 10 s, or the server refuses. Later a lost connection is made again. */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const url = options.url ?? process.env["BUILDBOT_URL"] ?? DEFAULT_TCP;
  const transport = transportTo(url, tokenOf(options) || ANONYMOUS_TOKEN, options.ca);
  const users = createClient(Users, transport);
  try {
    await users.whoami(undefined, { timeoutMs: PATIENCE_MS });
  } catch (thrown) {
    await transport.close();
    const error = RpcError.from(thrown);
    if (error.code !== "DEADLINE_EXCEEDED" && error.code !== "UNAVAILABLE") throw error;
    const message =
      error.code === "UNAVAILABLE"
        ? error.message
        : `nobody answers at ${url} within ${PATIENCE_MS / 1000} s; is --url right?`;
    throw new RpcError("UNAVAILABLE", message.replace(/^buildbot\.v1\.Users\.whoami: /, ""), { cause: error });
  }
  return {
    url,
    transport,
    builds: createClient(Builds, transport),
    house: createClient(House, transport),
    bots: createClient(Bots, transport),
    settings: createClient(Settings, transport),
    users,
  };
}

function transportTo(url: string, token: string, caFile: string | undefined): SessionTransport {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const tls = caFile === undefined ? {} : { tls: { ca: pem(caFile) } };
  switch (parsed?.protocol) {
    case "tcp:":
    case "tcps:":
      return createTcpTransport(url, { token, ...tls });
    case "ws:":
    case "wss:":
      return createWsTransport(url, { token, ...tls });
    case "http:":
    case "https:":
      return createWsTransport(`${parsed.protocol === "https:" ? "wss" : "ws"}://${parsed.host}/ws`, { token, ...tls });
    default:
      throw new UsageError(`${url} is no address of a server: tcp://host:port, ws://host:port/ws, or that of the page`);
  }
}

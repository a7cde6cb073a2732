import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_HTTP, DEFAULT_TCP } from "../defaults.ts";
import { Output } from "../output.ts";
import { pem } from "../pem.ts";
import { EXIT, tellProblem, UsageError, warn } from "../problems.ts";
import { aborted, Stop } from "../verb.ts";

interface Place {
  readonly host: string;
  readonly port: number;
}

interface ServerOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly data: string;
  readonly database?: string;
  readonly http: Place;
  readonly tcp: Place;
  readonly anonymous: "viewer" | "none";
  readonly origin?: string[];
}

const LOCALHOST = "127.0.0.1";

export function addServer(program: Command): void {
  program
    .command("server")
    .description("serves the page, bots and commands")
    .option("--data <folder>", "for the database, logs and artefacts", "buildbot-data")
    .option("--database <url>", "postgres://… (else DATABASE_URL, else SQLite in the data folder)")
    .addOption(
      new Option("--http <host:port>", "of the page; port 0 takes a free one")
        .argParser(place)
        .default(place(DEFAULT_HTTP), DEFAULT_HTTP),
    )
    .addOption(
      new Option("--tcp <host:port>", "of bots and commands").argParser(place).default(place(DEFAULT_TCP), DEFAULT_TCP),
    )
    .option("--tls-cert <file>", "PEM of the certificate that --tcp shows; then bots say tcps://")
    .option("--tls-key <file>", "PEM of its key")
    .addOption(
      new Option("--anonymous <role>", "what who shows no token may do").choices(["viewer", "none"]).default("viewer"),
    )
    .option("--origin <origin...>", "of the page as browsers see it, behind a proxy: https://ci.example.com")
    .action((options: ServerOptions, command: Command) => serve(options, command));
}

async function serve(options: ServerOptions, command: Command): Promise<void> {
  const databaseUrl = options.database ?? process.env["DATABASE_URL"];
  const output = new Output(process.stdout);
  const stop = new Stop();
  // The configuration may hold passwords of repositories, wherever its folder is.
  process.umask(0o077);
  try {
    // Only here: the other commands start in half the time without it.
    const { startServer } = await import("../../server/server.ts");
    const server = await startServer({
      dataDir: resolve(options.data),
      databaseUrl,
      http: options.http,
      tcp: { ...options.tcp, tls: tlsOf(options) },
      anonymous: options.anonymous,
      origins: options.origin,
      onMessage: (message) => {
        for (const line of message.split("\n")) warn(line);
      },
    });
    output.line(`page:  ${server.httpUrl}`);
    output.line(`bots:  ${server.tcpEndpoint}`);
    if (server.adminToken !== undefined) {
      output.line(`admin: ${server.adminToken}`);
      output.line("This token of the user admin is told this once. Keep it.");
    }
    await aborted(stop.signal);
    output.line("ending");
    await server.close();
    process.exitCode = EXIT.done;
  } catch (thrown) {
    tellProblem(withAdvice(thrown), databaseUrl, command.optsWithGlobals<{ debug?: boolean }>().debug === true);
  } finally {
    stop.forget();
  }
}

function tlsOf({ tlsCert, tlsKey }: ServerOptions): { cert: Buffer; key: Buffer } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw new UsageError("--tls-cert and --tls-key go together");
  return { cert: pem(tlsCert), key: pem(tlsKey) };
}

function withAdvice(thrown: unknown): unknown {
  const { code, address, port } = thrown as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code !== "EADDRINUSE") return thrown;
  return new Error(`${address}:${port} is taken by another program: choose another by --http`, { cause: thrown });
}

/** `host:port`, `[::1]:port`, `:port` or a whole URL. */
function place(text: string): Place {
  const { host = "", port = "" } =
    /^(?:\w+:\/\/)?(?<host>\[[^\]]*\]|[^:/]*):(?<port>\d{1,5})\/?$/.exec(text)?.groups ?? {};
  if (port === "" || Number(port) > 65_535) throw new InvalidArgumentError("it has the form host:port");
  return { host: host.replaceAll(/[[\]]/g, "") || LOCALHOST, port: Number(port) };
}

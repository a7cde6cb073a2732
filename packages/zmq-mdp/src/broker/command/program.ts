import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import type { MdpAuth } from "../auth.ts";
import { type MdpBrokerOptions, runMdpBroker } from "../run-broker.ts";
import type { MdpDialect, MdpRule } from "../settings.ts";
import { readConfig, UsageError } from "./config.ts";
import { version } from "../../version.ts";

const DEFAULT_ENDPOINT = "tcp://127.0.0.1:40410";
const DIALECTS: readonly MdpDialect[] = ["auto", "rfc7", "domogik", "domogik-1.3", "mdp02"];
const DEFAULT_DRAIN_MS = 5_000;

interface Flags {
  readonly config?: string;
  readonly clientEndpoint?: string;
  readonly dialect?: MdpDialect;
  readonly heartbeatMs?: number;
  readonly liveness?: number;
  readonly maxQueue?: number;
  readonly requestTtlMs?: number;
  readonly unknownServiceTtlMs?: number;
  readonly maxBusyMs?: number;
  readonly requeue?: boolean;
  readonly titanic?: boolean;
  readonly mmiExtensions: boolean;
  readonly curveKey?: string;
  readonly admitKeys?: string;
  readonly passwords?: string;
  readonly rule?: readonly MdpRule[];
  readonly allowInsecure?: boolean;
  readonly drainMs: number;
  readonly stats?: number;
  readonly verbose?: boolean;
}

/** The command line. Throws CommanderError when it is none, or asks for help. */
export function createProgram(): Command {
  return new Command("rpc-mdp-broker")
    .description("Runs a Majordomo broker: 7/MDP, 8/MMI, 18/MDP and Domogik's dialect at one endpoint.")
    .version(version())
    .argument("[endpoint]", `tcp://host:port or ipc://path; else RPC_MDP_ENDPOINT, else ${DEFAULT_ENDPOINT}`)
    .option("--config <file>", "JSON with the options of runMdpBroker, or an INI file with Domogik's section [mq]")
    .option("--client-endpoint <endpoint>", "a second one, for clients alone")
    .addOption(new Option("--dialect <name>", "habits that messages do not say themselves").choices(DIALECTS))
    .option("--heartbeat-ms <ms>", "between two signs of life (default: 1000)", count)
    .option("--liveness <n>", "signs of life that an idle worker may leave out (default: 5)", count)
    .option("--max-queue <n>", "requests that wait for one service (default: 1000)", count)
    .option("--request-ttl-ms <ms>", "how long one without a time-out waits (default: 60000)", count)
    .option("--unknown-service-ttl-ms <ms>", "the same where nobody offers the service (default: 30000)", count)
    .option("--max-busy-ms <ms>", "how long a worker may have one request (default: 300000)", count)
    .option("--requeue", "give the requests of a lost worker to another one, up to three times")
    .option("--titanic", "let workers register titanic.*")
    .option("--no-mmi-extensions", "no mmi.workers, mmi.queue, mmi.stats, mmi.cancel, mmi.worker")
    .option("--curve-key <file>", "the broker's secret key: encrypt, and let in by key")
    .option("--admit-keys <file>", "public keys that are let in, one a line")
    .option("--passwords <file>", "who is let in by name and password, name:password a line")
    .addOption(
      new Option("--rule <rule>", "service=register,request: what peers may do; what no rule allows is refused")
        .argParser(addRule)
        .default(undefined),
    )
    .option("--allow-insecure", "let everybody who can reach a public address in")
    .option("--drain-ms <ms>", "how long what runs may take after a signal to end", count, DEFAULT_DRAIN_MS)
    .option("--stats <seconds>", "a line of JSON with counts, every so often", seconds)
    .option("--verbose", "what is refused, dropped and lost, on standard error")
    .addHelpText("after", "\nExit codes: 0 ended by a signal, 1 could not begin, 2 the command line cannot be read.")
    .exitOverride()
    .action(run);
}

async function run(endpoint: string | undefined, flags: Flags): Promise<void> {
  const broker = await runMdpBroker(brokerOptions(endpoint, flags, process.env));
  if (flags.verbose === true) broker.on("log", (line) => process.stderr.write(`${line}\n`));
  for (const at of broker.endpoints) process.stdout.write(`listening at ${at}\n`);
  const timer =
    flags.stats === undefined
      ? undefined
      : setInterval(() => process.stdout.write(`${JSON.stringify(broker.stats())}\n`), flags.stats * 1000);
  await signalled();
  clearInterval(timer);
  await broker.close({ drainMs: flags.drainMs });
}

/** What flags say goes before what a file says. */
function brokerOptions(
  endpoint: string | undefined,
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
): MdpBrokerOptions {
  const file = flags.config === undefined ? {} : readConfig(readText(flags.config), flags.config);
  const { clientEndpoint, dialect, heartbeatMs, liveness, maxQueue, requestTtlMs, unknownServiceTtlMs, maxBusyMs } =
    flags;
  const said = {
    clientEndpoint,
    dialect,
    heartbeatMs,
    liveness,
    maxQueue,
    requestTtlMs,
    unknownServiceTtlMs,
    maxBusyMs,
  };
  const auth = authOf(flags);
  return {
    ...file,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
    endpoint: endpoint ?? env["RPC_MDP_ENDPOINT"] ?? file.endpoint ?? DEFAULT_ENDPOINT,
    ...(flags.requeue === true && { onWorkerLost: "requeue" }),
    ...(flags.titanic === true && { titanic: true }),
    ...(!flags.mmiExtensions && { mmiExtensions: false }),
    ...(flags.allowInsecure === true && { allowInsecure: true }),
    ...(flags.rule !== undefined && { rules: flags.rule }),
    ...(auth !== undefined && { auth }),
  };
}

function authOf({ curveKey, admitKeys, passwords }: Flags): MdpAuth | undefined {
  if ((curveKey === undefined) !== (admitKeys === undefined)) {
    throw new UsageError("--curve-key and --admit-keys belong together");
  }
  if (curveKey !== undefined && passwords !== undefined) throw new UsageError("--curve-key or --passwords, not both");
  if (curveKey !== undefined && admitKeys !== undefined) {
    return { mechanism: "curve", secretKey: readText(curveKey).trim(), admit: linesOf(admitKeys) };
  }
  if (passwords === undefined) return undefined;
  const admit = linesOf(passwords).map((line): [string, string] => {
    const at = line.indexOf(":");
    if (at < 1) throw new UsageError(`${passwords}: each line is name:password`);
    return [line.slice(0, at), line.slice(at + 1)];
  });
  return { mechanism: "plain", admit: Object.fromEntries(admit) };
}

function linesOf(file: string): string[] {
  return readText(file)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("# "));
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    throw new UsageError(`cannot read ${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It is to be a whole number.");
  return Number(text);
}

function seconds(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("It is to be a number of seconds.");
  return Number(text);
}

function addRule(text: string, before: readonly MdpRule[] | undefined): MdpRule[] {
  const at = text.lastIndexOf("=");
  const rights = text.slice(at + 1).split(",");
  if (at < 1 || rights.some((right) => right !== "register" && right !== "request" && right !== "")) {
    throw new InvalidArgumentError(
      "It is to be service=register,request, service=request, service=register or service=.",
    );
  }
  const rule = {
    service: text.slice(0, at),
    mayRegister: rights.includes("register"),
    mayRequest: rights.includes("request"),
  };
  return [...(before ?? []), rule];
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

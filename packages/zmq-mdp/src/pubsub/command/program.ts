import { styleText } from "node:util";
import { Command, InvalidArgumentError } from "commander";
import type { MdpCredentials } from "../../link/credentials.ts";
import { createMdpSubscriber, type MdpEvent } from "../subscriber.ts";
import { version } from "../../version.ts";

const DEFAULT_ENDPOINT = "tcp://127.0.0.1:40412";

interface Flags {
  readonly exact?: boolean;
  readonly last?: boolean;
  readonly match?: RegExp;
  readonly json?: boolean;
  readonly count?: number;
  readonly colors?: boolean;
  readonly password?: string;
  readonly endpoint: string;
}

/** The command line of the sniffer. Throws CommanderError when it is none, or asks for help. */
export function createDumpProgram(): Command {
  return new Command("rpc-mdp-dump")
    .version(version())
    .description("Prints the events that pass a forwarder: time, category, content.")
    .argument("[filters...]", "what categories begin with; all of them without")
    .option("--endpoint <endpoint>", "where subscribers connect to", process.env["RPC_MDP_EVENTS"] ?? DEFAULT_ENDPOINT)
    .option("--exact", "filters are whole categories: device is not device-stats")
    .option("--last", "begin with the last event of each category, where the forwarder keeps them")
    .option("--match <pattern>", "only what this regular expression finds in category or content", pattern)
    .option("--json", "one line of JSON for each event, for other programs")
    .option("--count <n>", "end after so many", count)
    .option("--password <name:password>", "where the forwarder asks for one")
    .option("--no-colors", "no colors, as when nobody looks")
    .addHelpText("after", "\nEnds with Ctrl-C. Events that cannot be read are counted on standard error.")
    .exitOverride()
    .action(dump);
}

async function dump(filters: readonly string[], flags: Flags): Promise<void> {
  const subscriber = createMdpSubscriber(flags.endpoint, {
    filters,
    exact: flags.exact,
    lastValues: flags.last,
    credentials: credentialsOf(flags.password),
  });
  const end = (): void => void subscriber.close();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  const hasColors = flags.colors !== false && process.stdout.isTTY;
  let left = flags.count ?? Number.POSITIVE_INFINITY;
  subscriber.ready.then(
    () => process.stderr.write(`listening to ${flags.endpoint}\n`),
    // The loop says so as well.
    () => undefined,
  );
  for await (const event of subscriber) {
    if (flags.match?.test(`${event.category} ${JSON.stringify(event.content)}`) === false) continue;
    process.stdout.write(`${flags.json === true ? JSON.stringify(event) : eventLine(event, hasColors)}\n`);
    left -= 1;
    if (left <= 0) break;
  }
  process.removeListener("SIGINT", end);
  process.removeListener("SIGTERM", end);
  if (subscriber.unreadableCount > 0) process.stderr.write(`${subscriber.unreadableCount} could not be read\n`);
  if (subscriber.droppedCount > 0)
    process.stderr.write(`${subscriber.droppedCount} came faster than they could be printed\n`);
}

/** An event on one line: what a terminal would take for orders is made visible. */
export function eventLine({ category, time, content, isLastValue }: MdpEvent, hasColors: boolean): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    hasColors ? styleText(style, text, { validateStream: false }) : text;
  const instant = time > 0 && time < MOST_TIME ? new Date(time).toISOString() : String(time);
  return [
    paint("dim", instant),
    paint(isLastValue ? "yellow" : "cyan", visible(category)),
    members(content, paint),
    ...(isLastValue ? [paint("dim", "(last value)")] : []),
  ].join(" ");
}

const MOST_TIME = 8.64e15;

type Paint = (style: Parameters<typeof styleText>[0], text: string) => string;

function members(content: unknown, paint: Paint): string {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return visible(jsonOf(content));
  return Object.entries(content)
    .map(([key, value]) => `${paint("green", visible(key))}=${visible(jsonOf(value))}`)
    .join(" ");
}

function jsonOf(value: unknown): string {
  return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "null");
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

function visible(text: string): string {
  return text.replace(CONTROL, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function credentialsOf(password: string | undefined): MdpCredentials | undefined {
  if (password === undefined) return undefined;
  const colon = password.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("write name:password");
  return { username: password.slice(0, colon), password: password.slice(colon + 1) };
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch {
    throw new InvalidArgumentError("it is no regular expression");
  }
}

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("write a whole number above 0");
}

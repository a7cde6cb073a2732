import { RpcError } from "@rpc/core";
import { plain } from "./text/plain.ts";

/** The command line asks for what cannot be: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

const LONGEST = 2000;
/** What a program is told to do, and what to say in its place on the command line. */
const ADVICE: ReadonlyMap<string, readonly [programs: RegExp, ours: string]> = new Map([
  [
    "NOT_MIGRATED",
    [/: call migrate\(\) first$/, ": look at --schema and --table-prefix, or make the tables with `rpc-queue migrate`"],
  ],
  [
    "NO_ADDRESS",
    [
      /: make it with ensureAddress\(\).*$/,
      ": `rpc-queue stats` lists those there are, `send --ensure-address` makes one",
    ],
  ],
]);

const USER_AND_PASSWORD = /\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:@/]*:)\S*@/gi;
const PASSWORD_PARAMETER = /([?&]\w*password=)[^&\s]*/gi;

/** Text without passwords: those that any URL in it has, and that of `url`, wherever it stands. */
export function withoutSecrets(text: string, url: string | undefined): string {
  let clean = text;
  for (const secret of secretsOf(url)) clean = clean.replaceAll(secret, "***");
  return clean.replace(USER_AND_PASSWORD, "$1***@").replace(PASSWORD_PARAMETER, "$1***");
}

/** What happened and what to do, on one line. */
export function problemLine(thrown: unknown, url: string | undefined): string {
  return plain(withoutSecrets(messageOf(thrown), url), LONGEST);
}

/** The stacks of an error and of its causes, for `--debug`. */
export function stackLines(thrown: unknown, url: string | undefined): string {
  const stacks: string[] = [];
  for (let error = thrown; error instanceof Error && stacks.length < 10; error = error.cause) {
    stacks.push(error.stack ?? error.message);
  }
  return withoutSecrets(stacks.join("\ncaused by "), url)
    .split("\n")
    .map((line) => plain(line))
    .join("\n");
}

function messageOf(thrown: unknown): string {
  if (!(thrown instanceof RpcError)) return thrown instanceof Error ? thrown.message : String(thrown);
  const advice = ADVICE.get(thrown.reason ?? "");
  return advice === undefined ? thrown.message : thrown.message.replace(...advice);
}

/** Shorter ones are taken out where they stand in a URL only: as a text they may be anything. */
const SHORTEST_SECRET = 4;

function secretsOf(url: string | undefined): string[] {
  const [, secret = ""] = /^[a-z+]+:\/\/[^:@/]*:(.*)@/is.exec(url ?? "") ?? [];
  if (secret.length < SHORTEST_SECRET) return [];
  try {
    return [secret, decodeURIComponent(secret)];
  } catch {
    return [secret];
  }
}

import { RpcError } from "@rpc/core";
import { Builds } from "../contracts/page.ts";
import { plain } from "./text.ts";

/** As the page `--help` says them. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreached: 3, cancelled: 4, interrupted: 130 } as const;

/** The command line asks for what cannot be. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

const PROGRAM = "buildbot";
const LONGEST = 2000;

/** What happened and what to do, on one line of standard error; sets the exit code. */
export function tellProblem(thrown: unknown, secret: string | undefined, isDebug: boolean): void {
  warn(withoutSecret(messageOf(thrown), secret));
  if (isDebug && thrown instanceof Error) {
    const lines = withoutSecret(thrown.stack ?? "", secret).split("\n");
    process.stderr.write(`${lines.map((line) => plain(line)).join("\n")}\n`);
  }
  process.exitCode = thrown instanceof UsageError ? EXIT.usage : EXIT.unreached;
}

export function warn(text: string): void {
  process.stderr.write(`${PROGRAM}: ${plain(text, LONGEST)}\n`);
}

/** What commander says of a command line that it cannot read. */
export function tellUsage(text: string): void {
  const clean = text
    .replaceAll("\n", " ")
    .trim()
    .replace(/^error: |\.$/g, "");
  warn(`${clean}; see ${PROGRAM} --help`);
}

function messageOf(thrown: unknown): string {
  if (!(thrown instanceof RpcError)) return thrown instanceof Error ? thrown.message : String(thrown);
  if (Builds.get.isError(thrown, "NoSuchBuild")) return `there is no build ${thrown.details.id}`;
  if (Builds.get.isError(thrown, "NoSuchBuilder")) {
    return `there is no builder ${thrown.details.builder}; \`buildbot status\` lists those there are`;
  }
  if (thrown.code === "UNAUTHENTICATED" && thrown.message.includes("certificate")) {
    return `${thrown.message}: give the PEM of who has signed it by --ca`;
  }
  if (thrown.code === "UNAUTHENTICATED") {
    return `${thrown.message}: the server does not know this token; give one by --token or BUILDBOT_TOKEN`;
  }
  if (thrown.code === "PERMISSION_DENIED") return `${thrown.message}: the token's user may not do this`;
  return thrown.message;
}

function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined || secret === "" ? text : text.replaceAll(secret, "***");
}

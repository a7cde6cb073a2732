import type { Command } from "commander";
import type { BuildDetail } from "../../contracts/values.ts";
import { findBuild } from "../build-name.ts";
import { withConnection } from "../connection.ts";
import { followLog, printLog } from "../follow.ts";
import { EXIT, UsageError } from "../problems.ts";
import { runVerb, type Session } from "../verb.ts";

interface LogOptions {
  readonly follow?: boolean;
  readonly step?: string;
}

export function addLog(program: Command): void {
  withConnection(program.command("log"))
    .description("prints a build's log, one step after the other")
    .argument("<build>", "its id; builder#number; or a builder, for its newest")
    .option("-f, --follow", "go on as it grows, until it has ended")
    .option("--step <step>", "of this step alone: its name, or its number from 0 (the checkout)")
    .action((build: string, options: LogOptions, command: Command) =>
      runVerb(command, (session) => tellLog(session, build, options)),
    );
}

async function tellLog(session: Session, name: string, { follow = false, step }: LogOptions): Promise<number> {
  const build = await findBuild(session, name);
  const only = step === undefined ? undefined : seqOf(build, step);
  await (follow ? followLog(session, build, only) : printLog(session, build, only));
  return EXIT.done;
}

function seqOf(build: BuildDetail, step: string): number {
  const found = build.steps.find(({ name }) => name === step) ?? build.steps.find(({ seq }) => String(seq) === step);
  if (found !== undefined) return found.seq;
  throw new UsageError(
    `${build.builder} #${build.number} has no step ${step}: ${build.steps.map(({ name }) => name).join(", ")}`,
  );
}

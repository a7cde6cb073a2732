import type { Configuration, Scheduler, Step } from "../../contracts/values.ts";
import { nextOfCron } from "../schedule/times.ts";
import type { Path } from "./problems.ts";

type Report = (path: Path, message: string) => void;
type Builder = Configuration["builders"][string];

/** Names stand in addresses of pages, in files' names and in messages. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const NAME_TEXT = "a name begins with a letter or digit; letters, digits, _, . and - follow, at most 63 in all";
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** An order holds all of it, in one message. A short text may stand for much by its aliases. */
const MOST_BUILDER_BYTES = 1024 * 1024;

/** What is wrong although each word is right: names of nothing, times that never come, circles. */
export function meaningProblems(configuration: Configuration, report: Report): void {
  for (const [name, { url }] of Object.entries(configuration.repositories)) {
    if (!NAME.test(name)) report(["repositories", name], NAME_TEXT);
    if (url.startsWith("-")) report(["repositories", name, "url"], "git would take it for an option");
  }
  for (const [name, builder] of Object.entries(configuration.builders)) {
    if (!NAME.test(name)) report(["builders", name], NAME_TEXT);
    builderProblems(configuration, builder, (path, message) => report(["builders", name, ...path], message));
  }
  for (const name of builderCircles(configuration)) {
    report(["builders", name, "schedulers"], "it depends on itself, by way of its upstreams");
  }
}

function builderProblems(configuration: Configuration, builder: Builder, report: Report): void {
  if (!Object.hasOwn(configuration.repositories, builder.repository)) {
    report(["repository"], `there is no repository ${JSON.stringify(builder.repository)}`);
  }
  if (builder.branch === "" || builder.branch.startsWith("-")) report(["branch"], "this is no branch");
  if (Buffer.byteLength(JSON.stringify(builder)) > MOST_BUILDER_BYTES) {
    report([], `it is larger than ${MOST_BUILDER_BYTES} bytes: put what its steps do into files of the repository`);
  }
  variableProblems(builder.env, report);
  for (const [index, name] of builder.secrets.entries()) {
    if (!VARIABLE.test(name)) report(["secrets", index], "this is no name of a variable");
  }
  for (const [index, scheduler] of builder.schedulers.entries()) {
    const problem = schedulerProblem(configuration, scheduler);
    if (problem !== undefined) report(["schedulers", index], problem);
  }
  for (const [index, step] of builder.steps.entries()) {
    stepProblems(step, (path, message) => report(["steps", index, ...path], message));
  }
}

function schedulerProblem(configuration: Configuration, scheduler: Scheduler): string | undefined {
  if (scheduler.kind === "dependent" && !Object.hasOwn(configuration.builders, scheduler.upstream)) {
    return `there is no builder ${JSON.stringify(scheduler.upstream)}`;
  }
  if (scheduler.kind !== "nightly") return undefined;
  try {
    return nextOfCron(scheduler.cron, 0) === null ? `${scheduler.cron}: this time never comes` : undefined;
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return `${JSON.stringify(scheduler.cron)} is no cron expression of five fields: ${why}`;
  }
}

function stepProblems(step: Step, report: Report): void {
  variableProblems(step.env, report);
  if (!isBelow(step.workdir)) report(["workdir"], "it must be below the work tree");
  if (step.report !== undefined && !isBelow(step.report)) report(["report"], "it must be below the work tree");
  for (const [index, pattern] of step.artefacts.entries()) {
    if (!isBelow(pattern)) report(["artefacts", index], "it must be below the work tree");
  }
  if (Array.isArray(step.command) && step.command[0] === "") report(["command", 0], "the program's name is empty");
}

function variableProblems(env: Readonly<Record<string, string | null>>, report: Report): void {
  for (const name of Object.keys(env)) {
    if (!VARIABLE.test(name)) report(["env", name], "this is no name of a variable");
  }
}

function isBelow(path: string): boolean {
  return path !== "" && !/^([/\\]|[A-Za-z]:)/.test(path) && !path.split(/[/\\]/).includes("..") && !path.includes("\0");
}

/** Builders that would be built after themselves, again and again. */
function builderCircles({ builders }: Configuration): string[] {
  const upstreams = (name: string): string[] => {
    const builder = Object.hasOwn(builders, name) ? builders[name] : undefined;
    return (builder?.schedulers ?? []).flatMap((one) => (one.kind === "dependent" ? [one.upstream] : []));
  };
  return Object.keys(builders).filter((name) => {
    const seen = new Set<string>();
    const open = upstreams(name);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === name) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...upstreams(next));
    }
    return false;
  });
}

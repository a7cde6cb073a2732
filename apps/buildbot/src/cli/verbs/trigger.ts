import { RpcError } from "@rpc/core";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BuildRequest, Properties } from "../../contracts/values.ts";
import { withConnection } from "../connection.ts";
import { wholeFrom } from "../numbers.ts";
import { EXIT, warn } from "../problems.ts";
import { buildLine, exitCodeOf, shownResults } from "../results.ts";
import { plain } from "../text.ts";
import { aborted, runVerb, type Session } from "../verb.ts";

interface TriggerOptions {
  readonly branch?: string;
  readonly revision?: string;
  readonly property: Properties;
  readonly reason?: string;
  readonly priority?: number;
  readonly wait?: boolean;
}

/** Events say when to look; this is for those that a lost connection has swallowed. */
const LOOK_MS = 3000;

export function addTrigger(program: Command): void {
  withConnection(program.command("trigger"))
    .description("wishes for a build, and prints the number of the request")
    .argument("<builder>")
    .option("--branch <name>", "default: the builder's")
    .option("--revision <hash>", "default: whatever the branch is at")
    .addOption(
      new Option("--property <name=value>", "for the build's steps; may be given again")
        .argParser(property)
        .default({}, "none"),
    )
    .option("--reason <text>", "why")
    .option("--priority <number>", "-100 to 100; higher ones first", wholeFrom(-100))
    .option("--wait", "until it is built; the exit code says how it ended")
    .action((builder: string, options: TriggerOptions, command: Command) =>
      runVerb(command, (session) => trigger(session, builder, options)),
    );
}

async function trigger(session: Session, builder: string, options: TriggerOptions): Promise<number> {
  const { branch, revision, reason, priority, property: properties, wait = false } = options;
  const { builds, output } = session;
  const waiter = wait ? new Changes(session) : undefined;
  await waiter?.ready();
  const request = await builds.force({
    builder,
    properties,
    ...(branch !== undefined && { branch }),
    ...(revision !== undefined && { revision }),
    ...(reason !== undefined && { reason }),
    ...(priority !== undefined && { priority }),
  });
  output.line(`request ${request.id} of ${plain(request.builder)} on ${plain(request.branch)}`);
  return waiter === undefined ? EXIT.done : waitFor(session, waiter, request);
}

async function waitFor(session: Session, changes: Changes, { id }: BuildRequest): Promise<number> {
  const { builds, output, stopped } = session;
  let told = 0;
  let ended = new Set<number>();
  for (;;) {
    const changed = changes.next();
    try {
      const request = await builds.request({ id }, { signal: stopped });
      if (request.buildId !== undefined) {
        const build = await builds.get({ id: request.buildId }, { signal: stopped });
        if (told !== build.id) {
          output.line(`${plain(build.builder)} #${build.number} [${build.id}] began on ${plain(build.bot)}`);
          told = build.id;
          ended = new Set();
        }
        for (const { seq, name, state, results, summary } of build.steps) {
          if (state !== "finished" || ended.has(seq)) continue;
          ended.add(seq);
          output.line(
            `  ${plain(name)}: ${shownResults(output, results)}${summary === "" ? "" : `, ${plain(summary)}`}`,
          );
        }
        if (request.state === "complete") output.line(buildLine(output, build, Date.now()));
      }
      if (request.state === "complete") {
        if (request.buildId === undefined) output.line(`request ${id}: ${shownResults(output, request.results)}`);
        return exitCodeOf(request.results ?? "exception");
      }
    } catch (thrown) {
      if (stopped.aborted) break;
      if (RpcError.from(thrown).code !== "UNAVAILABLE") throw thrown;
      warn("the server is away; waiting for it");
    }
    await Promise.race([changed, aborted(stopped)]);
    if (stopped.aborted) break;
  }
  warn(`request ${id} goes on without this command`);
  return EXIT.interrupted;
}

/** Wakes when a build or a request has changed, and each few seconds in any case. */
class Changes {
  readonly #ready: Promise<unknown>;
  #wake = Promise.withResolvers<void>();

  constructor({ builds, stopped }: Session) {
    const wake = (): void => this.#wake.resolve();
    const requests = builds.queueChanged.subscribe({ signal: stopped }, wake);
    const running = builds.changed.subscribe({ signal: stopped }, wake);
    this.#ready = Promise.all([requests.ready, running.ready]);
  }

  async ready(): Promise<void> {
    await this.#ready;
  }

  next(): Promise<void> {
    const wake = Promise.withResolvers<void>();
    this.#wake = wake;
    const timer = setTimeout(wake.resolve, LOOK_MS);
    return wake.promise.finally(() => clearTimeout(timer));
  }
}

function property(text: string, before: Properties): Properties {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("it has the form name=value");
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

import { createDbQueue, type DbQueue, type QueueStore } from "@rpc/db-queue";
import type { Command } from "commander";
import { databaseUrl, type DatabaseOptions, openStore } from "./database.ts";
import { Output } from "./output.ts";
import { plain } from "./text/plain.ts";
import { problemLine, stackLines, UsageError, withoutSecrets } from "./problems.ts";

/** What every verb is given. */
export interface Session {
  readonly store: QueueStore;
  readonly queue: DbQueue;
  readonly output: Output;
  /** Aborted by Ctrl-C, by a signal to end, and when nobody reads any more. Who asks for it once is not ended by the first of them. */
  readonly stopped: () => AbortSignal;
  /** A line for people, on standard error. */
  readonly warn: (text: string) => void;
}

/** False: something of what was asked for has failed, and was told. */
export type Verb = (session: Session) => Promise<boolean | void>;

export interface VerbNeeds {
  /** An SQLite file that is not there is made. Default: false. */
  readonly makes?: boolean;
  /** Rows that have expired are ended by this process: somebody here waits for one. Default: false. */
  readonly reaps?: boolean;
}

interface GlobalOptions extends DatabaseOptions {
  readonly color?: boolean;
  readonly debug?: boolean;
}

const PROGRAM = "rpc-queue";
const LONGEST = 2000;
/** Of who waits for one command: it ends what has expired soon, and deletes nothing. */
const REAPER = { everyMs: 1000, retention: false } as const;

/** Runs a verb and sets the exit code: 0, 1 for a failure, 2 for what cannot be asked. */
export async function runVerb(
  command: Command,
  verb: Verb,
  { makes = false, reaps = false }: VerbNeeds = {},
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const output = new Output(process.stdout, options.color);
  const stop = new Stop(output.gone);
  try {
    const store = openStore(options, makes);
    // Whoever looks changes nothing: what is old or expired is ended by those who work here.
    const queue = createDbQueue(store, { reaper: reaps ? REAPER : false });
    try {
      const succeeded = await verb({ store, queue, output, stopped: () => stop.signal(), warn });
      if (succeeded === false) process.exitCode = 1;
    } finally {
      stop.forget();
      await queue.close();
      await store.close();
    }
  } catch (thrown) {
    tellProblem(thrown, databaseUrl(options), options.debug === true);
  }
}

function tellProblem(thrown: unknown, url: string | undefined, isDebug: boolean): void {
  warn(problemLine(thrown, url));
  if (isDebug) process.stderr.write(`${stackLines(thrown, url)}\n`);
  process.exitCode = thrown instanceof UsageError ? 2 : 1;
}

/** `text` is plain, and no secret is in it. */
function warn(text: string): void {
  process.stderr.write(`${PROGRAM}: ${text}\n`);
}

/** What commander says of a command line that it cannot read. */
export function tellUsage(text: string): void {
  const clean = withoutSecrets(text, undefined)
    .replaceAll("\n", " ")
    .trim()
    .replace(/^error: |\.$/g, "");
  warn(`${plain(clean, LONGEST)}; see ${PROGRAM} --help`);
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

class Stop {
  readonly #interrupted = new AbortController();
  readonly #gone: AbortSignal;
  #signal: AbortSignal | undefined = undefined;

  constructor(gone: AbortSignal) {
    this.#gone = gone;
  }

  signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#signal = AbortSignal.any([this.#interrupted.signal, this.#gone]);
      for (const name of SIGNALS) process.on(name, this.#interrupt);
    }
    return this.#signal;
  }

  forget(): void {
    for (const name of SIGNALS) process.off(name, this.#interrupt);
  }

  /** The second one finds nobody who listens, and ends the process at once. */
  readonly #interrupt = (): void => {
    this.forget();
    this.#interrupted.abort();
  };
}

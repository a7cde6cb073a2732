import type { Command } from "commander";
import { connect, type Connection, type ConnectionOptions, tokenOf } from "./connection.ts";
import { Output } from "./output.ts";
import { EXIT, tellProblem } from "./problems.ts";

export interface Session extends Connection {
  readonly output: Output;
  /** Aborted by Ctrl-C, by a signal to end, and when nobody reads any more. */
  readonly stopped: AbortSignal;
}

/** Gives the exit code. */
export type Verb = (session: Session) => Promise<number>;

/** Runs a verb against a server and sets the exit code; no error leaves it. */
export async function runVerb(command: Command, verb: Verb): Promise<void> {
  const options = command.optsWithGlobals<ConnectionOptions & { debug?: boolean }>();
  const output = new Output(process.stdout);
  const stop = new Stop();
  const stopped = AbortSignal.any([stop.signal, output.gone]);
  try {
    const connecting = connect(options);
    // A Ctrl-C while nobody answers need not wait for who does not answer.
    const connection = await Promise.race([connecting, aborted(stopped)]);
    if (connection !== undefined) {
      try {
        process.exitCode = await verb({ ...connection, output, stopped });
      } finally {
        await connection.transport.close();
      }
    } else
      void connecting.then(
        ({ transport }) => transport.close(),
        () => undefined,
      );
  } catch (thrown) {
    if (!stopped.aborted) tellProblem(thrown, tokenOf(options), options.debug === true);
  } finally {
    stop.forget();
  }
  if (!stop.signal.aborted) return;
  process.exitCode = EXIT.interrupted;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The first signal asks to stop; the second finds nobody who listens, and ends the process at once. */
export class Stop {
  readonly #interrupted = new AbortController();

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#interrupt);
  }

  get signal(): AbortSignal {
    return this.#interrupted.signal;
  }

  forget(): void {
    for (const name of SIGNALS) process.off(name, this.#interrupt);
  }

  readonly #interrupt = (): void => {
    this.forget();
    this.#interrupted.abort();
  };
}

export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

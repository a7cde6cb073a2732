import type { LogLines } from "../../contracts/values.ts";
import type { Bus } from "../bus.ts";
import { getBuildSummary, listSteps, type Store } from "../store/index.ts";
import type { Logs } from "./logs.ts";

const WINDOW = 1000;
/** For who looks at the end: more than a screen, and no more than is drawn in a moment. */
const TAIL = 300;

export interface FollowDeps {
  readonly store: Store;
  readonly logs: Logs;
  readonly bus: Bus;
}

export interface Follow {
  readonly build: number;
  /** Left out: all steps of the build, one after the other. */
  readonly step?: number | undefined;
  /** Of the step, or of the first one. */
  readonly firstLine: number;
  /** What is more than a window behind the end is left out: who looks at the end asks for the rest by its lines. */
  readonly tail?: boolean | undefined;
}

/**
 * A log from a line on, as it grows. A window may begin with the line that the last one ended with, when that was not whole yet. The last
 * window of a step says `ended`. Who does not read makes nobody wait, and nothing is kept for it. A build that is not there ends at once.
 */
export async function* followLog(
  deps: FollowDeps,
  { build, step, firstLine, tail = false }: Follow,
  signal: AbortSignal,
): AsyncGenerator<LogLines & { step: number }, void, undefined> {
  if (step !== undefined) {
    yield* followStep(deps, { build, step, firstLine, tail }, signal);
    return;
  }
  const { store, bus } = deps;
  let from = firstLine;
  const change = new Change();
  const stop = bus.on("buildChanged", ({ id }) => {
    if (id === build) change.tell();
  });
  const abort = (): void => change.tell();
  signal.addEventListener("abort", abort);
  try {
    let last = -1;
    for (;;) {
      if (signal.aborted) return;
      const changed = change.next();
      const summary = await getBuildSummary(store.db, build);
      const next = (await listSteps(store.db, build)).find(
        ({ seq, state, logBytes, startedAt }) =>
          seq > last && (state === "running" || startedAt !== undefined || logBytes > 0),
      );
      if (next !== undefined) {
        yield* followStep(deps, { build, step: next.seq, firstLine: from, tail }, signal);
        last = next.seq;
        from = 0;
      } else if (summary?.state !== "running") {
        return;
      } else {
        await changed;
      }
    }
  } finally {
    stop();
    signal.removeEventListener("abort", abort);
  }
}

async function* followStep(
  { store, logs }: FollowDeps,
  { build, step, firstLine, tail }: Required<Follow> & { readonly step: number },
  signal: AbortSignal,
): AsyncGenerator<LogLines & { step: number }, void, undefined> {
  let from = firstLine;
  for (;;) {
    if (signal.aborted) return;
    const version = logs.version(build, step);
    const hasEnded = await isOver(store, build, step);
    // What has ended before it was read is read to its end.
    const { next, ...window } = await logs.lines(build, step, from, tail ? TAIL : WINDOW);
    const isLast = window.firstLine + window.lines.length >= window.totalLines;
    const ended = hasEnded && isLast;
    if (ended || window.lines.length > 0) yield { ...window, ended, step };
    if (ended) return;
    from = tail ? Math.max(next, window.totalLines - TAIL) : next;
    if (isLast) await logs.grown(build, step, version, signal);
  }
}

async function isOver(store: Store, build: number, step: number): Promise<boolean> {
  const summary = await getBuildSummary(store.db, build);
  if (summary?.state !== "running") return true;
  return (await listSteps(store.db, build)).some(({ seq, state }) => seq === step && state === "finished");
}

/** Told before somebody waits, it is not lost. */
class Change {
  #next = Promise.withResolvers<void>();

  next(): Promise<void> {
    return this.#next.promise;
  }

  tell(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

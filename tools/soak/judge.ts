import { type CallEnds, END, type LoadOutcome, type LoadPlan } from "./load.ts";
import type { DeliveryPromise } from "./options.ts";
import type { Received, Sequence } from "./worker.ts";

/** Everything known about one direction: what was asked, what the caller saw, and what the handler did. */
export interface DirectionResult {
  readonly name: string;
  readonly plan: LoadPlan;
  readonly outcome: LoadOutcome;
  readonly ends: CallEnds;
  readonly runs: Uint8Array;
  readonly received: Received;
}

const MOST_NAMED = 5;

/** Lines for the report, and a sentence for each promise that was broken. */
export function judge(
  results: readonly DirectionResult[],
  promise: DeliveryPromise,
): { lines: string[]; violations: string[] } {
  const lines: string[] = [];
  const violations: string[] = [];
  for (const result of results) {
    lines.push(...describe(result));
    for (const text of violationsOf(result, promise === "exactly-once")) violations.push(`${result.name}: ${text}`);
  }
  return { lines, violations };
}

function* violationsOf({ plan, outcome, ends, runs, received }: DirectionResult, exactly: boolean) {
  const found = new Map<string, number[]>();
  const note = (what: string, n: number): void => {
    const numbers = found.get(what);
    if (numbers === undefined) found.set(what, [n]);
    else numbers.push(n);
  };
  for (let n = 0; n < plan.calls; n++) {
    const end = ends[n];
    const count = runs[n] ?? 0;
    if (count > 1) note("were run more than once", n);
    if (end === END.none) note("were never answered", n);
    if (end === END.done && count === 0) note("were answered and never run", n);
    if (end === END.failedUndelivered && count > 0) note("failed as undelivered, and were run", n);
    if (exactly && end !== END.done && end !== END.none) note("failed", n);
    if (exactly && count === 0) note("were never run", n);
  }
  for (const [what, numbers] of found) {
    const more = numbers.length > MOST_NAMED ? ", …" : "";
    yield `${numbers.length} calls ${what}: ${numbers.slice(0, MOST_NAMED).join(", ")}${more}`;
  }
  yield* outcome.wrong;
  if (outcome.hanging > 0) yield `${outcome.hanging} calls or streams had not ended when the time was up`;
  if (outcome.foreign > 0) yield `${outcome.foreign} failures were not UNAVAILABLE`;
  if (exactly && outcome.streamsFailed > 0) yield `${outcome.streamsFailed} of ${plan.streams} streams failed`;
  yield* sequenceViolations("notifications", received.notes, plan.notes, exactly);
  yield* sequenceViolations("events", received.events, plan.events, exactly);
}

function* sequenceViolations(what: string, { count, outOfOrder, twice }: Sequence, wanted: number, exactly: boolean) {
  if (twice > 0) yield `${twice} ${what} came twice`;
  if (exactly && count !== wanted) yield `${count} of ${wanted} ${what} came`;
  // Two sessions have no order between them.
  if (exactly && outOfOrder > 0) yield `${outOfOrder} ${what} were not the next one`;
}

function describe({ name, plan, outcome, runs, received }: DirectionResult): string[] {
  let once = 0;
  let more = 0;
  for (const count of runs) {
    if (count === 1) once++;
    else if (count > 1) more++;
  }
  const { done, failed, streamsDone, streamsFailed, reasons } = outcome;
  return [
    name,
    `  calls: ${done} of ${plan.calls} answered, ${failed} failed; ${once} run once, ${more} more than once, ${plan.calls - once - more} never`,
    `  streams: ${streamsDone} of ${plan.streams} complete, ${streamsFailed} failed; notifications: ${received.notes.count} of ${plan.notes} came; events: ${received.events.count} of ${plan.events}`,
    ...reasons.map(([reason, count]) => `    ${count} × ${reason}`),
  ];
}

import type { ClientOf, RpcError } from "@rpc/core";
import type { Ledger, Work } from "./ledger.ts";
import type { NewsDesk } from "./news.ts";

/** One direction of a scenario: who calls, how its calls ended, and what the other end did. */
export interface Direction {
  readonly name: string;
  readonly ledger: Ledger;
  /** Where the caller publishes; undefined where events are not promised. */
  readonly desk: NewsDesk | undefined;
  /** Call number → how it ended. */
  readonly ends: Map<number, RpcError | "done">;
  readonly client: () => Promise<ClientOf<typeof Work>>;
}

/** How much there was to do in each direction. */
export interface Amounts {
  readonly calls: number;
  readonly streams: number;
  readonly notifications: number;
  readonly events: number;
}

/** Whether all has come that has no answer to wait for. */
export function isHeard({ ledger, desk }: Direction, { notifications, events }: Amounts): boolean {
  return ledger.notes.length >= notifications && (desk === undefined || ledger.events.length >= events);
}

/** What did not hold, as sentences. */
export function* judgeDirection(direction: Direction, amounts: Amounts, exactly: boolean): Generator<string> {
  const { ledger, ends, desk } = direction;
  for (let n = 0; n < amounts.calls; n += 1) {
    const runs = ledger.runs.get(n) ?? 0;
    const end = ends.get(n);
    if (runs > 1) yield `call ${n} was run ${runs} times`;
    else if (end === undefined) yield `call ${n} was never answered`;
    else if (end === "done" && runs === 0) yield `call ${n} was answered and never run`;
    else if (end !== "done" && end.delivered === "no" && runs > 0)
      yield `call ${n} was run, but is said to be undelivered: ${end.message}`;
  }
  // A handler that is ended early belongs to a session that is over.
  if (exactly) yield* ledger.complaints;
  if (exactly) yield* judgeSequence("notification", ledger.notes, amounts.notifications);
  // Two sessions have no order between them: what the old one had already handed over may come after the first of the new one.
  else if (new Set(ledger.notes).size < ledger.notes.length) yield "a notification came twice";
  if (desk !== undefined) yield* judgeSequence("event", ledger.events, amounts.events);
}

function* judgeSequence(what: string, numbers: readonly number[], wanted: number): Generator<string> {
  const disordered = numbers.findIndex((n, i) => i > 0 && n <= (numbers[i - 1] ?? 0));
  if (disordered > 0) yield `${what} ${numbers[disordered]} came after ${numbers[disordered - 1]}`;
  if (numbers.length !== wanted) yield `${numbers.length} of ${wanted} ${what}s came`;
}

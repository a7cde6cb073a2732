import type { CommandRow } from "../src/store/store-words.ts";
import type { JournalEntry } from "./chaos-journal.ts";
import type { PlannedCommand } from "./chaos-plan.ts";

/** What the issuer was told of a command. */
export type ToldOutcome =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly reason: string };

export interface ChaosEvidence {
  readonly commands: readonly PlannedCommand[];
  readonly told: ReadonlyMap<string, ToldOutcome>;
  /** By the command's name. */
  readonly rows: ReadonlyMap<string, CommandRow>;
  readonly journal: readonly JournalEntry[];
  /** When an incarnation was killed. */
  readonly deaths: ReadonlyMap<string, number>;
  /** Who stood still for a while: nobody can tell it that its lease is over before it goes on. */
  readonly frozen: ReadonlySet<string>;
}

export interface ChaosVerdict {
  /** A sentence for each broken promise. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

interface Run {
  readonly attempt: number;
  readonly incarnation: string;
  readonly startMs: number;
  /** Or its process's end; infinite while it goes on. */
  endMs: number;
  hasEnded: boolean;
}

/** Why a command may end otherwise than done. */
const KNOWN_FAILURES: ReadonlySet<string> = new Set(["LEASE_LOST", "EXPIRED"]);
const MOST_NAMED = 5;

export function judge(evidence: ChaosEvidence): ChaosVerdict {
  const found = new Map<string, string[]>();
  const note = (what: string, name: string): void => {
    const names = found.get(what);
    if (names === undefined) found.set(what, [name]);
    else names.push(name);
  };
  const runs = runsOf(evidence);
  const counts = { commands: evidence.commands.length, runs: 0, done: 0, leaseLost: 0, expired: 0, again: 0 };
  for (const command of evidence.commands) {
    const row = evidence.rows.get(command.name);
    const own = runs.get(command.name) ?? [];
    counts.runs += own.length;
    counts.again += Math.max(0, own.length - 1);
    if (row === undefined) {
      note("were lost", command.name);
      continue;
    }
    if (row.state === "done") counts.done += 1;
    else if (row.state === "expired") counts.expired += 1;
    else if (row.state === "failed") counts.leaseLost += 1;
    for (const what of faultsOf(command, row, own, evidence)) note(what, command.name);
  }
  for (const name of keysOutOfOrder(evidence, runs)) note("ran before an earlier one of their key had ended", name);
  const violations = [...found].map(([what, names]) => {
    const more = names.length > MOST_NAMED ? ", …" : "";
    return `${names.length} commands ${what}: ${names.slice(0, MOST_NAMED).join(", ")}${more}`;
  });
  return { violations, counts };
}

function runsOf({ journal, deaths }: ChaosEvidence): Map<string, Run[]> {
  const runs = new Map<string, Run[]>();
  for (const { what, name, attempt, incarnation, atMs } of journal) {
    let own = runs.get(name);
    if (own === undefined) runs.set(name, (own = []));
    if (what === "start") {
      const endMs = deaths.get(incarnation) ?? Number.POSITIVE_INFINITY;
      own.push({ attempt, incarnation, startMs: atMs, endMs, hasEnded: false });
      continue;
    }
    const run = own.find((each) => each.attempt === attempt && each.incarnation === incarnation && !each.hasEnded);
    if (run === undefined) continue;
    run.endMs = atMs;
    run.hasEnded = true;
  }
  for (const own of runs.values()) own.sort((a, b) => a.startMs - b.startMs);
  return runs;
}

function* faultsOf(
  command: PlannedCommand,
  row: CommandRow,
  runs: readonly Run[],
  evidence: ChaosEvidence,
): Generator<string> {
  const attempts = runs.map(({ attempt }) => attempt);
  if (new Set(attempts).size < attempts.length) yield "ran twice in one try";
  if (runs.length > command.maxAttempts) yield "ran more often than they may";
  if (attempts.some((attempt) => attempt > row.attempts)) yield "ran in a try that the table does not know";
  for (const [index, run] of runs.entries()) {
    const before = runs[index - 1];
    if (before !== undefined && before.endMs > run.startMs && !evidence.frozen.has(before.incarnation))
      yield "ran at two agents at once";
  }
  yield* faultsOfEnd(command, row, runs);
  yield* faultsOfIssuer(row, evidence.told.get(command.name));
}

function* faultsOfEnd(command: PlannedCommand, row: CommandRow, runs: readonly Run[]): Generator<string> {
  switch (row.state) {
    case "done": {
      const last = runs.find(({ attempt, incarnation }) => attempt === row.attempts && incarnation === row.incarnation);
      if (last === undefined || !last.hasEnded) yield "are done and were not run";
      else if (row.result !== JSON.stringify(`${last.incarnation}/${last.attempt}`))
        yield "have somebody else's result";
      break;
    }
    case "expired":
      if (command.expiresMs === undefined) yield "expired, and should not have";
      if (row.attempts === 0 && runs.length > 0) yield "expired and were run";
      break;
    case "failed":
      if (row.attempts < command.maxAttempts && command.expiresMs === undefined) yield "were given up with tries left";
      if (!(row.error ?? "").includes("LEASE_LOST")) yield `failed: ${row.error}`;
      break;
    case "queued":
    case "waiting":
    case "claimed":
    case "cancelled":
      yield `are stuck, or ended as nobody asked: ${row.state}`;
  }
  const { claimedAt, expiresAt } = row;
  if (claimedAt !== undefined && expiresAt !== undefined && claimedAt >= expiresAt + 1)
    yield "were taken after their expiry";
}

function* faultsOfIssuer(row: CommandRow, told: ToldOutcome | undefined): Generator<string> {
  if (told === undefined) return yield "have an issuer who was never told";
  if (told.kind === "done") {
    if (row.state !== "done" || row.result !== JSON.stringify(told.value)) yield "were said to be done, and are not";
    return undefined;
  }
  if (row.state === "done") yield `are done, and were said to have failed (${told.reason})`;
  else if (!KNOWN_FAILURES.has(told.reason)) yield `ended for their issuer with ${told.reason}`;
  return undefined;
}

/** One after the other, in the order of the ids. */
function* keysOutOfOrder(
  { commands, rows, frozen }: ChaosEvidence,
  runs: ReadonlyMap<string, readonly Run[]>,
): Generator<string> {
  const byKey = new Map<string, CommandRow[]>();
  const names = new Map<number, string>();
  for (const { name, key } of commands) {
    const row = rows.get(name);
    if (key === undefined || row === undefined) continue;
    names.set(row.id, name);
    byKey.set(key, [...(byKey.get(key) ?? []), row]);
  }
  for (const list of byKey.values()) {
    let overMs = Number.NEGATIVE_INFINITY;
    for (const row of list.toSorted((a, b) => a.id - b.id)) {
      const name = names.get(row.id) ?? "";
      const own = (runs.get(name) ?? []).filter(({ incarnation }) => !frozen.has(incarnation));
      if (own.some(({ startMs }) => startMs < overMs)) yield name;
      for (const { endMs } of own) overMs = Math.max(overMs, endMs);
    }
  }
}

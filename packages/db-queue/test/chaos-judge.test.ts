import { expect, it } from "vitest";
import type { CommandRow } from "../src/store/store-words.ts";
import type { JournalEntry } from "./chaos-journal.ts";
import { type ChaosEvidence, judge, type ToldOutcome } from "./chaos-judge.ts";
import type { PlannedCommand } from "./chaos-plan.ts";

// A judge who finds nothing proves nothing: each broken promise is put before it once.
const PLAN: PlannedCommand = {
  name: "c0",
  maxAttempts: 1,
  workMs: 0,
  key: undefined,
  expiresMs: undefined,
  delayMs: undefined,
  priority: 0,
};
const DONE = { id: 1, state: "done", attempts: 1, incarnation: "a-1", result: '"a-1/1"' } as CommandRow;

const start = (atMs: number, attempt = 1, incarnation = "a-1", name = "c0"): JournalEntry => ({
  what: "start",
  name,
  attempt,
  incarnation,
  atMs,
});
const end = (atMs: number, attempt = 1, incarnation = "a-1", name = "c0"): JournalEntry => ({
  ...start(atMs, attempt, incarnation, name),
  what: "end",
});

interface Case {
  readonly plan?: Partial<PlannedCommand>;
  readonly row?: Partial<CommandRow> | null;
  readonly journal?: readonly JournalEntry[];
  readonly told?: ToldOutcome | null;
  readonly deaths?: ReadonlyMap<string, number>;
}

function violations({
  plan,
  row = {},
  journal = [start(1), end(2)],
  told,
  deaths = new Map(),
}: Case): readonly string[] {
  const outcome = told === undefined ? ({ kind: "done", value: "a-1/1" } as const) : told;
  const evidence: ChaosEvidence = {
    commands: [{ ...PLAN, ...plan }],
    told: new Map(outcome === null ? [] : [["c0", outcome]]),
    rows: new Map(row === null ? [] : [["c0", { ...DONE, ...row }]]),
    journal,
    deaths,
    frozen: new Set(),
  };
  return judge(evidence).violations;
}

const failed = (reason: string): ToldOutcome => ({ kind: "failed", reason });
const LOST = { state: "failed", error: '{"code":"LEASE_LOST"}' } as const;

it("finds nothing where nothing is wrong", () => {
  expect(violations({})).toEqual([]);
  expect(violations({ row: LOST, journal: [start(1)], told: failed("LEASE_LOST") })).toEqual([]);
  const journal = [start(1), start(5, 2), end(6, 2)];
  const second = { attempts: 2, result: '"a-1/2"' };
  const told = { kind: "done", value: "a-1/2" } as const;
  expect(violations({ plan: { maxAttempts: 3 }, row: second, journal, told, deaths: new Map([["a-1", 4]]) })).toEqual(
    [],
  );
});

it.for<[string, Case]>([
  ["were lost", { row: null }],
  ["ran twice in one try", { plan: { maxAttempts: 3 }, journal: [start(1), end(2), start(3), end(4)] }],
  ["ran more often than they may", { journal: [start(1), end(2), start(3, 2), end(4, 2)] }],
  ["ran in a try that the table does not know", { plan: { maxAttempts: 3 }, journal: [start(1), end(2), start(3, 2)] }],
  [
    "ran at two agents at once",
    { plan: { maxAttempts: 3 }, journal: [start(1), start(3, 2, "b-1"), end(4, 2, "b-1")] },
  ],
  ["are done and were not run", { journal: [] }],
  ["are done and were not run", { journal: [start(1)] }],
  ["have somebody else's result", { row: { result: '"stale"' } }],
  ["expired, and should not have", { row: { state: "expired", attempts: 0 }, journal: [], told: failed("EXPIRED") }],
  ["expired and were run", { plan: { expiresMs: 9 }, row: { state: "expired", attempts: 0 }, told: failed("EXPIRED") }],
  ["were given up with tries left", { plan: { maxAttempts: 3 }, row: LOST, told: failed("LEASE_LOST") }],
  [
    'failed: {"code":"INTERNAL"}',
    { row: { state: "failed", error: '{"code":"INTERNAL"}' }, told: failed("LEASE_LOST") },
  ],
  ["are stuck, or ended as nobody asked: claimed", { row: { state: "claimed" } }],
  ["were taken after their expiry", { row: { claimedAt: 20, expiresAt: 10 } }],
  ["have an issuer who was never told", { told: null }],
  ["were said to be done, and are not", { row: LOST }],
  ["are done, and were said to have failed (LEASE_LOST)", { told: failed("LEASE_LOST") }],
  ["ended for their issuer with CONNECTION_LOST", { row: LOST, told: failed("CONNECTION_LOST") }],
])("finds what %s", ([what, given]) => {
  expect(violations(given).some((text) => text.includes(what))).toBe(true);
});

it("finds who ran before an earlier one of its key had ended", () => {
  const journal = [start(1), start(2, 1, "b-1", "c1"), end(3, 1, "b-1", "c1"), end(4)];
  const rows = new Map([
    ["c0", DONE],
    ["c1", { ...DONE, id: 2, incarnation: "b-1", result: '"b-1/1"' }],
  ]);
  const told = new Map<string, ToldOutcome>([
    ["c0", { kind: "done", value: "a-1/1" }],
    ["c1", { kind: "done", value: "b-1/1" }],
  ]);
  const commands = [
    { ...PLAN, key: "k" },
    { ...PLAN, name: "c1", key: "k" },
  ];
  const evidence = { commands, told, rows, journal, deaths: new Map<string, number>(), frozen: new Set<string>() };
  expect(judge(evidence).violations).toEqual(["1 commands ran before an earlier one of their key had ended: c1"]);
});

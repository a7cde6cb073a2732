import { describe, expect, it } from "vitest";
import type { BuildSummary, CommandSummary, Scheduler } from "../../src/contracts/values.ts";
import { byRevision } from "../../web/src/data/by-revision.ts";
import { fateOf, standingOf, withBuild } from "../../web/src/data/results.ts";
import { schedulerWords } from "../../web/src/data/scheduler-words.ts";
import { agoWords, byteWords, durationWords } from "../../web/src/data/time-words.ts";
import { diffLines } from "../../web/src/settings/diff-lines.ts";

describe("times in words", () => {
  const now = Date.UTC(2026, 0, 10, 12);
  it.each([
    [2_000, "just now"],
    [50_000, "1 minute ago"],
    [3 * 60_000, "3 minutes ago"],
    [2 * 3_600_000, "2 hours ago"],
    [86_400_000, "yesterday"],
    [40 * 86_400_000, "last month"],
    [-2 * 3_600_000, "in 2 hours"],
  ])("says of %i ms ago: %s", (ms, words) => {
    expect(agoWords(now - ms, now)).toBe(words);
  });

  it.each([
    [-5, "0 s"],
    [0.3, "< 1 ms"],
    [7.2, "7 ms"],
    [420, "0.4 s"],
    [1_840, "1.8 s"],
    [3_000, "3 s"],
    [12_300, "12 s"],
    [185_000, "3 min 5 s"],
    [120_000, "2 min"],
    [7_440_000, "2 h 4 min"],
  ])("says of %i ms: %s", (ms, words) => {
    expect(durationWords(ms)).toBe(words);
  });

  it("says sizes", () => {
    expect([0, 999, 1400, 123_456_789].map(byteWords)).toEqual(["0 B", "999 B", "1.4 kB", "123 MB"]);
  });
});

describe("schedulers in words", () => {
  it.each([
    [{ kind: "change", branches: ["*"], quietSeconds: 5 }, "after commits"],
    [{ kind: "change", branches: ["main", "release/*"], quietSeconds: 5 }, "after commits on main, release/*"],
    [{ kind: "periodic", everySeconds: 5400, onlyWhenChanged: false }, "every 1 h 30 min"],
    [
      { kind: "nightly", cron: "30 3 * * *", onlyWhenChanged: true },
      "at the times of 30 3 * * * when there is something new",
    ],
    [{ kind: "dependent", upstream: "core" }, "after good builds of core"],
  ] satisfies [Scheduler, string][])("%o", (scheduler, words) => {
    expect(schedulerWords(scheduler)).toBe(words);
  });
});

describe("a difference", () => {
  it("numbers the lines of both texts", () => {
    const diff = "--- saved\n+++ new\n@@ -3,3 +3,3 @@\n same\n-old\n+new\n+more\n\\ No newline at end of file\n";
    expect(diffLines(diff)).toEqual([
      { kind: "place", text: "@@ -3,3 +3,3 @@" },
      { kind: "same", text: "same", before: 3, after: 3 },
      { kind: "removed", text: "old", before: 4 },
      { kind: "added", text: "new", after: 4 },
      { kind: "added", text: "more", after: 5 },
    ]);
    expect(diffLines("")).toEqual([]);
  });
});

const build = (id: number, change: Partial<BuildSummary> = {}): BuildSummary => ({
  id,
  requestId: id,
  builder: "all",
  number: id,
  bot: "b",
  branch: "main",
  revision: "r1",
  subject: "",
  author: "",
  reason: "",
  state: "finished",
  results: "success",
  summary: "",
  startedAt: id,
  cancelRequested: false,
  ...change,
});

describe("builds", () => {
  it("are changed in place, and new ones come first", () => {
    const before = [build(3), build(1)];
    expect(withBuild(before, build(1, { results: "failure" }), 5).map(({ results }) => results)).toEqual([
      "success",
      "failure",
    ]);
    expect(withBuild(before, build(2), 5).map(({ id }) => id)).toEqual([3, 2, 1]);
    expect(withBuild(before, build(4), 2).map(({ id }) => id)).toEqual([4, 3]);
  });

  it("are rows of their revisions, newest first", () => {
    const rows = byRevision([build(3, { revision: "r2" }), build(2, { builder: "docs" }), build(1)]);
    expect(rows.map(({ revision, cells }) => [revision, [...cells.keys()]])).toEqual([
      ["r2", ["all"]],
      ["r1", ["docs", "all"]],
    ]);
  });

  it("stand as one word", () => {
    expect(standingOf({ state: "running" })).toBe("running");
    expect(standingOf({ state: "pending" })).toBe("waiting");
    expect(standingOf({ state: "finished", results: "retry" })).toBe("retry");
  });
});

describe("a command's fate", () => {
  const command: CommandSummary = {
    id: 1,
    bot: "b",
    method: "ping",
    args: "",
    state: "queued",
    createdAt: 0,
    createdBy: "",
    outcome: "",
  };

  it("says that nobody was listening", () => {
    expect(fateOf({ ...command, state: "expired", expiresAt: 10_000 })).toBe(
      "expired after 10 s: no bot was listening",
    );
    expect(fateOf(command)).toBe("waits for the bot");
    expect(fateOf({ ...command, state: "done", outcome: "pong" })).toBe("pong");
  });
});

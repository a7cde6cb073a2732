import { expect, it } from "vitest";
import { agentSettings, type DbQueueAgentOptions } from "../src/agent/agent-options.ts";
import { rowArguments } from "../src/command/arguments.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";

const store = createSqliteStore({ file: ":memory:" });

it.each<[string, Partial<DbQueueAgentOptions>]>([
  ["leaseMs", { leaseMs: 90 * 86_400_000 }],
  ["leaseMs", { leaseMs: "30s" as unknown as number }],
  ["pollMs", { pollMs: 86_400_001 }],
  ["singleShot", { singleShot: "once" as "one" }],
])("refuses an agent with an impossible %s", (option, options) => {
  expect(() => agentSettings({ store, address: "a", ...options })).toThrow(option);
});

it("refuses a queue that would look less often than once a day", () => {
  expect(() => createDbQueue(store, { pollMs: 86_400_001 })).toThrow("pollMs must be a number from 1 to 86400000");
});

it("refuses a durability that is written in another way than it reads", () => {
  expect(() => createSqliteStore({ file: ":memory:", synchronous: "FULL" as "full" })).toThrow("synchronous must be");
});

it("refuses arguments that are no list, in words", () => {
  expect(() => rowArguments("text" as unknown as unknown[], {})).toThrow("arguments by position are a list");
  expect(() => rowArguments([], [1] as unknown as Record<string, unknown>)).toThrow("arguments by name are a record");
});

// One suite for both databases: a new one for each test.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@rpc/core";
import { stringify } from "yaml";
import { createDatabase } from "../../../packages/db-queue/test/postgres-database.ts";
import type { Configuration } from "../src/contracts/values.ts";
import { saveConfiguration } from "../src/server/config/index.ts";
import { type BotRow, createBot, greetBot, openStore, type Store } from "../src/server/store/index.ts";
import { TestClock } from "./test-clock.ts";

export const DATABASES = ["sqlite", "postgres"] as const;

export interface Rig extends AsyncDisposable {
  readonly place: string;
  readonly store: Store;
  readonly clock: TestClock;
  /** Another store on the same database. */
  reopen(clock?: Clock): Promise<Store>;
}

export async function openRig(kind: (typeof DATABASES)[number]): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "buildbot-"));
  const place = kind === "sqlite" ? join(folder, "buildbot.db") : await createDatabase();
  const clock = new TestClock();
  const stores: Store[] = [];
  const reopen = async (timers: Clock = clock): Promise<Store> => {
    const store = await openStore(place, { clock: timers, wallClock: () => clock.wall });
    stores.push(store);
    return store;
  };
  return {
    place,
    store: await reopen(),
    clock,
    reopen,
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Builders = Readonly<Record<string, object>>;

/** Saves a house with these builders, each of one step and of repository `house` unless it says otherwise. */
export async function configure(store: Store, builders: Builders, at = 1000): Promise<void> {
  const text = stringify({
    repositories: { house: { url: "/srv/house.git", branches: ["*"] }, other: { url: "/srv/other.git" } },
    builders: Object.fromEntries(
      Object.entries(builders).map(([name, builder]) => [
        name,
        { repository: "house", steps: [{ name: "test", command: "true" }], ...builder },
      ]),
    ),
  } satisfies Record<keyof Configuration, unknown>);
  const { version } = (await store.db
    .selectFrom("configurations")
    .select((eb) => eb.fn.max("version").as("version"))
    .executeTakeFirst()) ?? { version: 0 };
  const saved = await store.transaction((tx) =>
    saveConfiguration(tx, { text, version: version ?? 0, author: "test", note: "", at }),
  );
  if (saved.outcome !== "saved") throw new Error(JSON.stringify(saved));
}

/** A bot that has said hello. */
export async function addBot(store: Store, name: string, maxBuilds = 2, incarnation = "first"): Promise<BotRow> {
  const { id } = await createBot(store.db, { name, secret: "", maxBuilds, at: 1000 });
  await greetBot(store.db, id, { incarnation, about: {}, at: 1000 });
  return { id, name, secret: "", maxBuilds, incarnation, lastSeenAt: 1000, paused: false, about: {} };
}

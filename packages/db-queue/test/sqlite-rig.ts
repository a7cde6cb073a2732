import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import type { SqliteStoreOptions } from "../src/sqlite/options.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { StoreRig } from "./store-rig.ts";

export interface SqliteRig extends StoreRig {
  readonly file: string;
  readonly clock: FakeClock;
}

const EPOCH_MS = 1_800_000_000_000;

/** A file in a folder of its own; time stands still. */
export async function openSqliteRig(
  { migrated = true }: { readonly migrated?: boolean } = {},
  options: Partial<SqliteStoreOptions> = {},
): Promise<SqliteRig> {
  const folder = mkdtempSync(join(tmpdir(), "rpc-sqlite-"));
  const file = join(folder, "queue.db");
  const clock = createFakeClock(EPOCH_MS);
  const stores: QueueStore[] = [];
  const handles: DatabaseSync[] = [];
  const another = (): QueueStore => {
    const store = createSqliteStore({ file, clock, wallClock: () => clock.now(), ...options });
    stores.push(store);
    return store;
  };
  const connect = (): DatabaseSync => {
    const handle = new DatabaseSync(file);
    handles.push(handle);
    return handle;
  };
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(resolve);
    });
  const store = another();
  if (migrated) await store.migrate();
  return {
    store,
    file,
    clock,
    another,
    advance: async (ms) => {
      clock.advance(ms);
      await turn();
    },
    tick: async () => {
      clock.advance(10);
      await turn();
    },
    begin: async () => {
      const handle = connect();
      handle.exec("BEGIN");
      return {
        handle,
        commit: async () => handle.exec("COMMIT"),
        rollback: async () => handle.exec("ROLLBACK"),
      };
    },
    query: async (sql) => connect().prepare(sql).all(),
    close: async () => {
      await Promise.all(stores.map((each) => each.close()));
      for (const handle of handles) handle.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

import { afterAll, beforeAll, expect, it } from "vitest";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import { startPostgres, type TestServer } from "./embedded-postgres.ts";
import { claimed, inserted, stateOf, subscribed } from "./store-rig.ts";

let server: TestServer;
let store: QueueStore;

beforeAll(async () => {
  // The log is written to its file at commits alone, so that what a commit does not write is gone when the server is killed.
  server = await startPostgres({ settings: ["wal_writer_delay=10s"] });
  store = createPostgresStore({ connection: server.url() });
  await store.migrate();
  await subscribed(store, "a");
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

async function killed(): Promise<void> {
  await server.kill();
  await server.up();
  await store.close();
  store = createPostgresStore({ connection: server.url() });
}

it("Q54 a command that was claimed is claimed when the server is killed under its agent: at most once means once", async () => {
  const ids = await inserted(store, {}, { maxAttempts: 3 });
  const claims = await claimed(store, "a");
  await killed();
  expect(await Promise.all(ids.map((id) => stateOf(store, id)))).toEqual(["claimed", "claimed"]);
  expect(await claimed(store, "a")).toEqual([]);
  await store.settle(claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" })));
  await killed();
  expect(await Promise.all(ids.map((id) => stateOf(store, id)))).toEqual(["done", "done"]);
});

it("Q54 the same with each verb for one command alone", async () => {
  const [id = 0] = await inserted(store, { maxAttempts: 3 });
  await killed();
  const [claim] = await claimed(store, "a");
  await killed();
  expect(await stateOf(store, id)).toBe("claimed");
  await store.settle([{ id, token: claim?.token ?? "", outcome: "done", result: "1" }]);
  await killed();
  expect(await stateOf(store, id)).toBe("done");
});

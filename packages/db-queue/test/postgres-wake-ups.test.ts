import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { commandTopic, type QueueStore, resultTopic } from "../src/store/store.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { ADDRESS, claimed, inserted, Listener, rejection, subscribed } from "./store-rig.ts";

const LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

let rig: PostgresRig;
const stores: QueueStore[] = [];
beforeEach(async () => {
  rig = await openPostgresRig();
  await subscribed(rig.store, "a");
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await rig.close();
});

function opened(options: Partial<Parameters<typeof createPostgresStore>[0]>): QueueStore {
  const store = createPostgresStore({ connection: rig.url, ...options });
  stores.push(store);
  return store;
}

it("H186 wakes once for a thousand commands, and once for each of a thousand results", async () => {
  // Of another process: this one tells its own results besides.
  const listener = await Listener.on(rig, rig.another());
  await inserted(rig.store, ...Array.from({ length: 1000 }, () => ({})));
  await rig.store.publish(["then"]);
  await expect.poll(() => listener.topics).toContain("then");
  expect(listener.topics).toEqual([commandTopic(ADDRESS), "then"]);
  listener.topics.length = 0;
  const claims = await claimed(rig.store, "a", { max: 1000 });
  await rig.store.settle(claims.map((claim) => ({ ...claim, outcome: "done", result: "1" }) as const));
  await rig.store.publish(["then"]);
  await expect.poll(() => listener.topics).toContain("then");
  expect(listener.topics.slice(0, -1).toSorted()).toEqual(claims.map(({ id }) => resultTopic(id)).toSorted());
});

it("H186 takes nothing from a notification that is none of the store's", async () => {
  const listener = await Listener.on(rig);
  for (const payload of ["", "command on: x", "{}", "[1, {}]", "[[", '"text"']) {
    await rig.admin.query("SELECT pg_notify('rpc_wake_public', $1)", [payload]);
  }
  await rig.store.publish(["then"]);
  await expect.poll(() => listener.topics).toEqual(["then"]);
  expect(listener.all).toBe(0);
});

it("wakes for rows that another program has written in plain SQL, where there are triggers", async () => {
  const store = opened({ notify: "trigger" });
  await store.migrate();
  const listener = await Listener.on(rig, store);
  await rig.query("INSERT INTO rpc_command (address_id, method) SELECT id, 'ping' FROM rpc_address");
  expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
});

it("H187 H191 tells everybody to look when its connection was killed and is back", async () => {
  const listener = await Listener.on(rig);
  await rig.query(`SELECT pg_terminate_backend(pid) FROM (${LISTENERS}) AS l`);
  await expect.poll(() => listener.all).toBe(1);
  expect(await rig.query(LISTENERS)).toHaveLength(1);
  listener.all = 0;
  await inserted(rig.store, {});
  expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
});

it("has a connection for listening only while somebody watches", async () => {
  expect(await rig.query(LISTENERS)).toEqual([]);
  const first = rig.store.watch({ wake: () => undefined, wakeAll: () => undefined });
  const second = rig.store.watch({ wake: () => undefined, wakeAll: () => undefined });
  await Promise.all([first.ready, second.ready]);
  expect(await rig.query(LISTENERS)).toHaveLength(1);
  first.close();
  second.close();
  await expect.poll(() => rig.query(LISTENERS)).toEqual([]);
  const third = await Listener.on(rig);
  await inserted(rig.store, {});
  expect(await third.isWoken(commandTopic(ADDRESS))).toBe(true);
});

it("H195 notices a connection that is open at this end alone, and makes another", async () => {
  const proxy = await blackHole(rig.url);
  try {
    const clock = createFakeClock();
    const store = opened({ connection: proxy.url, clock, keepAliveMs: 15_000, connectTimeoutMs: 60_000 });
    const listener = await Listener.on(rig, store);
    proxy.swallow();
    await inserted(rig.store, {});
    // The question, and as long again for the answer that never comes.
    clock.advance(15_000);
    clock.advance(15_000);
    proxy.heal();
    expect(listener.all).toBe(0);
    clock.advance(1000);
    await expect.poll(() => listener.all).toBe(1);
    await rig.store.publish(["again"]);
    await expect.poll(() => listener.topics).toEqual(["again"]);
  } finally {
    proxy.close();
  }
});

it("says why nobody can listen, and goes on trying", async () => {
  const proxy = await blackHole(rig.url);
  proxy.refuse();
  const clock = createFakeClock();
  const store = opened({ connection: proxy.url, clock });
  const told: string[] = [];
  const watch = store.watch({ wake: (topic) => told.push(topic), wakeAll: () => told.push("all") });
  expect(await rejection(watch.ready)).toBe("UNAVAILABLE CONNECTION_LOST");
  proxy.heal();
  clock.advance(1000);
  await expect.poll(() => told).toEqual(["all"]);
  proxy.close();
});

it("behind a pooler neither listens nor names statements, and tells everybody to look at intervals", async () => {
  const clock = createFakeClock();
  const store = opened({ pooler: "transaction", clock, pollIntervalMs: 1000, maxConnections: 1 });
  const told: string[] = [];
  await store.watch({ wake: (topic) => told.push(topic), wakeAll: () => told.push("all") }).ready;
  expect(await rig.query(LISTENERS)).toEqual([]);
  await inserted(rig.store, {});
  expect(told).toEqual([]);
  clock.advance(1000);
  clock.advance(1000);
  expect(told).toEqual(["all", "all"]);
  await inserted(store, {});
  expect(told.slice(2)).toEqual([commandTopic(ADDRESS)]);
  const prepared = await rig.query(
    "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%rpc\\_command%' AND pid <> pg_backend_pid()",
  );
  expect(prepared.length).toBeGreaterThan(0);
});

it("sends nothing where nobody is to be woken", async () => {
  const store = opened({ notify: "off" });
  const listener = await Listener.on(rig);
  await inserted(store, {});
  await store.publish(["mine"]);
  await rig.store.publish(["then"]);
  await expect.poll(() => listener.topics).toEqual(["then"]);
});

interface BlackHole {
  readonly url: string;
  /** From now on open connections say nothing, and hear nothing. */
  swallow(): void;
  refuse(): void;
  /** For new ones. */
  heal(): void;
  close(): void;
}

/** Between the store and the server. */
async function blackHole(url: string): Promise<BlackHole> {
  const folder = mkdtempSync(join(tmpdir(), "rpc-hole-"));
  const target = new URL(url);
  const path = join(target.searchParams.get("host") ?? "", ".s.PGSQL.5432");
  const sockets = new Set<Socket>();
  let mode: "open" | "refuse" = "open";
  const server = createServer((near) => {
    sockets.add(near);
    near.on("error", () => undefined);
    if (mode === "refuse") {
      near.destroy();
      return;
    }
    const far = connect(path);
    sockets.add(far);
    far.on("error", () => undefined);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(join(folder, ".s.PGSQL.5432"), resolve);
  });
  target.searchParams.set("host", folder);
  return {
    url: target.href,
    swallow: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.resume();
      }
    },
    refuse: () => {
      mode = "refuse";
    },
    heal: () => {
      mode = "open";
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

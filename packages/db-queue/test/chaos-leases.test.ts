import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { openBlackHole } from "./chaos-hole.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { agentRef, claimedOne, good, inserted, subscribed } from "./store-rig.ts";

function message(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const TERMINATED = message("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"));

let rig: PostgresRig;
beforeEach(async () => {
  rig = await openPostgresRig();
  await subscribed(rig.store, "a");
});
afterEach(() => rig.close());

it("H192 the connection of leases is kept when there is nothing to renew: others may have taken the last one since", async () => {
  const pool = new Pool({ connectionString: rig.url, idleTimeoutMillis: 1, application_name: "mine" });
  const store = createPostgresStore({ connection: pool });
  const backends = (): Promise<readonly unknown[]> =>
    rig.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'mine'");
  expect(await store.keepAlive([agentRef("a")])).toEqual([undefined]);
  expect(await backends()).toHaveLength(1);
  const before = await backends();
  // Those of the pool are closed; one by one, that of leases would have been among them.
  for (let count = 0; count < 5; count += 1) {
    await store.listAddresses();
    await expect.poll(() => pool.totalCount).toBe(0);
  }
  await expect.poll(backends).toEqual(before);
  expect(await store.keepAlive([agentRef("a")])).toEqual([undefined]);
  await store.close();
  await pool.end();
});

it("H195 a renewal does not wait for a dead connection for as long as a statement may take: there is time for another one", async () => {
  const hole = await openBlackHole(rig.url);
  const store = createPostgresStore({ connection: hole.url });
  await inserted(rig.store, {});
  const claim = await claimedOne(store, "a", 900);
  const renewal = { ...claim, leaseMs: 900 };
  expect(good((await store.extend([renewal]))[0]).cancel).toBeUndefined();
  hole.swallow();
  await expect(store.extend([renewal])).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "STATEMENT_TIMEOUT" });
  expect(good((await store.extend([renewal]))[0]).cancel).toBeUndefined();
  hole.close();
  await store.close();
});

it("H191 a connection that is killed in its first breath ends no process: the verb is refused, and goes on at the next", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rpc-breath-"));
  let count = 0;
  // What a busy process may find in one read: the server is ready, and the administrator has ended the connection.
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      count += 1;
      socket.end(Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I")), TERMINATED]));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(join(folder, ".s.PGSQL.5432"), resolve);
  });
  const store = createPostgresStore({ connection: `postgres://u@localhost/d?host=${encodeURIComponent(folder)}` });
  for (let round = 0; round < 2; round += 1)
    await expect(store.listAddresses()).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "CONNECTION_LOST" });
  expect(count).toBeGreaterThan(1);
  await store.close();
  server.close();
  rmSync(folder, { recursive: true });
});

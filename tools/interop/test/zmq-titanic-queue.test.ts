import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSqliteStore, type QueueStore } from "@rpc/db-queue";
import {
  createMdpClient,
  createTitanicClient,
  createTitanicQueueStore,
  type MdpBroker,
  MdpWorker,
  MqMessage,
  runMdpBroker,
  serveTitanic,
  type Titanic,
} from "@rpc/zmq-mdp";
import { describe, expect, it } from "vitest";
import { until } from "../rig.ts";
import { closeAfterwards } from "../zmq/rig.ts";

class Echo extends MdpWorker {
  protected onRequest({ data }: MqMessage): MqMessage {
    return new MqMessage("echo.result", data);
  }
}

async function databaseAt(file: string): Promise<QueueStore> {
  const store = createSqliteStore({ file, tablePrefix: "titanic_" });
  closeAfterwards(() => store.close());
  await store.migrate();
  return store;
}

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "rpc-titanic-"));
  closeAfterwards(async () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "titanic.db");
}

async function titanicAt(broker: MdpBroker, queue: QueueStore): Promise<Titanic> {
  const titanic = await serveTitanic({
    broker: broker.endpoint,
    store: createTitanicQueueStore(queue),
    retry: { minMs: 1, maxMs: 10 },
  });
  closeAfterwards(() => titanic.close());
  return titanic;
}

async function newBroker(): Promise<MdpBroker> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", titanic: true });
  closeAfterwards(() => broker.close({ drainMs: 0 }));
  return broker;
}

function texts(frames: readonly Uint8Array[] | undefined): string[] | undefined {
  return frames?.map((frame) => Buffer.from(frame).toString());
}

describe("Titanic over a command queue", () => {
  it("keeps requests over restarts of everybody, and their replies until they are closed", async () => {
    const file = newFile();
    const first = await newBroker();
    const before = await databaseAt(file);
    const titanic = await titanicAt(first, before);
    const raw = createMdpClient(first.endpoint);
    closeAfterwards(() => raw.close());
    const client = createTitanicClient(raw);
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.push(await client.request("echo", new MqMessage("echo.do", { n }).get()));
    const [closed = "", ...kept] = ids;
    expect(await client.reply(closed)).toBe(undefined);
    await client.close(closed);
    await expect(client.reply(closed)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await titanic.close();
    await before.close();

    const after = await databaseAt(file);
    const again = await titanicAt(first, after);
    expect(again.pendingCount).toBe(2);
    const worker = new Echo("echo", { broker: first.endpoint });
    closeAfterwards(() => worker.close());
    await until(() => again.pendingCount === 0);
    expect(await Promise.all(kept.map(async (id) => texts(await client.reply(id))))).toEqual([
      ["echo.result", '{"n":1}'],
      ["echo.result", '{"n":2}'],
    ]);
    for (const id of kept) await client.close(id);
    expect([await after.list(), await after.listAddresses()]).toEqual([[], []]);
  });

  it("leaves other commands alone, and a reply that comes too late", async () => {
    const queue = await databaseAt(newFile());
    await queue.ensureAddress("somebody");
    await queue.insert([{ address: "somebody", method: "titanic.request", args: "[]" }]);
    const store = createTitanicQueueStore(queue);
    const id = "0123456789abcdef".repeat(2);
    const body = [Buffer.alloc(0), Buffer.of(0, 255)];
    await store.put({ id, service: "echo", body });
    expect(await store.pending()).toEqual([{ id, service: "echo", body }]);
    expect(await createTitanicQueueStore(queue, { prefix: "other." }).get(id)).toEqual({ kind: "unknown" });
    await store.answer(id, body);
    expect(await store.get(id)).toEqual({ kind: "answered", reply: body });
    expect(await store.pending()).toEqual([]);
    await store.remove(id);
    await store.answer(id, body);
    expect(await store.get(id)).toEqual({ kind: "unknown" });
    expect((await queue.listAddresses()).map(({ name }) => name)).toEqual(["somebody"]);
  });

  it("finds all that waits, however much that is", async () => {
    const queue = await databaseAt(newFile());
    const store = createTitanicQueueStore(queue);
    const ids = Array.from({ length: 1_100 }, (_, n) => n.toString(16).padStart(32, "0"));
    await Promise.all(ids.map((id) => store.put({ id, service: "echo", body: [Buffer.from(id)] })));
    await store.answer(ids[5] ?? "", []);
    const pending = await store.pending();
    expect(new Set(pending.map(({ id }) => id))).toEqual(new Set(ids.filter((_, n) => n !== 5)));
  });

  it("says that a request could not be kept where the database cannot", async () => {
    const broker = await newBroker();
    const queue = await databaseAt(newFile());
    await titanicAt(broker, queue);
    const raw = createMdpClient(broker.endpoint);
    closeAfterwards(() => raw.close());
    const client = createTitanicClient(raw);
    await until(() => broker.stats().workers === 12);
    await queue.close();
    await expect(client.request("echo", [Buffer.from("x")])).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

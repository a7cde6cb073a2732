import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpClient,
  createTitanicClient,
  createTitanicFileStore,
  type MdpBroker,
  type MdpClient,
  MdpWorker,
  MqMessage,
  runMdpBroker,
  serveTitanic,
  type Titanic,
  type TitanicClient,
  type TitanicStore,
} from "../src/index.ts";
import { texts } from "./scripted-broker.ts";

class Echo extends MdpWorker {
  protected onRequest({ data }: MqMessage): MqMessage {
    return new MqMessage("echo.result", data);
  }
}

async function broker(): Promise<MdpBroker> {
  const started = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", titanic: true });
  onTestFinished(() => started.close({ drainMs: 0 }));
  return started;
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "rpc-titanic-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function titanic(endpoint: string, store: TitanicStore): Promise<Titanic> {
  const started = await serveTitanic({ broker: endpoint, store, retry: { minMs: 1, maxMs: 5 } });
  onTestFinished(() => started.close());
  return started;
}

function clientOf(endpoint: string): { readonly raw: MdpClient; readonly titanic: TitanicClient } {
  const raw = createMdpClient(endpoint);
  onTestFinished(() => raw.close());
  return { raw, titanic: createTitanicClient(raw) };
}

async function answered(client: TitanicClient, id: string): Promise<string[]> {
  for (;;) {
    const reply = await client.reply(id);
    if (reply !== undefined) return texts(reply);
  }
}

const echo = new MqMessage("echo.do", { n: 1 }).get();

describe("Titanic", () => {
  it("keeps a request until its service is there, over a restart of its own, and the reply until it is closed", async () => {
    const { endpoint } = await broker();
    const path = directory();
    const first = await titanic(endpoint, createTitanicFileStore(path));
    const { titanic: client } = clientOf(endpoint);
    const id = await client.request("echo", echo);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(await client.reply(id)).toBe(undefined);
    await first.close();
    const second = await titanic(endpoint, createTitanicFileStore(path));
    expect(second.pendingCount).toBe(1);
    const worker = new Echo("echo", { broker: endpoint });
    onTestFinished(() => worker.close());
    expect(await answered(client, id)).toEqual(["echo.result", '{"n":1}']);
    expect(await answered(client, id)).toEqual(["echo.result", '{"n":1}']);
    await client.close(id);
    await client.close(id);
    await expect(client.reply(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(readdirSync(path)).toEqual([]);
    expect(second.pendingCount).toBe(0);
  });

  it("refuses what cannot be a request, and ids that reach for other files", async () => {
    const { endpoint } = await broker();
    await titanic(endpoint, createTitanicFileStore(directory()));
    const { raw } = clientOf(endpoint);
    const ask = async (service: string, ...body: string[]): Promise<string[]> =>
      texts(
        await raw.rawRequest(
          `titanic.${service}`,
          body.map((frame) => Buffer.from(frame)),
        ),
      );
    expect(await ask("request", "echo")).toEqual(["400"]);
    expect(await ask("request", "mmi.service", "x")).toEqual(["400"]);
    expect(await ask("request", "titanic.request", "echo", "x")).toEqual(["400"]);
    expect(await ask("request", "\u0001", "x")).toEqual(["400"]);
    for (const id of ["../../etc/passwd", "", "A".repeat(32), "0".repeat(32)]) {
      expect(await ask("reply", id)).toEqual(["400"]);
    }
  });

  it("answers 500 when it cannot keep a request", async () => {
    const { endpoint } = await broker();
    const store = createTitanicFileStore(directory());
    await titanic(endpoint, { ...store, put: () => Promise.reject(new Error("the disk is full")) });
    const { titanic: client } = clientOf(endpoint);
    await expect(client.request("echo", echo)).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("Titanic at its ends", () => {
  it("leaves nothing behind when the store cannot be read", async () => {
    const middle = await broker();
    const store = createTitanicFileStore(directory());
    const broken = { ...store, pending: () => Promise.reject(new Error("the disk is gone")) };
    await expect(serveTitanic({ broker: middle.endpoint, store: broken })).rejects.toThrow("the disk is gone");
    const { raw } = clientOf(middle.endpoint);
    // What it has said before it went has been read when the next one is answered.
    while ((await raw.services()).length > 0);
    expect(middle.stats().workers).toBe(0);
  });

  it("waits for a reply that is being written: the store may be closed afterwards", async () => {
    const { endpoint } = await broker();
    const store = createTitanicFileStore(directory());
    const writing = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const slow: TitanicStore = {
      ...store,
      async answer(id, reply) {
        writing.resolve();
        await gate.promise;
        await store.answer(id, reply);
        done.push("written");
      },
    };
    const worker = new Echo("echo", { broker: endpoint });
    onTestFinished(() => worker.close());
    const first = await titanic(endpoint, slow);
    const { titanic: client } = clientOf(endpoint);
    const id = await client.request("echo", echo);
    await writing.promise;
    const closing = first.close().then(() => done.push("closed"));
    await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    await closing;
    expect(done).toEqual(["written", "closed"]);
    expect(await store.get(id)).toMatchObject({ kind: "answered" });
  });

  it("keeps no more than it may", async () => {
    const { endpoint } = await broker();
    const errors: unknown[] = [];
    const options = { broker: endpoint, maxPending: 1, onError: (error: unknown) => errors.push(error) };
    const started = await serveTitanic({ ...options, store: createTitanicFileStore(directory()) });
    onTestFinished(() => started.close());
    const { titanic: client } = clientOf(endpoint);
    const id = await client.request("echo", echo);
    await expect(client.request("echo", echo)).rejects.toMatchObject({ code: "INTERNAL" });
    expect(errors).toMatchObject([{ code: "RESOURCE_EXHAUSTED", reason: "maxPending" }]);
    await client.close(id);
    expect(await client.request("echo", echo)).not.toBe(id);
  });
});

describe("the file store", () => {
  it("has nothing of a request that was removed, whenever its reply comes", async () => {
    const path = directory();
    const store = createTitanicFileStore(path);
    for (let n = 0; n < 50; n += 1) {
      const id = n.toString(16).padStart(32, "0");
      await store.put({ id, service: "echo", body: echo });
      const answer = store.answer(id, echo);
      // At one of many moments.
      for (let turn = 0; turn < n % 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([answer, store.remove(id)]);
      expect(await store.get(id)).toEqual({ kind: "unknown" });
    }
    expect(readdirSync(path)).toEqual([]);
  });

  it("takes a reply that a crash has left alone for nobody's, and clears it away", async () => {
    const path = directory();
    const store = createTitanicFileStore(path);
    const id = "0123456789abcdef".repeat(2);
    await store.put({ id, service: "echo", body: echo });
    await store.answer(id, echo);
    rmSync(join(path, `${id}.request`));
    expect(await store.get(id)).toEqual({ kind: "unknown" });
    expect(await store.pending()).toEqual([]);
    expect(readdirSync(path)).toEqual([]);
  });

  it("gives back what it was given, and says what a file has lost", async () => {
    const path = directory();
    const store = createTitanicFileStore(join(path, "made", "at", "need"));
    const id = "0123456789abcdef".repeat(2);
    expect(await store.pending()).toEqual([]);
    await store.put({ id, service: "echo", body: [Buffer.alloc(0), Buffer.from("hi")] });
    const [pending] = await createTitanicFileStore(join(path, "made", "at", "need")).pending();
    expect([pending?.id, pending?.service, texts(pending?.body ?? [])]).toEqual([id, "echo", ["", "hi"]]);
    await store.answer(id, [Buffer.from("ho")]);
    expect(await store.pending()).toEqual([]);
    expect(await store.get(id)).toEqual({ kind: "answered", reply: [Buffer.from("ho")] });
    truncateSync(join(path, "made", "at", "need", `${id}.reply`), 5);
    await expect(store.get(id)).rejects.toMatchObject({ code: "DATA_LOSS" });
    await store.remove(id);
    await store.answer(id, [Buffer.from("late")]);
    expect(await store.get(id)).toEqual({ kind: "unknown" });
  });
});

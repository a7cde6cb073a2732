import { createClient, createRouter, defineContract, notification, serverStream, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpClient,
  createMdpTransport,
  type MdpBroker,
  type MdpBrokerStats,
  type MdpListenerOptions,
  MdpWorker,
  MqMessage,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";

const Work = defineContract("work", { do: unary(), hold: unary(), tell: notification(), watch: serverStream() });

async function broker(): Promise<MdpBroker> {
  const started = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", maxQueue: 2_000 });
  onTestFinished(() => started.close({ drainMs: 0 }));
  return started;
}

interface Served {
  readonly listener: Awaited<ReturnType<typeof serveMdp>>;
  readonly entered: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly release: () => void;
  readonly told: unknown[];
}

async function served(name: string, options: MdpListenerOptions): Promise<Served> {
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  const told: unknown[] = [];
  const wait = (signal: AbortSignal): Promise<void> => {
    entered.resolve();
    signal.addEventListener("abort", () => ended.resolve(signal.reason));
    return gate.promise;
  };
  const router = createRouter(Work, {
    do: () => name,
    hold: async (_, { signal }) => {
      await wait(signal);
      return name;
    },
    tell: async (input) => {
      told.push(input);
      entered.resolve();
      await gate.promise;
    },
    async *watch(_, { signal }) {
      yield name;
      await wait(signal);
    },
  });
  const listener = await serveMdp(router, options);
  onTestFinished(() => listener.close());
  return { listener, entered: entered.promise, ended: ended.promise, release: gate.resolve, told };
}

function clientOf(endpoint: string) {
  const transport = createMdpTransport(endpoint);
  onTestFinished(() => transport.close());
  const Unary = defineContract("work", { do: unary(), hold: unary(), tell: notification() });
  return createClient(Unary, transport);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a worker that drains", () => {
  it("is asked for nothing more: the others are, and what runs ends", async () => {
    const middle = await broker();
    const { endpoint } = middle;
    const stats = (): MdpBrokerStats => middle.stats();
    const old = await served("old", { broker: endpoint, concurrency: 8 });
    const client = clientOf(endpoint);
    const held = client.hold();
    await old.entered;
    await served("new", { broker: endpoint, concurrency: 1 });
    await until(() => stats().workers === 9);
    const closing = old.listener.close({ drainMs: 60_000 });
    const results = await Promise.all(Array.from({ length: 200 }, () => client.do()));
    expect(new Set(results)).toEqual(new Set(["new"]));
    old.release();
    expect(await held).toBe("old");
    await closing;
  });

  it("loses nothing of what waits, though each place is free for a moment", async () => {
    const middle = await broker();
    const { endpoint } = middle;
    const stats = (): MdpBrokerStats => middle.stats();
    const old = await served("old", { broker: endpoint, concurrency: 4 });
    const client = clientOf(endpoint);
    const held = Array.from({ length: 4 }, () => client.hold());
    await until(() => stats().inFlight === 4);
    const waiting = Array.from({ length: 100 }, () => client.do());
    await until(() => stats().waiting === 100);
    const closing = old.listener.close({ drainMs: 60_000 });
    old.release();
    expect(await Promise.all(held)).toEqual(["old", "old", "old", "old"]);
    await closing;
    await served("new", { broker: endpoint, concurrency: 4 });
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["new"]));
    expect(stats().counters.workerLost).toBe(0);
  });

  it("of messages does the same, however often it is told", async () => {
    const middle = await broker();
    const { endpoint } = middle;
    const stats = (): MdpBrokerStats => middle.stats();
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    class Slow extends MdpWorker {
      protected async onRequest({ data }: MqMessage): Promise<MqMessage> {
        entered.resolve();
        await gate.promise;
        return new MqMessage("slow.result", data);
      }
    }
    const worker = new Slow("slow", { broker: endpoint, concurrency: 2 });
    onTestFinished(() => worker.close());
    const client = createMdpClient(endpoint);
    onTestFinished(() => client.close());
    await until(() => stats().workers === 2);
    const reply = client.request("slow", new MqMessage("slow.do", { n: 1 }));
    await entered.promise;
    // Longer than a timer can be.
    const closing = Promise.all([worker.close({ drainMs: 2 ** 40 }), worker.close()]);
    await until(() => stats().workers === 1);
    gate.resolve();
    expect((await reply).data).toEqual({ n: 1 });
    await closing;
    await until(() => stats().workers === 0);
  });
});

describe("a handler", () => {
  it("is told when the broker that it works for is gone", async () => {
    const first = await broker();
    const worker = await served("w", { broker: first.endpoint });
    const call = clientOf(first.endpoint).hold();
    call.catch(() => undefined);
    await worker.entered;
    await first.close({ drainMs: 0 });
    expect(await worker.ended).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
  });

  it("of a stream is told when its worker is sent away because nobody reads", async () => {
    const clock = createFakeClock();
    const middle = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", clock, maxBusyMs: 1_000 });
    onTestFinished(() => middle.close({ drainMs: 0 }));
    const worker = await served("w", { broker: middle.endpoint, version: "0.2" });
    const transport = createMdpTransport(middle.endpoint, { dialect: "mdp02" });
    onTestFinished(() => transport.close());
    for await (const item of createClient(Work, transport).watch()) {
      expect(item).toBe("w");
      break;
    }
    await worker.entered;
    clock.advance(10_000);
    expect(await worker.ended).toMatchObject({ code: "UNAVAILABLE" });
  });
});

describe("notifications", () => {
  it("are no longer taken up at once when a thousand handlers run", async () => {
    const middle = await broker();
    const { endpoint } = middle;
    const stats = (): MdpBrokerStats => middle.stats();
    const worker = await served("w", { broker: endpoint, concurrency: 2 });
    const client = clientOf(endpoint);
    for (let n = 0; n < 1_100; n += 1) await client.tell(n);
    // Two more have begun, and keep their places.
    await until(() => worker.told.length === 1_002 && stats().waiting === 98);
    expect(stats().inFlight).toBe(2);
    worker.release();
    await until(() => worker.told.length === 1_100);
    await until(() => stats().inFlight === 0);
  });
});

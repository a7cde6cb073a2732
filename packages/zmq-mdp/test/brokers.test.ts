import { createClient, createRouter, defineContract, notification, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpClient,
  createMdpPublisher,
  createMdpSubscriber,
  createMdpTransport,
  type MdpClient,
  type MdpCredentials,
  type MdpMessageClientOptions,
  type MdpTransport,
  type MdpTransportOptions,
  MdpWorker,
  MqMessage,
  runForwarder,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";
import { networkTo } from "./network.ts";
import { type ScriptedBroker, scriptedBroker, texts } from "./scripted-broker.ts";

const Config = defineContract("config", { get: unary(), tell: notification() });

function transportTo(endpoint: string | readonly string[], options: MdpTransportOptions = {}): MdpTransport {
  const transport = createMdpTransport(endpoint, { service: "dbmgr", ...options });
  onTestFinished(() => transport.close());
  return transport;
}

function clientOf(endpoint: string | readonly string[], options?: MdpMessageClientOptions): MdpClient {
  const client = createMdpClient(endpoint, options);
  onTestFinished(() => client.close());
  return client;
}

/** Answers the next request. */
async function answer(broker: ScriptedBroker, result: unknown): Promise<void> {
  const request = await broker.next();
  const body = request.indexOf(request.find((frame) => frame.toString() === "MDPC01") ?? Buffer.alloc(0)) + 2;
  await broker.send([...request.slice(0, body), "config.result", JSON.stringify({ status: true, result })]);
}

const hi = [Buffer.from("hi"), Buffer.from("{}")];

describe("several brokers", () => {
  it("are asked in turn, each as often as retries say, within the deadline", async () => {
    const clock = createFakeClock();
    const brokers = [await scriptedBroker(), await scriptedBroker()] as const;
    const client = clientOf(
      brokers.map(({ endpoint }) => endpoint),
      { retries: 1, clock },
    );
    const reply = client.rawRequest("echo", hi, { timeoutMs: 1_000, deadlineMs: 3_500 });
    const identities: string[] = [];
    for (const broker of [brokers[0], brokers[0], brokers[1]]) {
      const [identity] = await broker.next();
      identities.push(identity?.toString("hex") ?? "");
      clock.advance(1_000);
    }
    // Each time another socket.
    expect(new Set(identities.slice(0, 2)).size).toBe(2);
    // What is left of the deadline, and no more.
    const last = await brokers[1].next();
    expect(texts(last.slice(2, 6))).toEqual(["", "MDPC01", "echo", "0.5"]);
    clock.advance(500);
    await expect(reply).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(client.endpoint).toBe(brokers[0].endpoint);
  });

  it("are left one after the other by requests that are over in time", async () => {
    const clock = createFakeClock();
    const silent = await scriptedBroker();
    const broker = await scriptedBroker();
    const client = clientOf([silent.endpoint, broker.endpoint], { retries: 1, clock });
    const reply = client.rawRequest("echo", hi, { timeoutMs: 1_000 });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await silent.next();
      clock.advance(1_000);
    }
    await answer(broker, 1);
    expect(texts(await reply)[0]).toBe("config.result");
  });

  it("that say nothing while a call's time passes are left for the next call; nothing is sent twice", async () => {
    const clock = createFakeClock();
    const silent = await scriptedBroker();
    const broker = await scriptedBroker();
    const client = createClient(Config, transportTo([silent.endpoint, broker.endpoint], { clock }));
    const first = client.get(1, { timeoutMs: 1_000 });
    await silent.next();
    clock.advance(1_000);
    await expect(first).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    // It is asked whether it is there at all, and has a second for that.
    expect(texts((await silent.next()).slice(2, 6))).toEqual(["", "MDPC01", "mmi.service", "1"]);
    clock.advance(1_000);
    const second = client.get(2, { timeoutMs: 1_000 });
    await answer(broker, 2);
    expect(await second).toBe(2);
  });

  it("that are only slow are not left", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    const other = await scriptedBroker();
    const transport = transportTo([broker.endpoint, other.endpoint], { clock });
    const client = createClient(Config, transport);
    const slow = client.get(1, { timeoutMs: 1_000 });
    await broker.next();
    clock.advance(1_000);
    await expect(slow).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const probe = await broker.next();
    await broker.send([...probe.slice(0, 5), "404"]);
    const next = client.get(2, { timeoutMs: 5_000 });
    await answer(broker, 2);
    expect(await next).toBe(2);
    clock.advance(1_000);
    expect(transport.endpoint).toBe(broker.endpoint);
  });

  it.each(["envelope", "socket"] as const)(
    "that answer others are not left for one slow service (%s)",
    async (kind) => {
      const clock = createFakeClock();
      const broker = await scriptedBroker();
      const other = await scriptedBroker();
      const transport = transportTo([broker.endpoint, other.endpoint], { clock, correlation: kind });
      const client = createClient(Config, transport);
      const slow = client.get(1, { timeoutMs: 1_000 });
      await broker.next();
      const quick = client.get(2, { timeoutMs: 5_000 });
      await answer(broker, 2);
      expect(await quick).toBe(2);
      clock.advance(1_000);
      await expect(slow).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
      expect(transport.endpoint).toBe(broker.endpoint);
    },
  );

  it("are all tried for each call, also when all of them were away before", async () => {
    const one = await scriptedBroker();
    const two = await scriptedBroker();
    await Promise.all([one.leave(), two.leave()]);
    const client = createClient(Config, transportTo([one.endpoint, two.endpoint]));
    await expect(client.get(1)).rejects.toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    const back = await scriptedBroker(two.endpoint);
    const call = client.get(2);
    await answer(back, 2);
    expect(await call).toBe(2);
  });

  it("are asked over another socket again, whatever else is under way on the one before", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    const client = clientOf(broker.endpoint, { retries: 1, clock });
    const long = client.rawRequest("long", hi);
    const [before] = await broker.next();
    const replies = [1, 2, 3].map(() => client.rawRequest("echo", hi, { timeoutMs: 1_000 }));
    for (const _ of replies) await broker.next();
    clock.advance(1_000);
    const again = [await broker.next(), await broker.next(), await broker.next()];
    const identities = new Set(again.map(([identity]) => identity?.toString("hex")));
    // One other for all three.
    expect(identities.size).toBe(1);
    expect(identities.has(before?.toString("hex"))).toBe(false);
    for (const request of again) await broker.send([...request.slice(0, 5), "ho"]);
    expect((await Promise.all(replies)).map((frames) => texts(frames))).toEqual([["ho"], ["ho"], ["ho"]]);
    await client.close();
    await expect(long).rejects.toMatchObject({ reason: "CLOSED" });
  });
});

describe("what a client is told", () => {
  it("is the reply of a worker, also one that calls itself an error", async () => {
    const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
    onTestFinished(() => broker.close({ drainMs: 0 }));
    class Odd extends MdpWorker {
      protected onRequest(): MqMessage {
        return new MqMessage("error", { status: false, reason: "odd" });
      }
    }
    const worker = new Odd("odd", { broker: broker.endpoint });
    onTestFinished(() => worker.close());
    const reply = await clientOf(broker.endpoint).request("odd", new MqMessage("odd.do"));
    expect([reply.action, reply.data]).toEqual(["error", { status: false, reason: "odd" }]);
  });

  it("is what cannot be right, before anything is sent", async () => {
    const endpoint = "tcp://127.0.0.1:40410";
    const short = { serverKey: "short", publicKey: "short", secretKey: "short" };
    for (const [make, text] of [
      [() => createMdpClient(endpoint, { retries: Number.NaN }), "retries"],
      [() => createMdpClient(endpoint, { credentials: short }), "40 characters"],
      [() => createMdpTransport("tcp://127.0.0.1:70000"), "endpoint"],
      [() => createMdpSubscriber(endpoint, { credentials: { username: "x".repeat(256), password: "" } }), "255 bytes"],
      [() => createMdpPublisher(endpoint, { credentials: {} as MdpCredentials }), "40 characters"],
    ] as const)
      expect(make).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(text) }),
      );
    const client = clientOf(endpoint);
    for (const options of [{ timeoutMs: Number.NaN }, { deadlineMs: Number.NaN }])
      await expect(client.rawRequest("s", hi, options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const router = createRouter(Config, { get: () => 1, tell: () => undefined });
    await expect(serveMdp(router, { broker: endpoint, credentials: short })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("a notification that a broker loses", () => {
  it("keeps its place for a minute", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    const transport = transportTo(broker.endpoint, { clock, dialect: "rfc7", maxSockets: 1 });
    const client = createClient(Config, transport);
    // Connected: until then another timer runs.
    const first = client.get(0);
    await answer(broker, 0);
    await first;
    await client.tell(1);
    // It is not the broker's business how long we keep it.
    expect(texts((await broker.next()).slice(1, 5))).toEqual(["", "MDPC01", "dbmgr", "config.tell"]);
    const call = client.get(2);
    clock.advance(60_000);
    await answer(broker, 2);
    expect(await call).toBe(2);
  });
});

describe("a link that goes silent", () => {
  it("is lost to a client, which fails what is open and makes another one", async () => {
    const broker = await scriptedBroker();
    const network = await networkTo(broker.endpoint);
    onTestFinished(() => network.close());
    const transport = transportTo(network.endpoint, { linkHeartbeatMs: 50 });
    const client = createClient(Config, transport);
    const call = client.get(1);
    await broker.next();
    network.silence();
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST", delivered: "unknown" });
    expect(transport.counters.connectionsLost).toBe(1);
  });

  it("is lost to a worker with a request in hand, which tells its handler", async () => {
    const broker = await scriptedBroker();
    const network = await networkTo(broker.endpoint);
    onTestFinished(() => network.close());
    const told = Promise.withResolvers<unknown>();
    const entered = Promise.withResolvers<void>();
    const router = createRouter(Config, {
      get: (_, { signal }) => {
        signal.addEventListener("abort", () => told.resolve(signal.reason), { once: true });
        entered.resolve();
        return new Promise(() => undefined);
      },
      tell: () => undefined,
    });
    const worker = await serveMdp(router, { broker: network.endpoint, concurrency: 1, linkHeartbeatMs: 50 });
    onTestFinished(() => worker.close());
    const [identity = ""] = await broker.next();
    await broker.send([identity, "", "MDPW01", Uint8Array.of(2), "client", "", "config.get", "{}"]);
    await entered.promise;
    network.silence();
    expect(await told.promise).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
  });

  it("is lost to a subscriber, which tells of the gap", async () => {
    const forwarder = await runForwarder({ publishers: "tcp://127.0.0.1:*", subscribers: "tcp://127.0.0.1:*" });
    onTestFinished(() => forwarder.close());
    const network = await networkTo(forwarder.subscribers);
    onTestFinished(() => network.close());
    const gap = Promise.withResolvers<string>();
    const onGap = (): void => gap.resolve("a gap");
    const subscriber = createMdpSubscriber(network.endpoint, { linkHeartbeatMs: 50, onGap });
    onTestFinished(() => subscriber.close());
    await subscriber.ready;
    network.silence();
    expect(await gap.promise).toBe("a gap");
  });
});

import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { Publisher, Subscriber, XPublisher, XSubscriber } from "zeromq";
import {
  createMdpPublisher,
  createMdpSubscriber,
  type MdpForwarder,
  type MdpForwarderOptions,
  type MdpPublisher,
  type MdpPublisherOptions,
  type MdpSubscriber,
  type MdpSubscriberOptions,
  parseEventId,
  runForwarder,
  writeEventId,
} from "../src/index.ts";
import { bytesOf, VECTORS } from "./golden.ts";
import { networkTo } from "./network.ts";

async function forwarder(options: Partial<MdpForwarderOptions> = {}): Promise<MdpForwarder> {
  const started = await runForwarder({ publishers: "tcp://127.0.0.1:*", subscribers: "tcp://127.0.0.1:*", ...options });
  onTestFinished(() => started.close());
  return started;
}

function publisherTo(endpoint: string, options?: MdpPublisherOptions): MdpPublisher {
  const publisher = createMdpPublisher(endpoint, options);
  onTestFinished(() => publisher.close());
  return publisher;
}

function subscriberTo(endpoint: string, options?: MdpSubscriberOptions): MdpSubscriber {
  const subscriber = createMdpSubscriber(endpoint, options);
  onTestFinished(() => subscriber.close());
  return subscriber;
}

async function take(subscriber: MdpSubscriber, count: number): Promise<unknown[]> {
  const events: unknown[] = [];
  for (let i = 0; i < count; i += 1) {
    const { category, content } = await subscriber.waitForEvent();
    events.push([category, content]);
  }
  return events;
}

describe("an event's id", () => {
  it.each(VECTORS.filter(({ id }) => id.startsWith("event-")))("$id is read as it means", ({ frames, means }) => {
    const { category, time } = means as unknown as { readonly category: string; readonly time: number };
    const parsed = parseEventId(bytesOf(frames)[0]?.toString() ?? "");
    expect(parsed?.category).toBe(category);
    expect(parsed?.time).toBeCloseTo(time * 1_000, 3);
  });

  it("is written with the seconds' dot replaced", () => {
    expect(writeEventId("plugin.status", 1_371_476_851_540)).toBe("plugin.status.1371476851_540.0_1");
    expect(parseEventId("plugin.status.1371476851.0_1")).toEqual({
      category: "plugin.status",
      time: 1_371_476_851_000,
    });
    for (const text of ["", "plugin.status", "a.b.0_1", ".1.0_1", "a.1_2.0_2"])
      expect(parseEventId(text)).toBe(undefined);
  });
});

describe("publish and subscribe", () => {
  it("brings events to those whose filters they begin with, or are", async () => {
    const { publishers, subscribers } = await forwarder();
    const all = subscriberTo(subscribers);
    const prefix = subscriberTo(subscribers, { filters: ["device"] });
    const exact = subscriberTo(subscribers, { filters: ["device.new"], exact: true });
    await Promise.all([all.ready, prefix.ready, exact.ready]);
    const publisher = publisherTo(publishers, { now: () => 1_000_500 });
    publisher.publish("device.new", { id: 1 });
    publisher.publish("device.newer", { id: 2 });
    publisher.publish("device-stats", { id: 3 });
    publisher.publish("plugin.status", { value: Number.NaN });
    publisher.publish("device.new", { id: 4 });
    expect(await take(all, 5)).toEqual([
      ["device.new", { id: 1 }],
      ["device.newer", { id: 2 }],
      ["device-stats", { id: 3 }],
      ["plugin.status", { value: null }],
      ["device.new", { id: 4 }],
    ]);
    expect((await take(prefix, 4)).map((event) => (event as unknown[])[0])).toEqual([
      "device.new",
      "device.newer",
      "device-stats",
      "device.new",
    ]);
    expect(await exact.waitForEvent()).toEqual({
      id: "device.new.1000_500.0_1",
      category: "device.new",
      time: 1_000_500,
      content: { id: 1 },
      isLastValue: false,
    });
    expect((await exact.waitForEvent()).content).toEqual({ id: 4 });
  });

  it("gives last values to who asks for them, and to nobody else", async () => {
    const { publishers, subscribers } = await forwarder({ lastValues: true, maxLastValues: 2 });
    const early = subscriberTo(subscribers);
    await early.ready;
    const publisher = publisherTo(publishers);
    for (const [category, n] of [
      ["a", 1],
      ["b", 1],
      ["b", 2],
      ["c", 1],
    ] as const)
      publisher.publish(category, { n });
    await take(early, 4);
    const late = subscriberTo(subscribers, { lastValues: true });
    await late.ready;
    const kept = [await late.waitForEvent(), await late.waitForEvent()];
    expect(kept.map(({ category, content, isLastValue }) => [category, content, isLastValue])).toEqual([
      ["b", { n: 2 }, true],
      ["c", { n: 1 }, true],
    ]);
    const filtered = subscriberTo(subscribers, { lastValues: true, filters: ["c"] });
    await filtered.ready;
    expect(await take(filtered, 1)).toEqual([["c", { n: 1 }]]);
    publisher.publish("d", 1);
    expect(await take(early, 1)).toEqual([["d", 1]]);
    expect(await take(late, 1)).toEqual([["d", 1]]);
  });

  it("gives all last values, however many they are and however small a subscriber's queue is", async () => {
    const { publishers, subscribers } = await forwarder({ lastValues: true, maxUnsent: 20, maxLastValues: 3_000 });
    const publisher = publisherTo(publishers);
    const early = subscriberTo(subscribers, { filters: ["last"] });
    await early.ready;
    for (let n = 0; n < 3_000; n += 1) publisher.publish(`many.${n}`, n);
    publisher.publish("last", 0);
    await early.waitForEvent();
    const late = subscriberTo(subscribers, { lastValues: true, filters: ["many."] });
    await late.ready;
    // One and all, the oldest one excepted, which had to make room.
    const kept = await take(late, 2_999);
    expect(kept).toEqual(Array.from({ length: 2_999 }, (_, at) => [`many.${at + 1}`, at + 1]));
  });

  it("keeps last values within their bytes, and nothing that is no event", async () => {
    const middle = await forwarder({ lastValues: true, maxLastBytes: 10_000 });
    const { publishers, subscribers } = middle;
    const publisher = publisherTo(publishers);
    const early = subscriberTo(subscribers);
    await early.ready;
    for (const category of ["a", "b", "c"]) publisher.publish(category, "x".repeat(4_000));
    publisher.publish("d".repeat(1_000), 1);
    await take(early, 4);
    const raw = new XPublisher({ linger: 500 });
    onTestFinished(() => raw.close());
    raw.connect(publishers);
    await raw.receive();
    await raw.send([`${"long".repeat(16_000)}.1_0.0_1`, "{}"]);
    await raw.send(["alone.1_0.0_1"]);
    while (early.unreadableCount < 2) await new Promise((resolve) => setImmediate(resolve));
    const late = subscriberTo(subscribers, { lastValues: true });
    await late.ready;
    expect((await take(late, 3)).map((event) => (event as string[])[0]?.length)).toEqual([1, 1, 1_000]);
    expect(middle.counters.unreadable).toBe(2);
  });

  it("asks for last values again when a connection was lost", async () => {
    const middle = await forwarder({ lastValues: true });
    const network = await networkTo(middle.subscribers);
    onTestFinished(() => network.close());
    const publisher = publisherTo(middle.publishers);
    const subscriber = subscriberTo(network.endpoint, { lastValues: true });
    await subscriber.ready;
    publisher.publish("a", 1);
    expect((await subscriber.waitForEvent()).isLastValue).toBe(false);
    await network.cut();
    publisher.publish("a", 2);
    expect(await subscriber.waitForEvent()).toMatchObject({ category: "a", content: 2, isLastValue: true });
  });

  it("gives each event to one of those who wait, and ends all of them", async () => {
    const { publishers, subscribers } = await forwarder();
    const subscriber = subscriberTo(subscribers);
    await subscriber.ready;
    const waiting = [subscriber.waitForEvent(), subscriber.waitForEvent(), subscriber.waitForEvent()];
    const publisher = publisherTo(publishers);
    publisher.publish("n", 1);
    publisher.publish("n", 2);
    expect((await Promise.all(waiting.slice(0, 2))).map(({ content }) => content)).toEqual([1, 2]);
    await subscriber.close();
    await expect(waiting[2]).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("tells who is not let in", async () => {
    const auth = { mechanism: "plain", admit: { ada: "secret" } } as const;
    const { publishers, subscribers } = await forwarder({ auth });
    const credentials = { username: "ada", password: "guess" };
    const refused = { code: "UNAUTHENTICATED" };
    const errors: unknown[] = [];
    const subscriber = subscriberTo(subscribers, { credentials, onError: (error) => errors.push(error) });
    await expect(subscriber.ready).rejects.toMatchObject(refused);
    await expect(subscriber.waitForEvent()).rejects.toMatchObject(refused);
    expect(errors).toMatchObject([refused]);
    await expect(publisherTo(publishers, { credentials }).ready).rejects.toMatchObject(refused);
  });

  it("counts what a forwarder that does not read makes it drop", async () => {
    const middle = await forwarder();
    const network = await networkTo(middle.publishers);
    onTestFinished(() => network.close());
    const publisher = publisherTo(network.endpoint, { maxUnsent: 10, linkHeartbeatMs: 0 });
    await publisher.ready;
    await network.close();
    for (let n = 0; n < 100_000 && publisher.droppedCount === 0; n += 100) {
      for (let at = 0; at < 100; at += 1) publisher.publish("n", "x".repeat(1_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(publisher.droppedCount).toBeGreaterThan(0);
  });

  it("calls back, waits no longer than it is told, and goes through a loop until it is closed", async () => {
    const clock = createFakeClock();
    const { publishers, subscribers } = await forwarder();
    const heard: unknown[] = [];
    const called = subscriberTo(subscribers, {
      onEvent: ({ content }) => {
        heard.push(content);
        if (content === 1) throw new Error("not this one");
      },
      onError: ({ message }) => heard.push(message),
    });
    const waiting = subscriberTo(subscribers, { clock });
    await Promise.all([called.ready, waiting.ready]);
    const late = waiting.waitForEvent({ timeoutMs: 1_000 });
    clock.advance(1_000);
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const publisher = publisherTo(publishers);
    publisher.publish("n", 1);
    publisher.publish("n", 2);
    const seen: unknown[] = [];
    for await (const { content } of waiting) {
      seen.push(content);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([1, 2]);
    while (heard.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([1, "not this one", 2]);
    await expect(waiting.waitForEvent()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("drops and counts what is no event, and what nobody reads", async () => {
    const { publishers, subscribers } = await forwarder();
    const subscriber = subscriberTo(subscribers, { maxUnread: 2 });
    await subscriber.ready;
    const raw = new XPublisher({ linger: 500 });
    onTestFinished(() => raw.close());
    raw.connect(publishers);
    await raw.receive();
    for (const frames of [["no id", "{}"], ["a.1_0.0_1", "{"], ["a.1_0.0_1"], ["\0rpc?{}", "x"]])
      await raw.send(frames);
    for (const n of ["1", "2", "3"]) await raw.send([`a.1_0.0_1`, n]);
    while (subscriber.droppedCount < 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await take(subscriber, 2)).toEqual([
      ["a", 2],
      ["a", 3],
    ]);
    expect([subscriber.unreadableCount, subscriber.droppedCount]).toEqual([3, 1]);
  });
});

describe("with bare sockets of ZeroMQ", () => {
  it("forwards what a PUB sends to a SUB, asking for no more than is subscribed", async () => {
    const { publishers, subscribers } = await forwarder({ upstream: "subscribed" });
    const near = new XPublisher({ linger: 0 });
    const far = new Subscriber({ linger: 0 });
    onTestFinished(() => {
      near.close();
      far.close();
    });
    near.connect(publishers);
    far.subscribe("device");
    far.connect(subscribers);
    // The subscription has come all the way.
    expect((await near.receive()).map(String)).toEqual(["\u0001device"]);
    await near.send(["device.1_0.0_1", "{}"]);
    expect((await far.receive()).map(String)).toEqual(["device.1_0.0_1", "{}"]);
  });

  it("publishes to and subscribes at another forwarder, which does not answer", async () => {
    const clock = createFakeClock();
    const near = new XSubscriber({ linger: 0 });
    const far = new Publisher({ linger: 0 });
    onTestFinished(() => {
      near.close();
      far.close();
    });
    await near.bind("tcp://127.0.0.1:*");
    await far.bind("tcp://127.0.0.1:*");
    const publisher = publisherTo(near.lastEndpoint ?? "", { now: () => 5_000, clock, settleMs: 10 });
    publisher.publish("early", { waits: true });
    const subscriber = subscriberTo(far.lastEndpoint ?? "", { clock, settleMs: 100 });
    while (clock.pendingCount < 2) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
    await Promise.all([publisher.ready, subscriber.ready]);
    // As a bare forwarder does it, subscriptions come to the publisher late.
    await near.send(Buffer.of(1));
    await far.send(["plugin.status.5_0.0_1", '{"event": "alive"}']);
    expect(await take(subscriber, 1)).toEqual([["plugin.status", { event: "alive" }]]);
  });

  it("refuses to listen to the network when nobody has said so", async () => {
    await expect(
      runForwarder({ publishers: "tcp://0.0.0.0:*", subscribers: "tcp://127.0.0.1:*" }),
    ).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
    });
  });
});

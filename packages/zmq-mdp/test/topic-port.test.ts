import { createClient, createRouter, defineContract, event } from "@rpc/core";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpPublisher,
  createMdpSubscriber,
  createMdpTransport,
  type MdpForwarder,
  publishEvents,
  runForwarder,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";

const News = defineContract("house.News", { told: event(), toldlater: event() });

async function forwarder(endpoints?: MdpForwarder): Promise<MdpForwarder> {
  const started = await runForwarder({
    publishers: endpoints?.publishers ?? "tcp://127.0.0.1:*",
    subscribers: endpoints?.subscribers ?? "tcp://127.0.0.1:*",
    lastValues: true,
  });
  onTestFinished(() => started.close());
  return started;
}

function clientOf({ subscribers }: MdpForwarder) {
  const transport = createMdpTransport("tcp://127.0.0.1:1", { events: subscribers });
  onTestFinished(() => transport.close());
  return { client: createClient(News, transport), transport };
}

describe("events of a contract", () => {
  it("reach those who are subscribed, by topic, with what belongs to them", async () => {
    const middle = await forwarder();
    const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
    onTestFinished(() => broker.close({ drainMs: 0 }));
    const router = createRouter(News, {});
    const listener = await serveMdp(router, { broker: broker.endpoint, events: middle.publishers });
    onTestFinished(() => listener.close());
    const { client } = clientOf(middle);
    const all = client.told.subscribe();
    const floor = client.told.subscribe({ pattern: "floor1.*" });
    await Promise.all([all.ready, floor.ready]);
    await router.toldlater.publish("not this one");
    await router.told.publish({ at: new Date(5), big: 2n ** 70n });
    await router.told.publish([1], { topic: "floor1.kitchen", metadata: { "x-key": "kept" } });
    await router.told.publish([2], { topic: "floor2" });
    const seen: unknown[] = [];
    for await (const value of all) if (seen.push(value) === 3) break;
    expect(seen).toEqual([{ at: new Date(5), big: 2n ** 70n }, [1], [2]]);
    for await (const each of floor.events) {
      expect(each).toMatchObject({
        topic: "house.News.told.floor1.kitchen",
        subTopic: "floor1.kitchen",
        value: [1],
        lost: 0,
      });
      expect(each.kind === "event" ? each.metadata.get("x-key") : "").toBe("kept");
      break;
    }
  });

  it("are read from foreign publishers, whose whole object is the value, with last values first", async () => {
    const middle = await forwarder();
    const publisher = createMdpPublisher(middle.publishers);
    onTestFinished(() => publisher.close());
    const early = createMdpSubscriber(middle.subscribers);
    onTestFinished(() => early.close());
    await early.ready;
    publisher.publish("house.News.told", { device_id: 75, value: 1 });
    await early.waitForEvent();
    const Kept = defineContract("house.News", { told: event({ lastValue: true }) });
    const late = createClient(Kept, clientOf(middle).transport).told.subscribe({ lastValue: true });
    for await (const value of late) {
      expect(value).toEqual({ device_id: 75, value: 1 });
      break;
    }
  });

  it("are left out by the policy of a subscriber that does not read, which is told how many", async () => {
    const middle = await forwarder();
    const publisher = createMdpPublisher(middle.publishers);
    onTestFinished(() => publisher.close());
    const router = createRouter(News, {});
    onTestFinished(publishEvents(router, publisher));
    const { client } = clientOf(middle);
    const blocking = client.told.subscribe({ overflow: "block" });
    await expect(blocking.ready).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    for (const wrong of [{ overflow: "explode" as "block" }, { buffer: 0 }, { buffer: 1.5 }, { pattern: "a..b" }]) {
      await expect(client.told.subscribe(wrong).ready).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    for (const large of [{ buffer: 1e9 }, { pattern: "x".repeat(300) }, { pattern: `${"*.".repeat(20)}x` }]) {
      await expect(client.told.subscribe(large).ready).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    }
    const slow = client.told.subscribe({ buffer: 2 });
    await slow.ready;
    for (let n = 0; n < 900; n += 1) await router.told.publish(n);
    let count = 0;
    let lost = 0;
    for await (const each of slow.events) {
      if (each.kind !== "event") continue;
      count += 1;
      lost += each.lost;
      if (each.value === 899) break;
    }
    // Fewer than the sockets would leave out themselves.
    expect(count + lost).toBe(900);
  });

  it("are subscribed to again with a gap when the forwarder was started anew", async () => {
    const middle = await forwarder();
    const { client } = clientOf(middle);
    const subscription = client.told.subscribe();
    await subscription.ready;
    const reader = subscription.events[Symbol.asyncIterator]();
    const next = reader.next();
    await middle.close();
    const again = await forwarder(middle);
    expect((await next).value).toMatchObject({ kind: "gap" });
    const publisher = createMdpPublisher(again.publishers);
    onTestFinished(() => publisher.close());
    publisher.publish("house.News.told", "back");
    expect((await reader.next()).value).toMatchObject({ kind: "event", value: "back" });
    await subscription.close();
  });
});

import {
  createMdpPublisher,
  createMdpSubscriber,
  type MdpEvent,
  type MdpPublisher,
  type MdpSubscriber,
  runForwarder,
} from "@rpc/zmq-mdp";
import { describe, expect, it } from "vitest";
import { goldenAmong } from "../zmq/golden.ts";
import { ANY, closeAfterwards, outputOf, start } from "../zmq/rig.ts";
import { Tap } from "../zmq/tap.ts";

const STATUS =
  '{"type": "plugin", "name": "diskfree", "host": "darkstar", "event": "alive", "comment": "Is now ready"}';

interface Doors {
  readonly publishers: string;
  readonly subscribers: string;
}

async function forwarderOf(whose: string): Promise<Doors> {
  if (whose === "our") {
    const forwarder = await runForwarder({ publishers: ANY, subscribers: ANY });
    closeAfterwards(() => forwarder.close());
    return forwarder;
  }
  const { publishers, subscribers } = await start("forwarder", ANY, ANY).ready();
  return { publishers: publishers as string, subscribers: subscribers as string };
}

function ourPublisher(endpoint: string): MdpPublisher {
  const publisher = createMdpPublisher(endpoint);
  closeAfterwards(() => publisher.close());
  return publisher;
}

async function ourSubscriber(endpoint: string, ...filters: string[]): Promise<MdpSubscriber> {
  const subscriber = createMdpSubscriber(endpoint, { filters });
  closeAfterwards(() => subscriber.close());
  await subscriber.ready;
  return subscriber;
}

const next = (subscriber: MdpSubscriber): Promise<MdpEvent> => subscriber.waitForEvent({ timeoutMs: 10_000 });

describe.each(["our", "their"])("%s forwarder", (whose) => {
  it("brings their events to our subscriber, by the beginning of their category", async () => {
    const { publishers, subscribers } = await forwarderOf(whose);
    const devices = await ourSubscriber(subscribers, "device");
    const stats = await ourSubscriber(subscribers, "device-stats", "plugin.status");
    // A forwarder of ours asks for everything, another one for what its subscribers ask for.
    const awaited =
      whose === "our" ? ["--await", ""] : ["--await", "device", "--await", "device-stats", "--await", "plugin.status"];
    const publish = (category: string, ...args: string[]) =>
      outputOf("publisher", publishers, category, ...args, ...awaited);
    await publish("other", '{"a": 0}');
    await publish("device.new", '{"a": 1}', '{"a": "é🎉", "b": NaN}');
    await publish("device-stats", '{"a": 2}');
    await publish("plugin.status", STATUS, "--id", "plugin.status.1795215860_942338.0_1");
    expect(await next(devices)).toMatchObject({ category: "device.new", content: { a: 1 } });
    expect(await next(devices)).toMatchObject({ category: "device.new", content: { a: "é🎉", b: Number.NaN } });
    expect(await next(devices)).toMatchObject({ category: "device-stats", content: { a: 2 } });
    expect(await next(stats)).toMatchObject({ category: "device-stats", content: { a: 2 } });
    expect(await next(stats)).toMatchObject({
      id: "plugin.status.1795215860_942338.0_1",
      category: "plugin.status",
      time: 1_795_215_860_942.338,
      content: JSON.parse(STATUS),
    });
  });

  it("brings our events to their subscriber", async () => {
    const { publishers, subscribers } = await forwarderOf(whose);
    const told = start("subscriber", subscribers, "device", "gate");
    await told.ready();
    const publisher = ourPublisher(publishers);
    await publisher.ready;
    // A foreign subscriber tells nobody that its subscription is in effect.
    const timer = setInterval(() => publisher.publish("gate", {}), 5);
    await told.line({ category: "gate" });
    clearInterval(timer);
    publisher.publish("device.new", { a: 1 });
    publisher.publish("device-stats", { text: "é", nothing: null, beyond: Number.POSITIVE_INFINITY });
    expect(await told.line({ category: "device-stats" })).toMatchObject({
      content: { text: "é", nothing: null, beyond: null },
    });
    expect(told.told({ category: "device.new" })).toMatchObject([
      { id: expect.stringMatching(/^device\.new\.\d+_\d{1,7}\.0_1$/), content: { a: 1 } },
    ]);
  });

  it("brings ours to ours", async () => {
    const { publishers, subscribers } = await forwarderOf(whose);
    const subscriber = await ourSubscriber(subscribers);
    const publisher = ourPublisher(publishers);
    await publisher.ready;
    for (const a of [1, 2, 3]) publisher.publish("device.new", { a });
    for (const a of [1, 2, 3]) expect(await next(subscriber)).toMatchObject({ category: "device.new", content: { a } });
  });
});

it("events pass our forwarder byte for byte", async () => {
  const { publishers, subscribers } = await forwarderOf("our");
  const [up, down] = await Promise.all([Tap.open(publishers), Tap.open(subscribers)]);
  closeAfterwards(() => up[Symbol.asyncDispose]());
  closeAfterwards(() => down[Symbol.asyncDispose]());
  const subscriber = await ourSubscriber(down.endpoint, "plugin.status");
  const id = "plugin.status.1795215860_942338.0_1";
  await outputOf("publisher", up.endpoint, "plugin.status", STATUS, "--id", id, "--await", "");
  await next(subscriber);
  expect(down.messages.some(({ toBroker }) => !toBroker)).toBe(true);
  expect(goldenAmong(down.messages)).toEqual(["event-plugin-status"]);
});

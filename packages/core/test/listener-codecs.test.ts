import { describe, expect, it, onTestFinished } from "vitest";
import { createClient, createRouter, defineContract, unary } from "../src/index.ts";
import {
  type Channel,
  createMemoryChannelPair,
  createSessionListener,
  createSessionTransport,
  type EnvelopeCodec,
  jsonEnvelopeCodec,
} from "../src/transport.ts";
import { FakeClock } from "./fake-clock.ts";

const Test = defineContract("test.Test", { echo: unary() });
/** Another instance that writes alike: what a listener tells apart are instances. */
const OTHER: EnvelopeCodec = { ...jsonEnvelopeCodec };

/** A client whose connections are accepted with these codecs, one after the other. */
function serving(codecs: readonly (EnvelopeCodec | undefined)[]) {
  const clock = new FakeClock();
  const shared = { codec: jsonEnvelopeCodec, clock, heartbeatMs: 0 };
  const listener = createSessionListener({
    ...shared,
    endpoint: "memory:server",
    handler: createRouter(Test, { echo: (value) => value }),
    stopAccepting: () => Promise.resolve(),
  });
  const events: string[] = [];
  listener.on("client-connected", () => events.push("connected"));
  listener.on("client-resumed", () => events.push("resumed"));
  const links: Channel[] = [];
  const transport = createSessionTransport({
    ...shared,
    endpoint: "memory:client",
    dial: () => {
      const [near, far] = createMemoryChannelPair();
      listener.accept(far, codecs[links.length]);
      links.push(near);
      return Promise.resolve(near);
    },
  });
  onTestFinished(async () => {
    await transport.close();
    await listener.close();
  });
  const cut = async (): Promise<void> => {
    await clock.advance(2_000);
    const back = new Promise<void>((resolve) => {
      for (const event of ["resumed", "connected"] as const) transport.on(event, resolve);
    });
    links.at(-1)?.close();
    await back;
  };
  return { client: createClient(Test, transport), events, cut };
}

describe("a listener whose channels name their codec", () => {
  it("goes on with a session over a channel of the same codec", async () => {
    const { client, events, cut } = serving([OTHER, OTHER]);
    expect(await client.echo(1)).toBe(1);
    await cut();
    expect(await client.echo(2)).toBe(2);
    expect(events).toEqual(["connected", "resumed"]);
  });

  it.each([
    ["of another one than before", [OTHER, undefined]],
    ["of its own after another one", [undefined, OTHER]],
  ])("begins anew over a channel %s", async (_name, codecs) => {
    const { client, events, cut } = serving(codecs);
    expect(await client.echo(1)).toBe(1);
    await cut();
    expect(await client.echo(2)).toBe(2);
    expect(events).toEqual(["connected", "connected"]);
  });
});

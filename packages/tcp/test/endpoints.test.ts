import { createClient } from "@rpc/core";
import type { DialOutcome } from "@rpc/core/transport";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, vi } from "vitest";
import { dialInTurn } from "../src/dial.ts";
import { parseEndpoint } from "../src/endpoint.ts";
import { dialSettings } from "../src/options.ts";
import { lineTo } from "./line.ts";
import { Greeter, greeter, serving, transportTo } from "./greeter.ts";
import { type Accepting, accepting, bareServer, caught, freePort, opened, turns } from "./rig.ts";

describe("dials of one transport", () => {
  it("begin with the first endpoint", async () => {
    const { names, go } = await ring(3);
    expect(await go("none")).toBe(names[0]);
  });

  it("begin where the last channel stood, also when one before it is back", async () => {
    const { acceptors, names, go } = await ring(3);
    await acceptors[0]?.stop();
    expect(await go("none")).toBe(names[1]);
    await accepting({ endpoint: names[0] });
    expect(await go("stood")).toBe(names[1]);
    expect(await go("stood")).toBe(names[1]);
  });

  it("begin behind the endpoint that refused, and come round", async () => {
    const { names, go } = await ring(3);
    expect(await go("none")).toBe(names[0]);
    expect(await go("refused")).toBe(names[1]);
    expect(await go("refused")).toBe(names[2]);
    expect(await go("refused")).toBe(names[0]);
  });

  it("keep the order of the others", async () => {
    const { acceptors, names, go } = await ring(4);
    expect(await go("none")).toBe(names[0]);
    expect(await go("refused")).toBe(names[1]);
    await acceptors[1]?.stop();
    await acceptors[2]?.stop();
    expect(await go("stood")).toBe(names[3]);
    await acceptors[3]?.stop();
    expect(await go("stood")).toBe(names[0]);
  });

  it("begin at the same place again when nobody answered", async () => {
    const { acceptors, names, go } = await ring(2);
    await acceptors[0]?.stop();
    expect(await go("none")).toBe(names[1]);
    await acceptors[1]?.stop();
    expect((await caught(go("stood"))).code).toBe("UNAVAILABLE");
    await accepting({ endpoint: names[0] });
    await accepting({ endpoint: names[1] });
    expect(await go("stood")).toBe(names[1]);
  });

  it("get behind an endpoint that is named twice, and to the only one again", async () => {
    const silent = await accepting();
    const other = await accepting();
    const twice = goes([silent.endpoint, silent.endpoint, other.endpoint]);
    await twice("none");
    await twice("refused");
    expect(await twice("refused")).toBe(other.endpoint);
    const only = goes([silent.endpoint]);
    await only("none");
    expect(await only("refused")).toBe(silent.endpoint);
    expect(await only("stood")).toBe(silent.endpoint);
  });
});

describe("createTcpTransport of several endpoints", () => {
  it("resumes its session on the endpoint that has it, although the one before is back", async () => {
    const clock = createFakeClock();
    const waited = Promise.withResolvers<string>();
    const first = `tcp://127.0.0.1:${await freePort()}`;
    const second = await serving({ clock }, greeter(waited.promise));
    const line = await lineTo(second.endpoint);
    const transport = transportTo([first, line.endpoint], { clock });
    const events: string[] = [];
    for (const event of ["connected", "suspended", "resumed"] as const) transport.on(event, () => events.push(event));
    const client = createClient(Greeter, transport);
    const open = client.wait();
    await client.hello({ name: "Ada" });
    const back = await serving({ clock, endpoint: first });

    clock.advance(1_000);
    line.cut();
    await vi.waitUntil(() => events.includes("suspended"));
    await vi.waitUntil(() => events.includes("resumed"));
    waited.resolve("from the second");
    expect(await open).toBe("from the second");
    expect(events).toEqual(["connected", "suspended", "resumed"]);
    expect([...back.peers]).toEqual([]);
  });

  it("goes on behind an endpoint that takes the connection and says nothing", async () => {
    const clock = createFakeClock();
    const silent = await bareServer((socket) => void socket.resume().on("end", () => socket.end()));
    const listener = await serving({ clock });
    const client = createClient(Greeter, transportTo([silent, listener.endpoint], { clock }));
    const refused = caught(client.hello({ name: "Ada" }));
    await turns(10);
    clock.advance(10_000);
    expect(await refused).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(await client.hello({ name: "Ada" })).toEqual({ text: "Hello Ada" });
  });
});

/** Listeners on as many ports. */
async function ring(count: number): Promise<{
  acceptors: readonly Accepting[];
  names: readonly string[];
  go: (previous: DialOutcome) => Promise<string>;
}> {
  const acceptors = await Promise.all(Array.from({ length: count }, () => accepting()));
  const names = acceptors.map(({ endpoint }) => endpoint);
  return { acceptors, names, go: goes(names) };
}

/** Dials, and tells where it got to. */
function goes(names: readonly string[]): (previous: DialOutcome) => Promise<string> {
  const dial = dialInTurn(
    names.map((name) => parseEndpoint(name, "dial")),
    dialSettings({}),
  );
  return async (previous) => {
    const channel = await dial(new AbortController().signal, previous);
    opened(channel);
    return channel.remote;
  };
}

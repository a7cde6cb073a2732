import { connect, type Socket } from "node:net";
import { createClient } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { expect, it, onTestFinished, vi } from "vitest";
import { Greeter, greeter, serving, transportTo } from "./greeter.ts";
import { bareServer, turns } from "./rig.ts";

it("H14 a line that goes dead in the middle of a message suspends the session, and the calls go on over the next line", async () => {
  const clock = createFakeClock();
  const waited = Promise.withResolvers<string>();
  const reports: string[] = [];
  const listener = await serving({ clock, onError: ({ message }) => reports.push(message) }, greeter(waited.promise));
  const line = await lineTo(listener.endpoint);
  const transport = transportTo(line.endpoint, { clock, onError: ({ message }) => reports.push(message) });
  const events: string[] = [];
  for (const event of ["connected", "suspended", "resumed", "disconnected"] as const)
    transport.on(event, () => events.push(event));
  const client = createClient(Greeter, transport);

  const open = client.wait();
  await client.hello({ name: "Ada" });
  await vi.waitUntil(() => events.includes("connected"));
  const [peer] = listener.peers;
  line.dieAfter(1_000);
  const text = "x".repeat(100_000);
  const cut = client.echo(text);
  await vi.waitUntil(() => line.dead);
  await turns();
  for (let second = 0; second < 30; second++) {
    clock.advance(1_000);
    await turns();
  }
  expect(await cut).toBe(text);
  waited.resolve("still here");
  expect(await open).toBe("still here");
  expect(events).toEqual(["connected", "suspended", "resumed"]);
  expect([...listener.peers]).toEqual([peer]);
  expect(reports).toEqual([]);
});

interface Line {
  readonly endpoint: string;
  /** Whether the first connection carries nothing any more. */
  readonly dead: boolean;
  /** The first connection swallows everything after so many more bytes to the server, in both directions, its end too. */
  dieAfter(bytes: number): void;
}

async function lineTo(endpoint: string): Promise<Line> {
  let leftBytes = Infinity;
  let connections = 0;
  const port = Number(new URL(endpoint).port);
  const pipe = (near: Socket): void => {
    const breaks = ++connections === 1;
    const far = connect({ port, host: "127.0.0.1" });
    onTestFinished(() => void far.destroy());
    const alive = (): boolean => !breaks || leftBytes > 0;
    near.on("data", (chunk: Buffer) => {
      if (!alive()) return;
      far.write(breaks ? chunk.subarray(0, leftBytes) : chunk);
      if (breaks) leftBytes -= chunk.length;
    });
    far.on("data", (chunk: Buffer) => {
      if (alive()) near.write(chunk);
    });
    far.on("error", () => undefined);
    far.on("close", () => {
      if (alive()) near.destroy();
    });
    near.on("close", () => far.destroy());
  };
  return {
    endpoint: await bareServer(pipe),
    get dead() {
      return leftBytes <= 0;
    },
    dieAfter: (bytes) => void (leftBytes = bytes),
  };
}

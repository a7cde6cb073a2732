import { createClient } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { expect, it, vi } from "vitest";
import { Greeter, greeter, serving, transportTo } from "./greeter.ts";
import { lineTo } from "./line.ts";
import { turns } from "./rig.ts";

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

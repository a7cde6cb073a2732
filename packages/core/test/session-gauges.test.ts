import { expect, it } from "vitest";
import { createClient, createMetrics, createRouter, defineContract, prometheusText, unary } from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { Gate } from "./rig.ts";
import { resumable } from "./resume-rig.ts";

const Test = defineContract("test.Test", { echo: unary(), slow: unary() });

it("a transport and a listener tell their sessions, bytes and queues", async () => {
  const gate = new Gate<unknown>();
  const rig = resumable(createRouter(Test, { echo: (input) => input, slow: () => gate.promise }));
  const value = (source: "transport" | "listener", name: string): number | undefined =>
    rig[source].read().find((gauge) => gauge.name === name)?.value;
  const client = createClient(Test, rig.transport);
  await client.echo("hello");
  expect(value("transport", "rpc_sessions_open")).toBe(1);
  expect(value("listener", "rpc_sessions_open")).toBe(1);
  expect(value("transport", "rpc_session_sent_bytes_total")).toBeGreaterThan(20);
  expect(value("listener", "rpc_session_received_bytes_total")).toBe(
    value("transport", "rpc_session_sent_bytes_total"),
  );
  const slow = client.slow(1);
  await settled();
  expect(value("listener", "rpc_session_calls_in_flight")).toBe(1);
  rig.down = true;
  await rig.cut();
  const queued = client.echo(2);
  await settled();
  expect(value("transport", "rpc_sessions_suspended")).toBe(1);
  expect(value("transport", "rpc_session_calls_queued")).toBe(1);
  expect(value("transport", "rpc_session_unacknowledged_messages")).toBeGreaterThan(0);
  const metrics = createMetrics();
  metrics.add(rig.transport);
  expect(prometheusText(metrics)).toContain('rpc_sessions_suspended{endpoint="memory:client"} 1');
  rig.down = false;
  gate.open(1);
  await rig.clock.advance(5_000);
  await Promise.all([slow, queued]);
});

import { expect, it } from "vitest";
import { until } from "../rig.ts";
import { ourBroker, ourClient, readyAt } from "../zmq/ours.ts";
import { start } from "../zmq/rig.ts";
import { SERVICE } from "../zmq/sums.ts";

const STRICT = { correlation: "socket" } as const;
const PATIENCE = { timeoutMs: 30_000 };

it("a flood of a foreign client fills its queue and no more: what is beyond is counted, and others are served", async () => {
  const [requests, maxQueue] = [2_000, 50];
  const broker = await ourBroker({ maxQueue });
  const ready = readyAt(broker);
  start("worker", broker.endpoint, SERVICE, "--quiet");
  await ready;
  let most = 0;
  broker.on("request", () => (most = Math.max(most, broker.stats().waiting)));
  const flood = start(
    "client",
    broker.endpoint,
    SERVICE,
    "--count",
    requests,
    "--window",
    requests,
    "--timeout",
    4_000,
  );
  const told = (await flood.output()).at(-1);
  const { queueFull, replies } = broker.stats().counters;
  expect(told).toMatchObject({ done: true, replies, timeouts: queueFull, wrong: 0 });
  expect(replies + queueFull).toBe(requests);
  expect(replies).toBeGreaterThan(maxQueue);
  expect(queueFull).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(maxQueue);
  expect(await ourClient(broker.endpoint, STRICT).add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
});

it("a foreign client that reads nothing loses its own replies only, each is counted, and it goes on", async () => {
  const requests = 400;
  const broker = await ourBroker({ maxUnsent: 50 });
  const ready = readyAt(broker, 2);
  for (let n = 0; n < 2; n++) start("worker", broker.endpoint, SERVICE, "--quiet", "--delay", 5);
  await ready;
  // Twenty megabytes of replies: more than the system keeps for a connection.
  const body = ["--body", "x".repeat(50_000), "--body", "{n}"];
  const args = ["--count", requests, "--window", requests, "--timeout", 1_500, ...body];
  const slow = start("client", broker.endpoint, SERVICE, ...args);
  await until(() => broker.stats().counters.requests === requests);
  slow.signal("SIGSTOP");
  await until(() => broker.stats().counters.replies === requests);
  expect(broker.stats().counters.unread).toBeGreaterThan(0);
  expect(await ourClient(broker.endpoint, STRICT).add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
  slow.signal("SIGCONT");
  // How much of what was kept it still waits for is its own affair: its time has gone on while it stood.
  const told = (await slow.output()).at(-1) as { readonly replies: number } | undefined;
  expect(told).toMatchObject({ done: true, wrong: 0 });
  expect(told?.replies).toBeLessThanOrEqual(requests - broker.stats().counters.unread);
});

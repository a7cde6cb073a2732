import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CallReading, createMetrics, DURATION_BUCKETS_MS, measureCalls, type Metrics } from "../../src/index.ts";
import { forward, type CallContext } from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, memory, thrownBy } from "../rig.ts";
import { shop } from "./rig.ts";

function measured(side: "client" | "server", metrics: Metrics = createMetrics()) {
  const clock = new FakeClock();
  return { metrics, ...shop({ [side]: [measureCalls(metrics, { clock })] }, undefined, clock) };
}

function readingOf(metrics: Metrics, method: string): CallReading {
  const found = metrics.read().calls.find((reading) => reading.method === method);
  if (found === undefined) throw new Error(`${method} was not counted`);
  return found;
}

/** Just enough of a call for the counters. */
function contextOf(name: string, of: Partial<CallContext["method"]> = {}): CallContext {
  const codec = { format: "json", stringify: String, parse: String, revive: String };
  return { peer: {}, method: { name, kind: "unary", input: { codec }, ...of } } as unknown as CallContext;
}

describe.each(["client", "server"] as const)("measureCalls at a %s", (side) => {
  it("counts calls by method, kind, side and code", async () => {
    const { client, metrics } = measured(side);
    await client.buy(1);
    await client.buy(2);
    await failure(client.fail());
    await all(client.list(2));
    await client.ring();
    await settled();
    const table = metrics
      .read()
      .calls.map((call) => [call.method, call.kind, call.side, call.started, [...call.ended]]);
    expect(table.toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
      ["demo.Shop.buy", "unary", side, 2, [["OK", 2]]],
      ["demo.Shop.fail", "unary", side, 1, [["NOT_FOUND", 1]]],
      ["demo.Shop.list", "serverStream", side, 1, [["OK", 1]]],
      ["demo.Shop.ring", "notification", side, 1, [["OK", 1]]],
    ]);
    expect(readingOf(metrics, "demo.Shop.fail").errors).toBe(1);
    expect(readingOf(metrics, "demo.Shop.buy").errors).toBe(0);
  });

  it("knows what is in flight, and for how long it was", async () => {
    const { client, metrics, clock } = measured(side);
    const call = client.later.start();
    await settled();
    expect(readingOf(metrics, "demo.Shop.later")).toMatchObject({ started: 1, inFlight: 1 });
    await clock.advance(70);
    await call.cancel();
    await failure(call);
    await settled();
    const reading = readingOf(metrics, "demo.Shop.later");
    expect(reading).toMatchObject({ inFlight: 0, errors: 1, duration: { count: 1, sumMs: 70 } });
    expect(DURATION_BUCKETS_MS[reading.duration.buckets.indexOf(1)]).toBe(100);
    expect([...reading.ended]).toEqual([["CANCELLED", 1]]);
  });
});

it("counts what a gateway passes on under one name, whatever callers think of", () => {
  const metrics = createMetrics();
  const gateway = forward(memory({ contracts: [], method: () => undefined, call: () => 1, stream: () => never() }));
  for (let i = 0; i < 100; i++) {
    const method = gateway.method(`made.Up.name${i}`, "unary");
    metrics.callStarted({ ...contextOf(""), method } as unknown as CallContext);
  }
  expect(metrics.read().calls.map(({ method, started }) => [method, started])).toEqual([["_OTHER", 100]]);
});

async function* never(): AsyncGenerator {
  // Nothing.
}

it("counts methods beyond maxMethods together", () => {
  const metrics = createMetrics({ maxMethods: 2 });
  for (const name of ["a", "b", "c", "a", "d"]) {
    metrics.callStarted(contextOf(name));
    metrics.callEnded(contextOf(name), "OK", 1);
  }
  const table = metrics.read().calls.map(({ method, started, inFlight }) => [method, started, inFlight]);
  expect(table).toEqual([
    ["a", 2, 0],
    ["b", 1, 0],
    ["_OTHER", 2, 0],
  ]);
  expect(thrownBy(() => createMetrics({ maxMethods: -1 })).code).toBe("INVALID_ARGUMENT");
});

it("puts each duration into the bucket that holds it, and loses none", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 30_000, noNaN: true })), (durations) => {
      const metrics = createMetrics();
      for (const ms of durations) {
        metrics.callStarted(contextOf("m"));
        metrics.callEnded(contextOf("m"), "OK", ms);
      }
      const buckets = metrics.read().calls[0]?.duration.buckets ?? [];
      let below = 0;
      for (const [i, boundMs] of DURATION_BUCKETS_MS.entries()) {
        below += buckets[i] ?? 0;
        expect(below).toBe(durations.filter((ms) => ms <= boundMs).length);
      }
      expect(buckets.reduce((sum, count) => sum + count, 0)).toBe(durations.length);
    }),
  );
});

describe("sources", () => {
  it("are read with the rest until they are taken away", () => {
    const metrics = createMetrics();
    const remove = metrics.add({ read: () => [{ name: "open_connections", value: 3 }] });
    expect(metrics.read().gauges).toEqual([{ name: "open_connections", value: 3 }]);
    remove();
    expect(metrics.read().gauges).toEqual([]);
  });

  it("are added up where they speak of the same thing", () => {
    const metrics = createMetrics();
    metrics.add({ read: () => [{ name: "queue_depth", value: 1, labels: { a: "x", b: "y" } }] });
    metrics.add({ read: () => [{ name: "queue_depth", value: 2, labels: { b: "y", a: "x" } }] });
    metrics.add({ read: () => [{ name: "queue_depth", value: 4, labels: { a: "z", b: "y" } }] });
    expect(metrics.read().gauges.map(({ value }) => value)).toEqual([3, 4]);
  });

  it("H79 that throw cost their own numbers only", () => {
    const metrics = createMetrics();
    metrics.add({
      read: () => {
        throw new Error("closed");
      },
    });
    metrics.add({ read: () => [{ name: "depth", value: 1 }] });
    expect(metrics.read().gauges).toHaveLength(1);
  });
});

it("H79 a listener that throws harms neither the call nor the other listeners", async () => {
  const { client, metrics } = measured("server");
  const heard: unknown[] = [];
  metrics.onCallEnded(() => {
    throw new Error("on purpose");
  });
  const remove = metrics.onCallEnded((...call) => heard.push(call));
  expect(await client.buy(1)).toBe(2);
  expect(heard).toEqual([["server", "demo.Shop.buy", "unary", "OK", 0]]);
  remove();
  await client.buy(1);
  expect(heard).toHaveLength(1);
});

it("H79 metrics that throw harm no call", async () => {
  const broken: Metrics = {
    ...createMetrics(),
    callStarted: () => undefined,
    callEnded: () => {
      throw new Error("on purpose");
    },
  };
  const { client } = measured("server", broken);
  expect(await client.buy(1)).toBe(2);
});

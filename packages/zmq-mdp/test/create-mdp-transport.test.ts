import { createClient, defineContract, notification, serverStream, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { createMdpTransport, type MdpTransport, type MdpTransportOptions } from "../src/index.ts";
import { scriptedBroker, texts } from "./scripted-broker.ts";

const Config = defineContract("config", {
  get: unary(),
  read: unary({ input: z.object({ key: z.string() }), output: z.object({ value: z.string() }) }),
  tell: notification(),
});

function transportTo(endpoint: string | readonly string[], options: MdpTransportOptions = {}): MdpTransport {
  // Time stands still, so that what is left of it can be written down.
  const transport = createMdpTransport(endpoint, { service: "dbmgr", clock: createFakeClock(), ...options });
  onTestFinished(() => transport.close());
  return transport;
}

async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a transport", () => {
  it("writes its mark, the patience, the action and the data, and finds replies by the mark in any order", async () => {
    const broker = await scriptedBroker();
    const client = createClient(Config, transportTo(broker.endpoint));
    const calls = [client.get({ n: 1 }, { timeoutMs: 10_000 }), client.get({ n: 2 })];
    const [first, second] = [await broker.next(), await broker.next()];
    expect(texts(first.slice(2, 7))).toEqual(["", "MDPC01", "dbmgr", "10", "config.get"]);
    expect(JSON.parse(first[7]?.toString() ?? "")).toEqual({ args: { n: 1 }, $meta: { timeoutMs: 10_000 } });
    expect(texts(second.slice(2))).toEqual(["", "MDPC01", "dbmgr", "config.get", '{"args":{"n":2}}']);
    expect(first[1]).toEqual(Buffer.of(1, 0, 0, 0, 1));
    for (const [request, result] of [
      [second, 2],
      [first, 1],
    ] as const)
      await broker.send([...request.slice(0, 5), "config.result", `{"status": true, "result": ${result}}`]);
    expect(await Promise.all(calls)).toEqual([1, 2]);
  });

  it("takes the whole data of a foreign worker as output, writes flat input, and passes its reason on", async () => {
    const broker = await scriptedBroker();
    const client = createClient(Config, transportTo(broker.endpoint, { input: "flat", dialect: "rfc7" }));
    const good = client.read({ key: "protocol" }, { timeoutMs: 10_000 });
    const request = await broker.next();
    // RFC 7 has one address frame, the ROUTER's: no mark of the client's own.
    expect(texts(request.slice(1))).toEqual([
      "",
      "MDPC01",
      "dbmgr",
      "config.read",
      '{"$meta":{"timeoutMs":10000},"key":"protocol"}',
    ]);
    await broker.send([...request.slice(0, 4), "config.read.result", '{"value": "usb", "status": true, "reason": ""}']);
    expect(await good).toEqual({ value: "usb", status: true, reason: "" });
    const bad = client.read({ key: "x" });
    await broker.send([...(await broker.next()).slice(0, 4), "x.result", '{"status": false, "reason": "no such key"}']);
    await expect(bad).rejects.toMatchObject({ code: "UNKNOWN", message: "no such key", reason: "COMMAND_FAILURE" });
  });

  it.each([
    ["NO_WORKER", "UNAVAILABLE", "no"],
    ["EXPIRED", "DEADLINE_EXCEEDED", "no"],
    ["QUEUE_FULL", "RESOURCE_EXHAUSTED", "no"],
    ["WORKER_LOST", "UNAVAILABLE", "unknown"],
    ["FORBIDDEN", "PERMISSION_DENIED", "no"],
  ])("takes the broker's word %s for %s", async (word, code, delivered) => {
    const broker = await scriptedBroker();
    const call = createClient(Config, transportTo(broker.endpoint)).get();
    const request = await broker.next();
    await broker.send([
      ...request.slice(0, 5),
      "error",
      JSON.stringify({ status: false, reason: "no worker for service dbmgr", code: word }),
    ]);
    await expect(call).rejects.toMatchObject({ code, reason: word, delivered });
  });

  it("drops and counts replies that nobody waits for, and messages that are none", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    const transport = transportTo(broker.endpoint, { clock });
    const client = createClient(Config, transport);
    const late = client.get(1, { timeoutMs: 1_000 });
    const request = await broker.next();
    clock.advance(1_000);
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", delivered: "unknown" });
    const next = client.get(2);
    const second = await broker.next();
    await broker.send([...request.slice(0, 5), "late", '{"status":true,"result":"late"}']);
    await broker.send([...second.slice(0, 1), "nonsense"]);
    await broker.send([...second.slice(0, 5), "config.result", '{"status":true,"result":"in time"}']);
    expect(await next).toBe("in time");
    expect(transport.counters.strayReplies).toBe(2);
  });

  it("uses a socket for each call under way where replies bear no mark, and another one after a time-out", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    const transport = transportTo(broker.endpoint, { clock, correlation: "socket", maxSockets: 2, dialect: "rfc7" });
    const client = createClient(Config, transport);
    const calls = [client.get(1, { timeoutMs: 1_000 }), client.get(2), client.get(3)];
    const seen = [await broker.next(), await broker.next()];
    const one = seen.find((frames) => frames.at(-1)?.toString().startsWith('{"args":1')) ?? [];
    const two = seen.find((frames) => frames.at(-1)?.toString().startsWith('{"args":2')) ?? [];
    expect(one[0]?.equals(two[0] ?? Buffer.alloc(0))).toBe(false);
    expect(texts(two.slice(1, 4))).toEqual(["", "MDPC01", "dbmgr"]);
    clock.advance(1_000);
    await expect(calls[0]).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    // The late reply goes to a socket that is closed.
    await broker.send([...one.slice(0, 4), "config.result", '{"status":true,"result":"late"}']);
    const three = await broker.next();
    await broker.send([...three.slice(0, 4), "config.result", '{"status":true,"result":3}']);
    await broker.send([...two.slice(0, 4), "config.result", '{"status":true,"result":2}']);
    expect([await calls[1], await calls[2]]).toEqual([2, 3]);
  });

  it("hands a notification over, and does not wait for its answer", async () => {
    const broker = await scriptedBroker();
    const transport = transportTo(broker.endpoint);
    expect(await createClient(Config, transport).tell({ now: true })).toBe(undefined);
    const request = await broker.next();
    expect(JSON.parse(request.at(-1)?.toString() ?? "")).toEqual({
      args: { now: true },
      $meta: { kind: "notification" },
    });
  });

  it("asks the next broker where nobody answers at the first", async () => {
    const gone = await scriptedBroker();
    gone.close();
    const broker = await scriptedBroker();
    const call = createClient(Config, transportTo([gone.endpoint, broker.endpoint])).get(1);
    const request = await broker.next();
    await broker.send([...request.slice(0, 5), "config.result", '{"status":true,"result":1}']);
    expect(await call).toBe(1);
  });

  it("says that a broker cannot be reached, when its time is over", async () => {
    const clock = createFakeClock();
    const gone = await scriptedBroker();
    gone.close();
    const transport = transportTo(gone.endpoint, { clock, connectTimeoutMs: 5_000 });
    const call = createClient(Config, transport).get(1);
    await turn();
    clock.advance(5_000);
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(transport.isDown).toBe(true);
  });

  it("fails what is open when the broker is gone, and reaches one that was started anew", async () => {
    const broker = await scriptedBroker();
    const transport = transportTo(broker.endpoint);
    const client = createClient(Config, transport);
    const open = client.get(1);
    await broker.next();
    broker.close();
    await expect(open).rejects.toMatchObject({ code: "UNAVAILABLE", delivered: "unknown", reason: "PEER_LOST" });
    const again = await scriptedBroker(broker.endpoint);
    const call = client.get(2);
    const request = await again.next();
    await again.send([...request.slice(0, 5), "config.result", '{"status":true,"result":2}']);
    expect(await call).toBe(2);
    expect(transport.counters.connectionsLost).toBe(1);
  });

  it("reads the items of MDP 0.2 until the last one", async () => {
    const Sensor = defineContract("sensor", { values: serverStream() });
    const broker = await scriptedBroker();
    const client = createClient(Sensor, transportTo(broker.endpoint, { dialect: "mdp02" }));
    const reading = collect(client.values({ from: 1 }));
    const request = await broker.next();
    expect(texts(request.slice(1))).toEqual([
      "MDPC02",
      "\u0001",
      "dbmgr",
      "sensor.values",
      '{"args":{"from":1},"$meta":{"kind":"serverStream"}}',
    ]);
    for (const [command, data] of [
      [2, '{"status":true,"result":1}'],
      [2, '{"status":true,"result":2}'],
      [3, '{"status":true,"result":3}'],
    ] as const)
      await broker.send([...request.slice(0, 2), Uint8Array.of(command), "dbmgr", "sensor.values.result", data]);
    expect(await reading).toEqual([1, 2, 3]);
  });
});

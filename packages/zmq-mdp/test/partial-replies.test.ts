import { createClient, createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpClient,
  createMdpTransport,
  type MdpClientDialect,
  type MdpTransport,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";
import { texts } from "./scripted-broker.ts";

const Sensor = defineContract("sensor", { values: serverStream(), last: unary() });

const Last = defineContract("sensor", { last: unary() });

interface Ends {
  readonly endpoint: string;
  readonly transport: MdpTransport;
}

async function ends(dialect: MdpClientDialect = "mdp02"): Promise<Ends> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
  const router = createRouter(Sensor, {
    async *values(count) {
      for (let i = 0; i < Number(count); i += 1) yield { i };
      if (count === 2) throw new RpcError("ABORTED", "the sensor fell asleep", { details: 7 });
    },
    last: (input, context) => [input, context.metadata.get("x-key") ?? "none"],
  });
  const listener = await serveMdp(router, { broker: broker.endpoint, version: "0.2" });
  const transport = createMdpTransport(broker.endpoint, { dialect });
  onTestFinished(async () => {
    await transport.close();
    await listener.close();
    await broker.close({ drainMs: 0 });
  });
  return { endpoint: broker.endpoint, transport };
}

async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("MDP 0.2", () => {
  it("carries streams of none, one and many items side by side, and calls between them", async () => {
    const client = createClient(Sensor, (await ends()).transport);
    const counts = [0, 1, 3, 500];
    const streams = Promise.all(counts.map((count) => collect(client.values(count))));
    expect(await client.last("in between", { metadata: { "x-key": "kept" } })).toEqual(["in between", "kept"]);
    expect(await streams).toEqual(counts.map((count) => Array.from({ length: count }, (_, i) => ({ i }))));
  });

  it("gives the items before an error, and the error with its details", async () => {
    const client = createClient(Sensor, (await ends()).transport);
    const items: unknown[] = [];
    const reading = (async () => {
      for await (const item of client.values(2)) items.push(item);
    })();
    await expect(reading).rejects.toMatchObject({ code: "ABORTED", message: "the sensor fell asleep", details: 7 });
    expect(items).toEqual([{ i: 0 }, { i: 1 }]);
  });

  it("goes on with the next call when a reader leaves", async () => {
    const client = createClient(Sensor, (await ends()).transport);
    for await (const item of client.values(100)) {
      expect(item).toEqual({ i: 0 });
      break;
    }
    expect(await client.last(1)).toEqual([1, "none"]);
  });

  it.each([
    ["maxUnreadItems", { maxUnreadItems: 10 }, 10],
    ["maxUnreadBytes", { maxUnreadBytes: 1_000 }, 1],
  ] as const)("ends a stream that is not read at %s, behind what came before", async (reason, limits, least) => {
    const { endpoint } = await ends();
    const transport = createMdpTransport(endpoint, { dialect: "mdp02", ...limits });
    onTestFinished(() => transport.close());
    const client = createClient(Sensor, transport);
    const iterator = client.values(500)[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: { i: 0 } });
    // The worker answers this one when it is through with the stream, or has been stopped.
    for (let n = 0; n < 20; n += 1) await client.last(n);
    const rest = collect({ [Symbol.asyncIterator]: () => iterator });
    await expect(rest).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED", reason });
    const again = client.values(least)[Symbol.asyncIterator]();
    expect((await again.next()).value).toEqual({ i: 0 });
    await again.return?.();
  });

  it("answers clients of 0.1 from workers of 0.2", async () => {
    const { transport, endpoint } = await ends("domogik");
    const client = createClient(Last, transport);
    expect(await client.last(1)).toEqual([1, "none"]);
    const raw = createMdpClient(endpoint);
    onTestFinished(() => raw.close());
    const reply = await raw.rawRequest("sensor", [
      Buffer.from("sensor.values"),
      Buffer.from('{"args":2,"$meta":{"kind":"serverStream"}}'),
    ]);
    expect(texts(reply).slice(0, 4)).toEqual([
      "sensor.values.result",
      '{"status":true,"result":{"i":0}}',
      "sensor.values.result",
      '{"status":true,"result":{"i":1}}',
    ]);
  });

  it("is asked for where a contract has streams", async () => {
    const { transport } = await ends("domogik");
    expect(() => createClient(Sensor, transport)).toThrow(/dialect mdp02/);
  });
});

import { type CallOptions, createClient, createRouter, RpcError } from "@rpc/core";
import { contractFromProto } from "@rpc/protobuf";
import { expect, it, onTestFinished } from "vitest";
import { createMdpTransport, type MdpTransportOptions, runMdpBroker, serveMdp } from "../src/index.ts";
import { scriptedBroker, texts } from "./scripted-broker.ts";

const Sensor = contractFromProto(new URL("vectors/sensor.proto", import.meta.url), "house.Sensor");

const router = createRouter(Sensor, {
  echo: (input: unknown, context) => {
    for (const [key, value] of context.metadata) context.responseMetadata.set(key, value);
    return input;
  },
  fail: () => {
    throw new RpcError("NOT_FOUND", "no such sensor");
  },
  async *watch(input: unknown) {
    yield input;
    yield { id: 2n };
  },
});

interface SensorClient {
  echo(input: unknown, options?: CallOptions): Promise<unknown>;
  fail(input: unknown): Promise<unknown>;
  watch(input: unknown): AsyncIterable<unknown>;
}

async function clientOf(options: MdpTransportOptions): Promise<SensorClient> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
  const version = options.dialect === "mdp02" ? "0.2" : "0.1";
  const listener = await serveMdp(router, { broker: broker.endpoint, version });
  const transport = createMdpTransport(broker.endpoint, options);
  onTestFinished(async () => {
    await transport.close();
    await listener.close();
    await broker.close({ drainMs: 0 });
  });
  return createClient(Sensor, transport) as unknown as SensorClient;
}

const reading = { id: 2n ** 60n, raw: Uint8Array.of(0, 255) };

it.each(["json", "protobuf"] as const)("carries messages of a .proto as %s, and streams of them", async (body) => {
  const client = await clientOf({ body, dialect: "mdp02" });
  expect(await client.echo(reading, { metadata: { "x-key": "kept" } })).toMatchObject(reading);
  await expect(client.fail(reading)).rejects.toMatchObject({ code: "NOT_FOUND", message: "no such sensor" });
  const items: unknown[] = [];
  for await (const item of client.watch(reading)) items.push(item);
  expect(items).toMatchObject([reading, { id: 2n }]);
});

it("writes bytes in a frame of their own, behind data that says so", async () => {
  const broker = await scriptedBroker();
  const transport = createMdpTransport(broker.endpoint, { body: "protobuf", dialect: "mdp02" });
  onTestFinished(() => transport.close());
  const call = (createClient(Sensor, transport) as unknown as SensorClient).echo({ id: 1n });
  const request = await broker.next();
  expect(texts(request.slice(3, 6))).toEqual(["house.Sensor", "house.Sensor.echo", '{"$meta":{"body":"protobuf"}}']);
  expect(request[6]).toEqual(Buffer.of(8, 1));
  const data = '{"status":true,"$meta":{"body":"protobuf"}}';
  await broker.send([...request.slice(0, 2), Uint8Array.of(3), "house.Sensor", "x.result", data, Buffer.of(8, 1)]);
  expect(await call).toMatchObject({ id: 1n });
});

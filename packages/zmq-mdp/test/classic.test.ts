import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMdpClient,
  MdpAsyncClient,
  type MdpBroker,
  type MdpClient,
  type MdpMessageClientOptions,
  MdpWorker,
  type MdpWorkerOptions,
  MqMessage,
  type MqRequest,
  runMdpBroker,
} from "../src/index.ts";
import { scriptedBroker, texts } from "./scripted-broker.ts";

async function broker(options: Partial<Parameters<typeof runMdpBroker>[0]> = {}): Promise<MdpBroker> {
  const started = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", ...options });
  onTestFinished(() => started.close({ drainMs: 0 }));
  return started;
}

function clientOf(endpoint: string, options?: MdpMessageClientOptions): MdpClient {
  const client = createMdpClient(endpoint, options);
  onTestFinished(() => client.close());
  return client;
}

class Sensors extends MdpWorker {
  protected onRequest(message: MqMessage, request: MqRequest): Promise<MqMessage> | MqMessage | void {
    switch (message.action) {
      case "sensor.get":
        return new MqMessage("sensor.result", { ...message.data, value: 21.5 });
      case "sensor.later":
        request.reply(new MqMessage("sensor.later.result", { frames: request.frames.length }));
        return undefined;
      case "sensor.throw":
        throw new Error("the sensor broke");
      case "sensor.reject":
        return Promise.reject(new Error("the sensor is asleep"));
      default:
        return undefined;
    }
  }
}

function sensors(endpoint: string, options: Partial<MdpWorkerOptions> = {}): Sensors {
  const worker = new Sensors("plugin-sensor.darkstar", { broker: endpoint, ...options });
  onTestFinished(() => worker.close());
  return worker;
}

describe("a message", () => {
  it("has an action and data, and is two frames", () => {
    const message = new MqMessage().setAction("config.get").setData({ host: "igor" }).addData("__proto__", 1);
    expect(texts(message.get())).toEqual(["config.get", '{"host":"igor","__proto__":1}']);
    expect(message.set([Buffer.from("a"), Buffer.from('{"x": [NaN, -Infinity, "\\u00e9"]}'), Buffer.of(1)])).toBe(
      message,
    );
    expect([message.action, message.data]).toEqual(["a", { x: [NaN, -Infinity, "é"] }]);
    expect(texts(message.get())[1]).toBe('{"x":[null,null,"é"]}');
  });

  it.each([[[]], [["a"]], [["a", "[]"]], [["a", "null"]], [["a", "{"]]])("refuses the body %j", (frames) => {
    const message = new MqMessage("kept", { as: "it was" });
    expect(() => message.set(frames.map((frame) => Buffer.from(frame)))).toThrow(/cannot be read/);
    expect(message.toString()).toBe('kept {"as":"it was"}');
  });
});

describe("a worker for messages", () => {
  it("answers with what it gives, with what it says itself, and whenever it throws or says nothing", async () => {
    const { endpoint } = await broker();
    sensors(endpoint);
    const client = clientOf(endpoint);
    const ask = async (action: string): Promise<unknown> => {
      const reply = await client.request("plugin-sensor.darkstar", new MqMessage(action, { id: 7 }));
      return [reply.action, reply.data];
    };
    expect(await ask("sensor.get")).toEqual(["sensor.result", { id: 7, value: 21.5 }]);
    expect(await ask("sensor.later")).toEqual(["sensor.later.result", { frames: 2 }]);
    expect(await ask("sensor.throw")).toEqual(["sensor.throw.result", { status: false, reason: "the sensor broke" }]);
    expect(await ask("sensor.reject")).toEqual([
      "sensor.reject.result",
      { status: false, reason: "the sensor is asleep" },
    ]);
    expect(await ask("sensor.other")).toMatchObject(["sensor.other.result", { status: false }]);
    const [action, data] = await client.rawRequest("plugin-sensor.darkstar", [Buffer.from("alone")]);
    expect([String(action), JSON.parse(String(data))]).toMatchObject(["error", { status: false }]);
  });

  it("lets the request in hand end before it goes", async () => {
    const { endpoint } = await broker();
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    class Slow extends MdpWorker {
      protected async onRequest(): Promise<MqMessage> {
        entered.resolve();
        await gate.promise;
        return new MqMessage("slow.result", { done: true });
      }
    }
    const worker = new Slow("slow", { broker: endpoint });
    const reply = clientOf(endpoint).request("slow", new MqMessage("slow.do"));
    await entered.promise;
    const closing = worker.close({ drainMs: 60_000 });
    gate.resolve();
    expect((await reply).data).toEqual({ done: true });
    await closing;
  });
});

describe("a client for messages", () => {
  it("knows who is there", async () => {
    const { endpoint } = await broker();
    const client = clientOf(endpoint);
    expect(await client.isServed("plugin-sensor.darkstar")).toBe(false);
    sensors(endpoint, { concurrency: 2 });
    await client.request("plugin-sensor.darkstar", new MqMessage("sensor.get"));
    expect(await client.isServed("plugin-sensor.darkstar")).toBe(true);
    expect(await client.services()).toEqual(["plugin-sensor.darkstar"]);
  });

  it("rejects what the broker says by itself, and what is aborted", async () => {
    const clock = createFakeClock();
    const { endpoint } = await broker({ clock });
    const client = clientOf(endpoint);
    const refused = client.request("nobody", new MqMessage("x.get"));
    // The broker has the request when it answers the next one.
    await client.isServed("nobody");
    clock.advance(60_000);
    await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "NO_WORKER" });
    const abort = new AbortController();
    const aborted = client.request("nobody", new MqMessage("x.get"), { signal: abort.signal });
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(client.request("nobody", new MqMessage("x"), { signal: abort.signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  it("hears why nobody answered before its own patience ends", async () => {
    const clock = createFakeClock();
    const middle = await broker({ clock });
    const client = clientOf(middle.endpoint, { clock });
    const reply = client.request("nobody", new MqMessage("x.get"), { timeoutMs: 1_000 });
    while (middle.stats().waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(900);
    await expect(reply).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "NO_WORKER", delivered: "no" });
  });

  it("asks again on a fresh socket after a time-out, when it is told to", async () => {
    const clock = createFakeClock();
    const scripted = await scriptedBroker();
    const client = clientOf(scripted.endpoint, { retries: 1, correlation: "socket", dialect: "rfc7", clock });
    const reply = client.rawRequest("echo", [Buffer.from("hi")], { timeoutMs: 1_000 });
    const first = await scripted.next();
    clock.advance(1_000);
    const second = await scripted.next();
    expect(second[0]?.equals(first[0] ?? Buffer.alloc(0))).toBe(false);
    await scripted.send([...second.slice(0, 4), "ho"]);
    expect(texts(await reply)).toEqual(["ho"]);
  });

  it("tells by callbacks what becomes of one request at a time", async () => {
    const clock = createFakeClock();
    const scripted = await scriptedBroker();
    const client = new MdpAsyncClient(scripted.endpoint, "dbmgr", { clock });
    onTestFinished(() => client.close());
    const told: unknown[] = [];
    const heard = async (count: number): Promise<void> => {
      while (told.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    client.on("message", (message) => told.push(message.action));
    client.on("timeout", () => told.push("timeout"));
    client.request(new MqMessage("config.get"), 1_000);
    expect(() => client.request(new MqMessage("config.get"))).toThrow(/waiting for its answer/);
    const request = await scripted.next();
    await scripted.send([...request.slice(0, 5), "config.result", "{}"]);
    await heard(1);
    client.request(new MqMessage("config.get"), 1_000);
    await scripted.next();
    clock.advance(1_000);
    await heard(2);
    expect(told).toEqual(["config.result", "timeout"]);
    // Nobody listens to errors: they are time-outs as well, which is all that Domogik's programs know.
    client.request(new MqMessage("config.get"), 1_000);
    const failed = await scripted.next();
    const nobody = '{"status":false,"reason":"nobody","code":"NO_WORKER"}';
    await scripted.send([...failed.slice(0, 5), "error", nobody]);
    await heard(3);
    client.on("error", ({ reason }) => told.push(reason));
    client.request(new MqMessage("config.get"), 1_000);
    const again = await scripted.next();
    await scripted.send([...again.slice(0, 5), "error", nobody]);
    await heard(4);
    expect(told.slice(2)).toEqual(["timeout", "NO_WORKER"]);
    expect(client.isWaiting).toBe(false);
  });
});

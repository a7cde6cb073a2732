import { createRouter, defineContract, notification, RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { type MdpListenerOptions, serveMdp } from "../src/index.ts";
import { scriptedBroker, type ScriptedBroker, texts } from "./scripted-broker.ts";

const Plugin = defineContract("plugin", { echo: unary(), fail: unary(), hang: unary(), tell: notification() });

const served: unknown[] = [];

async function worker(
  broker: ScriptedBroker,
  options: Partial<MdpListenerOptions> = {},
): Promise<Awaited<ReturnType<typeof serveMdp>>> {
  const router = createRouter(Plugin, {
    echo: (input) => input,
    fail: () => {
      throw new RpcError("NOT_FOUND", "no such sensor", { reason: "NO_SENSOR" });
    },
    hang: () => new Promise(() => undefined),
    tell: (input) => void served.push(input),
  });
  const listener = await serveMdp(router, { broker: broker.endpoint, concurrency: 1, ...options });
  onTestFinished(() => listener.close());
  return listener;
}

async function ready(broker: ScriptedBroker): Promise<Buffer> {
  const [identity = Buffer.alloc(0), ...rest] = await broker.next();
  expect(texts(rest)).toEqual(["", "MDPW01", "\u0001", "plugin"]);
  return identity;
}

async function ask(
  broker: ScriptedBroker,
  worker: Buffer,
  ...body: readonly (string | Uint8Array)[]
): Promise<string[]> {
  await broker.send([worker, "", "MDPW01", Uint8Array.of(2), "client", "mark", "", ...body]);
  return texts((await broker.next()).slice(1));
}

const reply = ["", "MDPW01", "\u0003", "client", "mark", ""];

describe("a worker", () => {
  it("registers once a socket, and answers requests by action with the whole stack of addresses", async () => {
    const broker = await scriptedBroker();
    await worker(broker);
    const identity = await ready(broker);
    expect(await ask(broker, identity, "plugin.echo", '{"args":{"a":1}}')).toEqual([
      ...reply,
      "plugin.echo.result",
      '{"status":true,"result":{"a":1}}',
    ]);
    // The bare name, data that is the input itself, more frames than there should be, and Python's numbers.
    expect(await ask(broker, identity, "echo", '{"a": NaN, "\\u00e9": 1}', "ignored")).toEqual([
      ...reply,
      "echo.result",
      '{"status":true,"result":{"a":{"$number":"NaN"},"é":1}}',
    ]);
  });

  it("answers whatever comes: errors, unknown actions, bodies that are none", async () => {
    const broker = await scriptedBroker();
    await worker(broker);
    const identity = await ready(broker);
    const [, , , , , , action, data = ""] = await ask(broker, identity, "plugin.fail", "{}");
    expect(action).toBe("plugin.fail.result");
    expect(JSON.parse(data)).toEqual({
      status: false,
      reason: "no such sensor",
      error: { code: "NOT_FOUND", message: "no such sensor", reason: "NO_SENSOR", retryable: false },
    });
    for (const [body, text] of [
      [["plugin.other", "{}"], "has no such method"],
      [["plugin.echo"], "1 frame"],
      [["plugin.echo", "not JSON"], "not JSON"],
      [["plugin.echo", "[1]"], "not a JSON object"],
      [["None", "plugin.echo", "{}"], "not JSON"],
      [[Uint8Array.of(0xff), "{}"], "not UTF-8"],
    ] as const) {
      const answer = await ask(broker, identity, ...body);
      expect(JSON.parse(answer.at(-1) ?? "")).toMatchObject({ status: false, reason: expect.stringContaining(text) });
    }
  });

  it("answers a notification at once", async () => {
    const broker = await scriptedBroker();
    await worker(broker);
    const identity = await ready(broker);
    const answer = await ask(broker, identity, "plugin.tell", '{"args":7,"$meta":{"kind":"notification"}}');
    expect(answer.slice(6)).toEqual(["plugin.tell.result", '{"status":true,"$meta":{}}']);
    expect(served).toContain(7);
  });

  it("answers at the deadline of a caller whose handler hangs", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    await worker(broker, { clock, heartbeatMs: 60_000 });
    const identity = await ready(broker);
    const answer = ask(broker, identity, "plugin.hang", '{"$meta":{"timeoutMs":500}}');
    while (clock.pendingCount < 2) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(500);
    expect(JSON.parse((await answer).at(-1) ?? "")).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  });

  it("comes back on a new socket after a DISCONNECT in either spelling", async () => {
    const broker = await scriptedBroker();
    await worker(broker, { reconnect: { minMs: 1, maxMs: 1 } });
    let identity = await ready(broker);
    for (const spelling of [["", "MDPW01"], ["MDPW01"]]) {
      await broker.send([identity, ...spelling, Uint8Array.of(5)]);
      let frames = await broker.next();
      // The old socket's own DISCONNECT may come before or not at all.
      if (frames[3]?.[0] === 5) frames = await broker.next();
      expect(frames[0]?.equals(identity)).toBe(false);
      expect(texts(frames.slice(1))).toEqual(["", "MDPW01", "\u0001", "plugin"]);
      identity = frames[0] ?? identity;
    }
  });

  it("beats, leaves a broker that is silent for four beats, and not one that owes nothing to an open request", async () => {
    const clock = createFakeClock();
    const broker = await scriptedBroker();
    await worker(broker, { clock, reconnect: { minMs: 1, maxMs: 1 } });
    const identity = await ready(broker);
    clock.advance(1_000);
    expect((await broker.next(true))[3]).toEqual(Buffer.of(4));
    await broker.send([identity, "", "MDPW01", Uint8Array.of(2), "client", "", "plugin.hang", "{}"]);
    // Signs of life go on while the request is open, and the broker's silence does not count.
    for (let beat = 0; beat < 10; beat += 1) {
      clock.advance(1_000);
      const frames = await broker.next(true);
      expect([frames[0], frames[3]]).toEqual([identity, Buffer.of(4)]);
    }
    await broker.send([identity, "", "MDPW01", Uint8Array.of(4)]);
  });

  it("registers again at a broker that was started anew", async () => {
    const broker = await scriptedBroker();
    await worker(broker, { reconnect: { minMs: 1, maxMs: 1 } });
    await ready(broker);
    broker.close();
    const again = await scriptedBroker(broker.endpoint);
    const identity = await ready(again);
    expect((await ask(again, identity, "echo", '{"args":1}')).at(-1)).toBe('{"status":true,"result":1}');
  });

  it("says DISCONNECT when it closes, after the reply in hand", async () => {
    const broker = await scriptedBroker();
    const listener = await worker(broker);
    const identity = await ready(broker);
    await broker.send([identity, "", "MDPW01", Uint8Array.of(2), "client", "", "plugin.hang", "{}"]);
    // A request that was answered proves that the one before it has come.
    await broker.send([identity, "", "MDPW01", Uint8Array.of(2), "client", "", "plugin.echo", "{}"]);
    expect((await broker.next()).at(-2)?.toString()).toBe("plugin.echo.result");
    await listener.close();
    expect(JSON.parse((await broker.next()).at(-1)?.toString() ?? "")).toMatchObject({
      error: { code: "UNAVAILABLE" },
    });
    // Nothing is in hand any more: what crosses this on the way has not been begun.
    expect(texts((await broker.next()).slice(1))).toEqual(["", "MDPC01", "mmi.worker", "leave"]);
    expect(texts((await broker.next()).slice(1))).toEqual(["", "MDPW01", "\u0005"]);
  });
});

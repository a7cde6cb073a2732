import { RpcError } from "@rpc/core";
import { expect, it } from "vitest";
import { failure, pythonClient, pythonServer, until } from "../rig.ts";

it("gives and answers signs of life, both ways", async () => {
  // Whoever is asked more often than it would ask has no reason to ask itself.
  for (const [ours, theirs, counter] of [
    [5000, 30, "pongsReceived"],
    [30, 5000, "pingsReceived"],
  ] as const) {
    const { python, demo } = await pythonClient({ heartbeatMs: ours }, { heartbeat_ms: theirs });
    await until(async () => (await python.status())[counter] > 2);
    expect(await demo.add({ a: 1, b: 2 })).toBe(3);
    const server = await pythonServer({ heartbeatMs: ours }, { heartbeat_ms: theirs });
    await server.transport.ready();
    await until(async () => (await server.python.status())[counter] > 2);
    expect(await server.demo.add({ a: 1, b: 2 })).toBe(3);
    expect(await python.status()).toMatchObject({ suspended: 0 });
  }
});

it("drops a connection on which Python says nothing, and takes it back", async () => {
  const { python, suspended } = await pythonClient({ heartbeatMs: 50, aliveMs: 150 }, { heartbeat_ms: 50 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("hang");
  await until(() => suspended.length === 1);
  expect(suspended[0]).toMatchObject({ code: "UNAVAILABLE" });
  await python.ask("cut");
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect((await python.status()).resumed).toBe(1);
});

it("drops a connection on which TypeScript says nothing", async () => {
  const { python } = await pythonClient({ heartbeatMs: 0 }, { heartbeat_ms: 0, alive_ms: 100 });
  await until(async () => (await python.status()).suspended > 0);
  await python.ask("open");
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
});

it("hears Python's goodbye", async () => {
  const { python, demo, gone } = await pythonClient();
  const open = failure(demo.wait(60_000));
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("goodbye");
  expect(await open).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
  await until(() => gone.length === 1);
  const server = await pythonServer();
  const call = failure(server.demo.wait(60_000));
  await server.demo.add({ a: 1, b: 2 });
  await server.python.ask("goodbye", { error: ["RESOURCE_EXHAUSTED", "too many of you", "TOO_MANY"] });
  expect(await call).toMatchObject({ delivered: "unknown" });
  expect(await server.demo.add({ a: 1, b: 2 })).toBe(3);
});

it("says goodbye to Python", async () => {
  const { python, peer } = await pythonClient();
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  peer.disconnect(new RpcError("RESOURCE_EXHAUSTED", "too many of you", { reason: "TOO_MANY" }));
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject({
    code: "UNAVAILABLE",
    delivered: "unknown",
  });
  expect((await python.status()).over).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY" });
  const server = await pythonServer();
  await server.demo.add({ a: 1, b: 2 });
  await server.transport.close();
  await until(async () => (await server.python.status()).over !== null);
});

it("asks Python to make no new calls before it ends", async () => {
  const { python, listener } = await pythonClient();
  await python.ask("start", { name: "long", method: "wait", input: 300 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  const closed = listener.close({ drainMs: 5000 });
  await until(async () => (await python.status()).draining);
  expect(await python.ask("reply", { name: "long" })).toBe("waited");
  await closed;
  await until(async () => (await python.status()).over !== null);
});

it.for([
  ["field number 0", "0200"],
  ["a second body", "3a020801520208014200"],
  ["an id that is missing", "8201020801ba01021001"],
  ["a result for a call that never was", "8a01020863"],
  ["a Hello after the handshake", "1a00"],
])("tells Python when it breaks the rules: %s", async ([, hex]) => {
  const { python, errors } = await pythonClient();
  await python.ask("send_raw", { hex });
  await until(async () => (await python.status()).over !== null);
  expect((await python.status()).over).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
  await until(() => errors.length > 0);
});

it.for([
  ["of no length", 0],
  ["that is larger than was agreed", 10_001],
] as const)("leaves without a word after a message %s", async ([, size]) => {
  const { python, gone, suspended } = await pythonClient({ maxMessageBytes: 10_000 });
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("send_raw", { hex: "00".repeat(size) });
  // Python takes it for a connection that was lost, and hears that there is no such session any more.
  const lost = { code: "UNAVAILABLE", delivered: "unknown" };
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject(lost);
  await python.ask("open");
  expect((await python.status()).refusals).toEqual([1]);
  expect([gone.length, suspended.length]).toEqual([1, 0]);
});

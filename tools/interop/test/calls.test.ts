import { expect, it } from "vitest";
import { failure, listOf, pythonClient, pythonServer, until } from "../rig.ts";

const divided = {
  code: "FAILED_PRECONDITION",
  reason: "DivisionByZero",
  details: { dividend: 7 },
  message: "division by zero",
};

it("calls TypeScript from Python", async () => {
  const { python } = await pythonClient();
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect(await python.ask("call", { method: "echo" })).toBe(null);
  expect(await python.ask("echo_special_values")).toBe(true);
});

it("calls Python from TypeScript", async () => {
  const { demo } = await pythonServer();
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  expect(await demo.echo()).toBe(undefined);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const value = {
    bytes,
    big: 2n ** 70n,
    date: new Date(1_234_567_890_123),
    $key: { $$: [null, -Infinity] },
    text: "Größe 🎉",
  };
  const back = (await demo.echo(value)) as typeof value;
  expect(JSON.stringify(back.$key)).toBe(JSON.stringify(value.$key));
  expect({ ...back, $key: 0 }).toEqual({ ...value, $key: 0 });
  expect(await demo.echo([-0, NaN])).toEqual([-0, NaN]);
});

it("fails with codes, reasons and details, both ways", async () => {
  const { python } = await pythonClient();
  const input = { a: 7, b: 0 };
  expect(await failure(python.ask("call", { method: "divide", input }))).toMatchObject(divided);
  expect(await failure(python.ask("call", { method: "nothing" }))).toMatchObject({
    code: "UNIMPLEMENTED",
    reason: "METHOD_NOT_FOUND",
  });
  const { demo } = await pythonServer();
  expect(await failure(demo.divide(input))).toMatchObject(divided);
});

it("passes metadata, keys, depth and deadlines on", async () => {
  const { python } = await pythonClient();
  const asked = await python.ask("call", {
    method: "describe",
    metadata: { trace: "7" },
    key: "once",
    timeoutMs: 5000,
  });
  const described = { metadata: { trace: "7" }, depth: 0, key: "once", timed: true };
  expect(asked).toMatchObject({ output: described, metadata: { "answered-by": "typescript" } });
  const { demo } = await pythonServer();
  const handle = demo.describe.start(undefined, { metadata: { trace: "7" }, idempotencyKey: "once", timeoutMs: 5000 });
  expect(await handle).toEqual(described);
  expect(handle.responseMetadata.get("answered-by")).toBe("python");
});

it("tells progress and log lines", async () => {
  const { python } = await pythonClient();
  const line = { level: "notice", message: "worked", fields: { steps: "3" } };
  expect(await python.ask("call", { method: "work", input: 3, observe: true })).toMatchObject({
    output: 3,
    progress: [1, 2, 3],
    log: [line],
  });
  expect(await python.ask("call", { method: "work", input: 3 })).toBe(3);
  const { demo } = await pythonServer();
  const handle = demo.work.start(3);
  expect(await Promise.all([handle, listOf(handle.progress), listOf(handle.log)])).toEqual([3, [1, 2, 3], [line]]);
});

/**
 * How many of these calls were cancelled at the other end. A deadline that passes before its call has arrived is nothing to that end: on a slow
 * machine it takes a longer one.
 */
async function expired(
  call: (timeoutMs: number) => PromiseLike<unknown>,
  cancelled: () => number | Promise<number>,
): Promise<number> {
  let timeoutMs = 50;
  let count = 0;
  await until(async () => {
    expect(await failure(call(timeoutMs))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    timeoutMs *= 2;
    count = await cancelled();
    return count > 0;
  });
  return count;
}

it("keeps deadlines at both ends", async () => {
  const { python, memory } = await pythonClient();
  const late = (timeoutMs: number) => python.ask("call", { method: "wait", input: 60_000, timeoutMs });
  expect(await expired(late, () => memory.cancelled.length)).toBeGreaterThan(0);
  const server = await pythonServer();
  const { demo } = server;
  const lateThere = (timeoutMs: number) => demo.wait(60_000, { timeoutMs });
  expect(await expired(lateThere, async () => (await server.python.memory()).cancelled.length)).toBeGreaterThan(0);
});

it("cancels, and tells the reason", async () => {
  const { python, memory } = await pythonClient();
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  await python.ask("cancel", { name: "long", reason: "not needed" });
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject({ code: "CANCELLED" });
  await until(() => memory.cancelled.length === 1);
  expect(memory.cancelled[0]).toContain("not needed");
  const server = await pythonServer();
  const handle = server.demo.wait.start(60_000);
  await server.demo.add({ a: 1, b: 1 });
  await handle.cancel("not needed");
  expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
  await until(async () => (await server.python.memory()).cancelled.length === 1);
  expect((await server.python.memory()).cancelled).toEqual(["not needed"]);
});

it("is called back, also while its own call is open", async () => {
  const { python, demo } = await pythonClient();
  expect(await demo.add({ a: 20, b: 1 })).toBe(21);
  expect(await python.ask("call", { method: "callBack", input: { a: 1, b: 2 } })).toBe(4);
  expect(await demo.callBack({ a: 1, b: 2 })).toBe(4);
  const server = await pythonServer();
  expect(await server.demo.callBack({ a: 1, b: 2 })).toBe(4);
  expect(await server.python.ask("call", { method: "add", input: { a: 20, b: 1 } })).toBe(21);
  expect(await server.python.ask("call", { method: "callBack", input: { a: 1, b: 2 } })).toBe(4);
});

it("does not let calls back wait for the calls they serve", async () => {
  const { python } = await pythonClient({ maxCallsInFlight: 1 }, { max_calls: 1 });
  const calls = Array.from({ length: 5 }, () => python.ask("call", { method: "callBack", input: { a: 1, b: 2 } }));
  expect(await Promise.all(calls)).toEqual([4, 4, 4, 4, 4]);
  const server = await pythonServer({ maxCallsInFlight: 1 }, { max_calls: 1 });
  const backs = Array.from({ length: 5 }, () => server.demo.callBack({ a: 1, b: 2 }));
  expect(await Promise.all(backs)).toEqual([4, 4, 4, 4, 4]);
});

it("sends and receives notifications, with and without acknowledgement", async () => {
  const { python, memory, demo } = await pythonClient();
  await python.ask("notify", { method: "note", input: 1, ack: true });
  expect(memory.notes).toEqual([1]);
  await python.ask("notify", { method: "note", input: 2 });
  await until(() => memory.notes.length === 2);
  await demo.note(3, { ack: true });
  expect((await python.memory()).notes).toEqual([3]);
  const server = await pythonServer();
  await server.demo.note(4, { ack: true });
  expect((await server.python.memory()).notes).toEqual([4]);
  await server.python.ask("notify", { method: "note", input: 5, ack: true });
  expect(server.memory.notes).toEqual([5]);
});

it("acknowledges when asked, where sessions are not resumed", async () => {
  const { python, memory } = await pythonClient({ resumeWindowMs: 0 }, { features: ["ack"] });
  await python.ask("notify", { method: "note", input: 1, ack: true });
  expect(memory.notes).toEqual([1]);
  const server = await pythonServer({}, { features: ["ack"] });
  await server.demo.note(2, { ack: true });
  expect((await server.python.memory()).notes).toEqual([2]);
  await server.python.ask("notify", { method: "note", input: 3, ack: true });
  expect(server.memory.notes).toEqual([3]);
});

it("compresses what is large with gzip", async () => {
  const large = "say it again. ".repeat(10_000);
  const { python } = await pythonClient({ compression: ["gzip"] });
  expect(await python.ask("call", { method: "echo", input: large })).toBe(large);
  expect(await python.status()).toMatchObject({
    features: ["ack", "gzip", "resume"],
    compressedIn: 1,
    compressedOut: 1,
  });
  const server = await pythonServer({ compression: ["gzip"] });
  expect(await server.demo.echo(large)).toBe(large);
  expect(await server.demo.echo(1)).toBe(1);
  expect(await server.python.status()).toMatchObject({ compressedIn: 1, compressedOut: 1 });
});

it("sends nothing that is larger than the other end takes", async () => {
  const { demo, python } = await pythonServer({}, { max_frame: 10_000 });
  const large = { code: "RESOURCE_EXHAUSTED", reason: "maxMessageBytes" };
  expect(await failure(demo.echo("a".repeat(20_000)))).toMatchObject(large);
  const items = python.ask("stream", { method: "flood", kind: "serverStream", input: 20_000 });
  expect(await failure(items)).toMatchObject(large);
  const back = await pythonServer({ maxMessageBytes: 10_000 });
  expect(await failure(listOf(back.demo.flood(20_000)))).toMatchObject(large);
  expect(await back.demo.add({ a: 1, b: 2 })).toBe(3);
});

it("inflates no more than was agreed", async () => {
  const { python } = await pythonClient({ compression: ["gzip"] }, { max_frame: 10_000 });
  const input = "a".repeat(20_000);
  expect(await failure(python.ask("call", { method: "echo", input }))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  expect(await python.ask("call", { method: "echo", input: "a".repeat(9000) })).toHaveLength(9000);
});

import { expect, it } from "vitest";
import {
  failure,
  IDENTITY,
  listOf,
  pythonClient,
  pythonServer,
  SECRET,
  serveTypeScript,
  startPython,
  until,
} from "../rig.ts";

const TIMES = 100;
const CUTS = 8;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it("goes on with a call whose connection Python has cut, as client", async () => {
  const { python, suspended, resumed, demo } = await pythonClient();
  const before = await python.status();
  await python.ask("start", { name: "long", method: "wait", input: 300 });
  const back = demo.wait(300);
  await python.ask("cut");
  expect(await python.ask("reply", { name: "long" })).toBe("waited");
  expect(await back).toBe("waited");
  expect([suspended.length, resumed.length]).toEqual([1, 1]);
  expect(await python.status()).toMatchObject({ resumed: 1, refusals: [], sessionId: before.sessionId });
});

it("goes on with a call whose connection Python has cut, as server", async () => {
  const { python, demo, transport } = await pythonServer();
  const long = demo.wait(300);
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  const { sessionId } = await python.status();
  await python.ask("start", { name: "back", method: "wait", input: 300 });
  await python.ask("cut");
  expect(await long).toBe("waited");
  expect(await python.ask("reply", { name: "back" })).toBe("waited");
  expect(transport.status).toBe("open");
  expect(await python.status()).toMatchObject({ resumed: 1, sessionId });
});

it("says again what was said while there was no connection", async () => {
  const { python, demo, memory, peer } = await pythonClient();
  await demo.note("first", { ack: true });
  await python.ask("cut", { stay_away: true });
  await until(async () => (await python.status()).suspended === 1);
  const notes = [1, 2, 3].map((input) => python.ask("notify", { method: "note", input, ack: true }));
  const sum = python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  const back = demo.add({ a: 20, b: 1 });
  expect(peer.callsInFlight).toBeGreaterThan(0);
  await python.ask("come_back");
  expect(await Promise.all([...notes, sum, back])).toEqual([null, null, null, 3, 21]);
  expect(memory.notes).toEqual([1, 2, 3]);
});

it("runs everything exactly once, however often a Python client is cut", async () => {
  const { python, demo, memory } = await pythonClient();
  const theirs = python.ask("increment", { key: "theirs", times: TIMES });
  const ours = Promise.all(Array.from({ length: TIMES }, () => demo.increment("ours")));
  const numbers = Array.from({ length: 500 }, (_, index) => index);
  const doubled = python.ask("stream", { method: "double", kind: "bidiStream", items: numbers });
  const counted = listOf(demo.count(500));
  const summed = demo.sum(numbers);
  const notes = numbers.slice(0, 50).map((input) => python.ask("notify", { method: "note", input, ack: true }));
  for (let cut = 0; cut < CUTS; cut++) {
    await pause(15);
    await python.ask("open");
    await python.ask("cut");
  }
  expect(await theirs).toBe(TIMES);
  expect(((await ours) as number[]).sort((a, b) => a - b).at(-1)).toBe(TIMES);
  expect(await doubled).toEqual(numbers.map((number) => 2 * number));
  expect(await counted).toEqual(numbers.map((number) => number + 1));
  expect(await summed).toBe(numbers.reduce((sum, number) => sum + number, 0));
  await Promise.all(notes);
  expect(memory.notes).toEqual(numbers.slice(0, 50));
  expect(memory.counters.get("theirs")).toBe(TIMES);
  expect((await python.memory()).counters).toEqual({ ours: TIMES });
  await until(async () => (await python.status()).resumed === CUTS);
  expect((await python.status()).refusals).toEqual([]);
});

it("runs everything exactly once, however often a Python server cuts", async () => {
  const { python, demo, memory, transport } = await pythonServer({ reconnect: { minMs: 1, maxMs: 5, factor: 2 } });
  await transport.ready();
  const theirs = python.ask("increment", { key: "theirs", times: TIMES });
  const ours = Promise.all(Array.from({ length: TIMES }, () => demo.increment("ours")));
  const numbers = Array.from({ length: 500 }, (_, index) => index);
  const doubled = listOf(demo.double(numbers));
  const counted = python.ask("stream", { method: "count", kind: "serverStream", input: 500 });
  const notes = numbers.slice(0, 50).map((input) => demo.note(input, { ack: true }));
  for (let cut = 0; cut < CUTS; cut++) {
    await pause(15);
    await until(() => transport.status === "open");
    await python.ask("cut");
    await until(async () => (await python.status()).resumed === cut + 1);
  }
  expect(await theirs).toBe(TIMES);
  expect(((await ours) as number[]).sort((a, b) => a - b).at(-1)).toBe(TIMES);
  expect(await doubled).toEqual(numbers.map((number) => 2 * number));
  expect(await counted).toEqual(numbers.map((number) => number + 1));
  await Promise.all(notes);
  const remembered = await python.memory();
  expect(remembered.notes).toEqual(numbers.slice(0, 50));
  expect(remembered.counters).toEqual({ ours: TIMES });
  expect(memory.counters.get("theirs")).toBe(TIMES);
});

it("carries the time that remains when a call is sent again", async () => {
  const { python } = await pythonClient();
  await python.ask("cut", { stay_away: true });
  await until(async () => (await python.status()).suspended === 1);
  const late = failure(python.ask("call", { method: "increment", input: "late", timeoutMs: 50 }));
  const timely = python.ask("call", { method: "describe", timeoutMs: 10_000 });
  expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  await python.ask("come_back");
  expect(await timely).toMatchObject({ timed: true });
  expect(await python.ask("call", { method: "increment", input: "late" })).toBe(1);
});

it("begins anew with a TypeScript server that was restarted", async () => {
  const { listener, port } = await serveTypeScript();
  const python = startPython();
  await python.ask("dial", { port, principal: IDENTITY, secret: SECRET });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("cut", { stay_away: true });
  await listener.close();
  const again = await serveTypeScript({ endpoint: `tcp://127.0.0.1:${port}` });
  await python.ask("come_back");
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject({
    code: "UNAVAILABLE",
    delivered: "unknown",
  });
  await python.ask("open");
  expect((await python.status()).refusals).toEqual([1]);
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect(again.resumed).toEqual([]);
});

it("begins anew with a Python server that was restarted", async () => {
  const { python, port, demo } = await pythonServer();
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  const long = failure(demo.wait(60_000));
  await demo.add({ a: 1, b: 2 });
  await python.kill();
  const again = startPython();
  await again.ask("serve", { port, secrets: { [IDENTITY]: SECRET } });
  expect(await long).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  expect((await again.status()).resumed).toBe(0);
});

it("ends a session whose window has passed, at both ends", async () => {
  const { python, demo, gone } = await pythonClient({ resumeWindowMs: 100 });
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  const back = failure(demo.wait(60_000));
  await python.ask("notify", { method: "note", ack: true });
  await python.ask("cut", { stay_away: true });
  const lost = { code: "UNAVAILABLE", delivered: "unknown" };
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject(lost);
  expect(await back).toMatchObject(lost);
  await until(() => gone.length === 1);
  await until(async () => (await python.memory()).cancelled.length === 1);
});

it("is not resumed where one end does not want to", async () => {
  const { python } = await pythonClient({}, { features: [] });
  await python.ask("start", { name: "long", method: "wait", input: 60_000 });
  await python.ask("call", { method: "add", input: { a: 1, b: 2 } });
  await python.ask("cut");
  expect(await failure(python.ask("reply", { name: "long" }))).toMatchObject({
    code: "UNAVAILABLE",
    delivered: "unknown",
  });
  const server = await pythonServer({}, { resume_window_ms: 0 });
  const long = failure(server.demo.wait(60_000));
  await server.demo.add({ a: 1, b: 2 });
  await server.python.ask("cut");
  expect(await long).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
  expect(await server.demo.add({ a: 1, b: 2 })).toBe(3);
});

it("counts messages of a kind that it does not know", async () => {
  const { python, memory } = await pythonClient();
  await python.ask("send_raw", { hex: "f20100", counted: true });
  await python.ask("send_raw", { hex: "6a00" });
  await python.ask("notify", { method: "note", input: 1, ack: true });
  expect(memory.notes).toEqual([1]);
  await until(async () => (await python.status()).acked === 2);
});

import { expect, it } from "vitest";
import { failure, listOf, pythonClient, pythonServer, until } from "../rig.ts";

const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);

it("streams in all shapes from Python to TypeScript", async () => {
  const { python } = await pythonClient();
  expect(await python.ask("stream", { method: "count", kind: "serverStream", input: 1000 })).toEqual(numbers);
  expect(await python.ask("stream", { method: "count", kind: "serverStream", input: 0 })).toEqual([]);
  expect(await python.ask("stream", { method: "sum", kind: "clientStream", items: numbers })).toBe(500_500);
  const doubled = await python.ask("stream", { method: "double", kind: "bidiStream", items: numbers });
  expect(doubled).toEqual(numbers.map((number) => 2 * number));
});

it("streams in all shapes from TypeScript to Python", async () => {
  const { demo } = await pythonServer();
  expect(await listOf(demo.count(1000))).toEqual(numbers);
  expect(await listOf(demo.count(0))).toEqual([]);
  expect(await demo.sum(numbers)).toBe(500_500);
  expect(await listOf(demo.double(numbers))).toEqual(numbers.map((number) => 2 * number));
});

it("answers each item of a bidi stream before the next is written", async () => {
  const { python } = await pythonClient();
  await python.ask("start", { name: "dialog", method: "double", kind: "bidiStream" });
  for (const item of [1, 2, 3]) {
    await python.ask("write", { name: "dialog", items: [item], end: false });
    expect(await python.ask("read", { name: "dialog", count: 1 })).toEqual([2 * item]);
  }
  await python.ask("write", { name: "dialog", items: [] });
  expect(await python.ask("read", { name: "dialog" })).toEqual([]);
});

it("sends no more than Python's credits allow, until it reads", async () => {
  const { python, memory } = await pythonClient();
  await python.ask("start", { name: "flood", method: "flood", kind: "serverStream", window: 4 });
  await until(async () => (await python.ask("unread", { name: "flood" })) === 4);
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect(memory.flooded).toBeLessThanOrEqual(5);
  expect(await python.ask("unread", { name: "flood" })).toBe(4);
  expect(await python.ask("read", { name: "flood", count: 10 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  await python.ask("cancel", { name: "flood", reason: "enough" });
  expect(await failure(python.ask("reply", { name: "flood" }))).toMatchObject({ code: "CANCELLED" });
});

it("is not sent more by Python than its own credits allow", async () => {
  const { demo, python } = await pythonServer({ streamCredits: 4 });
  const flood = demo.flood()[Symbol.asyncIterator]();
  expect((await flood.next()).value).toBe(1);
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  expect((await python.memory()).flooded).toBeLessThanOrEqual(7);
  for (let item = 2; item <= 100; item++) expect((await flood.next()).value).toBe(item);
  await flood.return?.();
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  const { flooded } = await python.memory();
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  expect((await python.memory()).flooded).toBe(flooded);
});

it("keeps no more than a megabyte under way, whatever the credit", async () => {
  const item = 100_000;
  const { python, memory } = await pythonClient();
  await python.ask("start", { name: "flood", method: "flood", kind: "serverStream", input: item, window: 1000 });
  await until(async () => (await python.ask<number>("unread", { name: "flood" })) >= 10);
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect(memory.flooded).toBeLessThanOrEqual(12);
  expect(await python.ask("read", { name: "flood", count: 50 })).toHaveLength(50);
  await python.ask("cancel", { name: "flood", reason: "enough" });
  const server = await pythonServer();
  const flood = server.demo.flood(item)[Symbol.asyncIterator]();
  await flood.next();
  await until(async () => (await server.python.memory()).flooded >= 10);
  expect(await server.demo.add({ a: 1, b: 2 })).toBe(3);
  expect((await server.python.memory()).flooded).toBeLessThanOrEqual(14);
  for (let count = 0; count < 50; count++) expect((await flood.next()).value).toHaveLength(item);
  await flood.return?.();
});

it("waits for Python's credit before it writes into a call", async () => {
  const { demo } = await pythonServer();
  let written = 0;
  const endless = function* () {
    for (;;) yield ++written;
  };
  const doubled = demo.double(endless())[Symbol.asyncIterator]();
  expect((await doubled.next()).value).toBe(2);
  for (let item = 2; item <= 200; item++) expect((await doubled.next()).value).toBe(2 * item);
  await doubled.return?.();
  expect(written).toBeLessThan(1000);
});

import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createChaosProxy } from "@rpc/testkit/node";
import { expect, it } from "vitest";
import { createTcpTransport, serveTcp } from "../src/index.ts";

const Test = defineContract("test.Test", { slow: unary() });
const CLIENTS = 1_000;

it("H210 lets 1,000 clients that lost the server at once come back, each with its call done once", async () => {
  const runs = new Map<unknown, number>();
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const router = createRouter(Test, {
    slow: async (input) => {
      runs.set(input, (runs.get(input) ?? 0) + 1);
      if (runs.size === CLIENTS) entered.resolve();
      await gate.promise;
      return input;
    },
  });
  // All of this is one process: on a slow machine the last handshake has to wait for a thousand others.
  const listener = await serveTcp(router, { secret: "correct horse battery staple", unauthenticatedTimeoutMs: 60_000 });
  const { hostname, port } = new URL(listener.endpoint.replace("tcp:", "http:"));
  const proxy = await createChaosProxy({ target: { host: hostname, port: Number(port) } });
  const transports = Array.from({ length: CLIENTS }, () =>
    createTcpTransport(proxy.endpoint, {
      secret: "correct horse battery staple",
      unauthenticatedTimeoutMs: 60_000,
      connectTimeoutMs: 60_000,
      reconnect: { minMs: 1, maxMs: 200 },
    }),
  );
  const calls = transports.map((transport, n) => createClient(Test, transport).slow(n));
  await entered.promise;
  proxy.cut();
  gate.resolve();
  expect(await Promise.all(calls)).toEqual(Array.from({ length: CLIENTS }, (_, n) => n));
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
  await Promise.all(transports.map((transport) => transport.close()));
  await listener.close();
  await proxy.close();
});

import { expect, it } from "vitest";
import { z } from "zod";
import {
  balance,
  circuitBreaker,
  createClient,
  createRouter,
  defineContract,
  event,
  failover,
  forward,
  hedge,
  job,
  reconnecting,
  type Transport,
  unary,
  withRetry,
  workQueue,
} from "../../src/index.ts";
import { settled } from "../fake-clock.ts";
import { failure, memory, thrownBy } from "../rig.ts";

const Shop = defineContract("test.Shop", {
  name: unary({ output: z.string() }),
  news: event({ payload: z.string() }),
  pack: job({ input: z.string(), output: z.string() }),
});

function server(name: string) {
  const router = createRouter(Shop, { name: () => name, pack: workQueue() });
  return { router, transport: memory(router) };
}

/** A server over a wire that carries neither events nor jobs. */
const callsOnly = (): Transport =>
  memory(createRouter(defineContract("test.None", {}), {}), {
    capabilities: { topics: { unsupported: "no events here" }, queue: { unsupported: "no jobs here" } },
  });

const pair = (): readonly [Transport, Transport] => [server("a").transport, server("b").transport];

const whole: [string, (transport: Transport) => Transport][] = [
  ["failover, at the first", (transport) => failover(transport, server("b").transport)],
  ["failover, at the second when the first has none", (t) => failover(callsOnly(), t)],
  ["balance of one", (transport) => balance([transport])],
  ["reconnecting", (transport) => reconnecting(transport)],
  ["withRetry", (transport) => withRetry(transport)],
  ["hedge", (transport) => hedge(transport, { delayMs: 5 })],
  ["circuitBreaker", (transport) => circuitBreaker(transport)],
];

it.each(whole)("events and jobs pass through %s", async (_name, compose) => {
  const { router, transport } = server("it");
  const client = createClient(Shop, compose(transport));
  const subscription = client.news.subscribe();
  await subscription.ready;
  await router.news.publish("hello");
  for await (const value of subscription) {
    expect(value).toBe("hello");
    break;
  }
  const consumer = client.pack.consume({ handle: (what) => `packed ${what}` });
  await consumer.ready;
  expect(await (await client.pack.submit("it")).result()).toBe("packed it");
  await consumer.close();
});

it.each([
  ["balance", () => balance(pair())],
  ["balance within others", () => withRetry(circuitBreaker(balance(pair())))],
  ["a gateway to balance", () => memory(forward(balance(pair())))],
])("behind %s of several they are refused where they are used, and calls work", async (_name, compose) => {
  const client = createClient(Shop, compose());
  expect(await client.name()).toBe("a");
  const refusal = { code: "FAILED_PRECONDITION", reason: "CAPABILITY" };
  const texts = [
    await failure(client.news.subscribe().ready),
    await failure(client.pack.submit("it")),
    await failure(client.pack.consume({ handle: String }).ready),
  ];
  await settled();
  for (const error of texts) expect(error).toMatchObject(refusal);
  expect(texts[0]?.message).toMatch(/test.Shop.news is of kind event, .* subscribe by the transport to one of them/);
  for (const error of texts.slice(1)) {
    expect(error.message).toMatch(/test.Shop.pack is of kind job, .* by the transport to one of them/);
  }
});

it("failover of two that have none refuses them when a contract is bound", () => {
  const transport = failover(callsOnly(), callsOnly());
  expect(thrownBy(() => createClient(Shop, transport)).message).toContain("no events here");
});

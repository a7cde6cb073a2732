import { describe, expect, it } from "vitest";
import { ourBroker, ourClient, ourWorker, SERVICE } from "../zmq/ours.ts";
import { outputOf, start, startBound } from "../zmq/rig.ts";
import { failure } from "../rig.ts";

type Dialect = "rfc7" | "domogik";
type Whose = "our" | "their";

const BOTH: readonly Whose[] = ["our", "their"];
const CELLS = (["rfc7", "domogik"] as const).flatMap((dialect) =>
  BOTH.flatMap((broker) =>
    BOTH.flatMap((worker) => BOTH.map((client): [Whose, Whose, Whose, Dialect] => [broker, worker, client, dialect])),
  ),
);
const COUNT = 10;

const prefix = (dialect: Dialect): string => (dialect === "domogik" ? "domogik_" : "");

async function brokerWith(whose: Whose, worker: Whose, dialect: Dialect): Promise<string> {
  const startWorker = async (endpoint: string): Promise<void> => {
    if (worker === "our") await ourWorker(endpoint);
    else start(`${prefix(dialect)}worker`, endpoint, SERVICE);
  };
  if (whose === "our") {
    const broker = await ourBroker({ dialect });
    const isThere = new Promise((resolve) => broker.on("workerReady", resolve));
    await startWorker(broker.endpoint);
    await isThere;
    return broker.endpoint;
  }
  const [broker, endpoint] = await startBound(`${prefix(dialect)}broker`);
  await startWorker(endpoint);
  await broker.line({ event: "worker" });
  return endpoint;
}

async function askWithOurs(endpoint: string, dialect: Dialect): Promise<void> {
  // RFC 7 knows one address: its workers and brokers bring back no marks.
  const client = ourClient(endpoint, { dialect, correlation: dialect === "rfc7" ? "socket" : "envelope" });
  const numbers = Array.from({ length: COUNT }, (_, index) => index);
  const sums = numbers.map(async (a) => client.add({ a, b: 1 }, { timeoutMs: 10_000 }));
  expect(await Promise.all(sums)).toEqual(numbers.map((a) => a + 1));
  expect(await failure(client.divide({ a: 1, b: 0 }, { timeoutMs: 10_000 }))).toMatchObject({
    code: "FAILED_PRECONDITION",
    message: "division by zero",
  });
  expect(await client.echo({ text: "Grüße, 🎉", nothing: null }, { timeoutMs: 10_000 })).toEqual({
    text: "Grüße, 🎉",
    nothing: null,
  });
}

const SUM = '{"args": {"a": {n}, "b": 1}}';
const NO_QUOTIENT = '{"args": {"a": 1, "b": 0}}';

async function askWithDomogiks(endpoint: string): Promise<void> {
  const ask = (action: string, data: string, ...args: (string | number)[]) =>
    outputOf("domogik_client", endpoint, SERVICE, action, data, ...args);
  const told = await ask("add", SUM, "--count", COUNT);
  expect(told).toMatchObject([
    ...Array.from({ length: COUNT }, (_, index) => ({
      action: "add.result",
      reply: { status: true, result: index + 1 },
    })),
    { done: true },
  ]);
  expect(await ask("divide", NO_QUOTIENT, "--no-timeout-frame")).toMatchObject([
    { action: "divide.result", reply: { status: false, reason: "division by zero" } },
    { done: true },
  ]);
}

async function askWithRfcs(endpoint: string): Promise<void> {
  const ask = async (action: string, data: string, ...args: (string | number)[]) => {
    const told = await outputOf("client", endpoint, SERVICE, "--body", action, "--body", data, ...args);
    return told.map(({ body }) => (body === undefined ? undefined : (body as string[])));
  };
  const replies = await ask("add", SUM, "--count", COUNT);
  for (const [index, reply] of replies.slice(0, COUNT).entries()) {
    expect(reply?.[0]).toBe("add.result");
    expect(JSON.parse(reply?.[1] ?? "")).toMatchObject({ status: true, result: index + 1 });
  }
  const [refused] = await ask("divide", NO_QUOTIENT);
  expect(JSON.parse(refused?.[1] ?? "")).toMatchObject({ status: false, reason: "division by zero" });
}

describe("broker, worker and client", () => {
  it.each(CELLS)("%s broker, %s worker and %s client, %s", async (broker, worker, client, dialect) => {
    expect.hasAssertions();
    const endpoint = await brokerWith(broker, worker, dialect);
    if (client === "our") await askWithOurs(endpoint, dialect);
    else if (dialect === "domogik") await askWithDomogiks(endpoint);
    else await askWithRfcs(endpoint);
  });
});

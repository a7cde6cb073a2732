import { describe, expect, it } from "vitest";
import { ourBroker, ourClient, ourStreamClient, ourWorker, readyAt } from "../zmq/ours.ts";
import { counts, SERVICE } from "../zmq/sums.ts";
import { outputOf, start, startBound } from "../zmq/rig.ts";
import { failure, listOf } from "../rig.ts";

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
    const isThere = readyAt(broker);
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
  const client = ourClient(endpoint, { dialect });
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

describe("one socket of our broker", () => {
  it("carries MDP 0.1 and 0.2 at once, whichever the worker speaks", async () => {
    const broker = await ourBroker();
    const ready = readyAt(broker, 4);
    start("worker", broker.endpoint, "one");
    start("worker", broker.endpoint, "two", "--mdp", 2);
    await ourWorker(broker.endpoint, { concurrency: 1, service: "our.one" });
    await ourWorker(broker.endpoint, { concurrency: 1, service: "our.two", version: "0.2" });
    await ready;
    const parts = ["--body", "a", "--body", "b", "--body", "c"];
    const [[one], [two], [collected], [whole]] = await Promise.all([
      outputOf("client", broker.endpoint, "one", ...parts),
      outputOf("client", broker.endpoint, "two", "--mdp", 2, ...parts),
      // A client of 0.1 gets all parts at once, and one of 0.2 gets a single one.
      outputOf("client", broker.endpoint, "two", ...parts),
      outputOf("client", broker.endpoint, "one", "--mdp", 2, ...parts),
    ]);
    for (const told of [one, two, collected, whole]) expect(told).toEqual({ number: 0, body: ["a", "b", "c"] });
    for (const service of ["our.one", "our.two", "one", "two"]) {
      for (const dialect of ["domogik", "mdp02"] as const) {
        const client = ourClient(broker.endpoint, { service, dialect, correlation: "socket" });
        expect(await client.add({ a: 20, b: 22 }, { timeoutMs: 10_000 })).toBe(42);
      }
    }
  });

  it("brings streams in parts, ours to theirs and theirs to ours", async () => {
    const broker = await ourBroker();
    const ready = readyAt(broker, 2);
    start("worker", broker.endpoint, "theirs", "--mdp", 2);
    await ourWorker(broker.endpoint, { concurrency: 1, service: "ours", version: "0.2" }, counts());
    await ready;
    for (const service of ["theirs", "ours"]) {
      const client = ourStreamClient(broker.endpoint, service);
      expect(await listOf(client.count(3, { timeoutMs: 10_000 }))).toEqual([1, 2, 3]);
    }
  });

  it("answers MMI as long as there are workers, and not longer", async () => {
    const broker = await ourBroker();
    const ready = readyAt(broker, 2);
    const workers = [start("worker", broker.endpoint, "echo"), start("domogik_worker", broker.endpoint, "echo")];
    await ready;
    const codes = async (...args: string[]) =>
      (await outputOf("mmi", broker.endpoint, ...args)).map((line) => line["code"]);
    expect(await codes("echo", "none", "mmi.service")).toEqual(["200", "404", "404"]);
    expect(await codes("--of", "mmi.services")).toEqual(["echo, echo"]);
    expect(await codes("--of", "mmi.other")).toEqual(["501"]);
    const gone = new Promise<void>((resolve) =>
      broker.on("workerGone", () => broker.stats().workers === 0 && resolve()),
    );
    for (const worker of workers) await worker.stop();
    await gone;
    expect(await codes("echo")).toEqual(["404"]);
  });
});

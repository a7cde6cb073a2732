import type { ClientOf, RpcError } from "@rpc/core";
import type { MdpBrokerOptions } from "@rpc/zmq-mdp";
import { describe, expect, it } from "vitest";
import { failure, until } from "../rig.ts";
import { ourBroker, ourClient, ourWorker, readyAt } from "../zmq/ours.ts";
import type { PeerProcess } from "../zmq/peers.ts";
import { ANY, outputOf, start, startBound } from "../zmq/rig.ts";
import { SERVICE, type Sums } from "../zmq/sums.ts";

// Real processes take real time: all times are as short as they can be.
const BEAT_MS = 100;
const BEATS = ["--heartbeat", BEAT_MS, "--liveness", 4] as const;
const RETURNING = [...BEATS, "--reconnect", 50] as const;
const OUR_BEATS = { heartbeatMs: BEAT_MS, liveness: 4 };
const OUR_RETURNING = { ...OUR_BEATS, reconnect: { minMs: 50, maxMs: 100 } };
const PATIENCE = { timeoutMs: 10_000 };

/** For workers of RFC 7, which know one address. */
const STRICT = { correlation: "socket" } as const;

type Client = ClientOf<typeof Sums>;

/** Asks until there is an answer: these brokers give what they have sent to a lost worker to no other one. */
async function sumOf(client: Client): Promise<unknown> {
  for (;;) {
    try {
      return await client.add({ a: 1, b: 2 }, { timeoutMs: 300 });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Starts a broker: whose, with which times. */
function startBroker(name: string, endpoint: string): PeerProcess {
  if (name === "our") return start("our", "broker", endpoint, JSON.stringify(OUR_BEATS));
  return start(name, endpoint, ...BEATS);
}

describe.each(["our", "broker", "domogik_broker"])("%s killed and started again under load", (name) => {
  it("loses no worker and no client, and every call is answered once with its own answer", async () => {
    const first = startBroker(name, ANY);
    const endpoint = (await first.ready())["endpoint"] as string;
    await ourWorker(endpoint, { concurrency: 2, ...OUR_RETURNING });
    start(name === "domogik_broker" ? "domogik_worker" : "worker", endpoint, SERVICE, ...RETURNING);
    await until(() => first.told({ event: "worker" }).length === 3);

    const count = 150;
    const body = ["--body", "echo", "--body", '{"args": {n}}'];
    const load = start("client", endpoint, SERVICE, "--count", count, "--timeout", 300, "--retries", 200, ...body);
    const correlation = name === "broker" ? "socket" : "envelope";
    const client = ourClient(endpoint, { dialect: "domogik-1.3", correlation });
    let answered = 0;
    const failures: string[] = [];
    const persistent = async (number: number): Promise<unknown> => {
      for (;;) {
        try {
          const answer = await client.echo(number, { timeoutMs: 300 });
          answered += 1;
          return answer;
        } catch (error) {
          failures.push((error as RpcError).code);
          // Not at once: where nobody listens each try is over at once.
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const lanes = [0, 1, 2].map(async (lane) => {
      const answers: unknown[] = [];
      for (let number = lane; number < count; number += 3) answers.push(await persistent(number));
      return answers;
    });

    await load.line({ number: 40 });
    await until(() => answered > 40);
    await first.kill();
    const second = startBroker(name, endpoint);
    const answers = await Promise.all(lanes);
    for (const [lane, told] of answers.entries()) expect(told).toEqual(told.map((_, index) => lane + 3 * index));
    expect(answered).toBe(count);
    const told = await load.output();
    expect(told.at(-1)).toMatchObject({ done: true, replies: count, timeouts: 0 });
    for (const { number, body } of told.slice(0, -1))
      expect(JSON.parse((body as string[])[1] ?? "")).toMatchObject({ status: true, result: number });
    // All three are there again.
    await until(() => second.told({ event: "worker" }).length >= 3);
    expect(["UNAVAILABLE", "DEADLINE_EXCEEDED"]).toEqual(expect.arrayContaining([...new Set(failures)]));
    expect(failures.length + (told.at(-1)?.["retries"] as number)).toBeGreaterThan(0);
  });
});

describe("a worker that is lost", () => {
  const withWorkers = async (options: Partial<MdpBrokerOptions>, ...workers: (readonly (string | number)[])[]) => {
    // A machine that is slow for a moment loses nobody: the broker hears of a death by the next beat that it cannot send.
    const broker = await ourBroker({ heartbeatMs: BEAT_MS, liveness: 50, ...options });
    const started: PeerProcess[] = [];
    // One after the other: the one that has waited longest gets the first request.
    for (const args of workers) {
      const ready = readyAt(broker);
      started.push(
        start("worker", broker.endpoint, SERVICE, "--heartbeat", BEAT_MS, "--liveness", 50, "--reconnect", 50, ...args),
      );
      await ready;
    }
    return { broker, started };
  };

  it("takes its request along, and the caller is told", async () => {
    const { broker } = await withWorkers({}, ["--die-at", 1], []);
    const client = ourClient(broker.endpoint, STRICT);
    expect(await failure(client.add({ a: 1, b: 2 }, PATIENCE))).toMatchObject({
      code: "UNAVAILABLE",
      reason: "WORKER_LOST",
      delivered: "unknown",
    });
    expect(await client.add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
  });

  it("tells Domogik's client as well, in its own words", async () => {
    const { broker } = await withWorkers({ dialect: "domogik" }, ["--die-at", 1]);
    const told = await outputOf("domogik_client", broker.endpoint, SERVICE, "echo.do");
    expect(told).toMatchObject([{ action: "error", reply: { status: false, code: "WORKER_LOST" } }, { done: true }]);
  });

  it("has its request given to the next one, where that is allowed", async () => {
    const { broker, started } = await withWorkers({ onWorkerLost: "requeue" }, ["--die-at", 1], []);
    expect(await ourClient(broker.endpoint, STRICT).add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
    expect(started[1]?.told({ event: "request" })).toHaveLength(1);
  });

  it("is sent away when its handler is silent for too long, and may come again", async () => {
    const { broker, started } = await withWorkers({ maxBusyMs: 200, liveness: 4 }, ["--silent-at", 1]);
    const client = ourClient(broker.endpoint, STRICT);
    const error = await failure(client.add({ a: 1, b: 2 }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "WORKER_LOST" });
    await started[0]?.line({ event: "reconnect", why: "DISCONNECT" });
    expect(await client.add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
  });

  it("of ours leaves its caller to its time-out at Domogik's broker, and the next one serves", async () => {
    const [broker, endpoint] = await startBound("domogik_broker", ...BEATS);
    const worker = start("our", "worker", endpoint, JSON.stringify({ ...OUR_RETURNING, concurrency: 1 }));
    await broker.line({ event: "worker" });
    const client = ourClient(endpoint);
    const lost = failure(client.wait(60_000, { timeoutMs: 700 }));
    await worker.line({ event: "request" });
    await worker.kill();
    await ourWorker(endpoint, { ...OUR_RETURNING, concurrency: 1 });
    expect(await lost).toMatchObject({ code: "DEADLINE_EXCEEDED", delivered: "unknown" });
    expect(await sumOf(client)).toBe(3);
  });
});

describe("a handler that takes longer than the liveness", () => {
  const SLOW = 1_000;
  const LIVENESS = 8;
  const SHORT = ["--heartbeat", BEAT_MS, "--liveness", LIVENESS] as const;
  const OUR_SHORT = { heartbeatMs: BEAT_MS, liveness: LIVENESS };

  it.each(["worker", "domogik_worker"])("of %s stays at our broker", async (name) => {
    const broker = await ourBroker({ ...OUR_SHORT, dialect: "domogik" });
    const gone: unknown[] = [];
    broker.on("workerGone", (_, why) => gone.push(why));
    const ready = readyAt(broker);
    const worker = start(name, broker.endpoint, SERVICE, "--heartbeat", BEAT_MS, "--liveness", 20, "--delay", SLOW);
    await ready;
    const told = await outputOf("domogik_client", broker.endpoint, SERVICE, "echo.do", '{"a": 1}', "--timeout", "10");
    expect(told).toMatchObject([{ action: "echo.result", reply: { a: 1 } }, { done: true }]);
    expect(gone).toEqual([]);
    expect(worker.told({ event: "reconnect" })).toEqual([]);
  });

  it.each([
    ["broker", "socket"],
    ["domogik_broker", "envelope"],
  ] as const)("of ours stays at %s", async (name, correlation) => {
    const [broker, endpoint] = await startBound(name, ...SHORT);
    await ourWorker(endpoint, { ...OUR_SHORT, concurrency: 1 });
    await broker.line({ event: "worker" });
    const dialect = name === "broker" ? "rfc7" : "domogik";
    const client: Client = ourClient(endpoint, { dialect, correlation });
    expect(await client.wait(SLOW, PATIENCE)).toBe(SLOW);
    expect(broker.told({ event: "worker" })).toHaveLength(1);
    expect(broker.told({ event: "gone" })).toEqual([]);
  });
});

describe("a late reply", () => {
  it.each([
    ["broker", "worker", "rfc7", "socket"],
    ["domogik_broker", "domogik_worker", "domogik", "envelope"],
    ["our", "worker", "domogik", "socket"],
    ["our", "domogik_worker", "domogik", "envelope"],
  ] as const)("of %s and %s reaches no other caller", async (broker, worker, dialect, correlation) => {
    const running = broker === "our" ? start("our", "broker", ANY) : start(broker, ANY);
    const endpoint = (await running.ready())["endpoint"] as string;
    const slow = start(worker, endpoint, SERVICE, "--delay", 250);
    await running.line({ event: "worker" });
    const client = ourClient(endpoint, { dialect, correlation });
    // Connects: the time of the next one is short.
    expect(await client.echo("first", PATIENCE)).toBe("first");
    const late = failure(client.echo("late", { timeoutMs: 100 }));
    await slow.line({ event: "request", number: 2 });
    expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await client.echo("mine", PATIENCE)).toBe("mine");
    expect(await client.echo("mine too", PATIENCE)).toBe("mine too");
  });

  it("does no harm when Domogik's client has given up", async () => {
    const broker = await ourBroker({ ...OUR_BEATS, dialect: "domogik" });
    const ready = readyAt(broker);
    const worker = start("domogik_worker", broker.endpoint, SERVICE, "--delay", 1_000, ...RETURNING);
    await ready;
    const impatient = outputOf(
      "domogik_client",
      broker.endpoint,
      SERVICE,
      "echo.do",
      '{"a": "late"}',
      "--timeout",
      "0.6",
    );
    await worker.line({ event: "request" });
    const next = outputOf("domogik_client", broker.endpoint, SERVICE, "echo.do", '{"a": "mine"}');
    expect(await impatient).toMatchObject([{ reply: null }, { done: true }]);
    expect(await next).toMatchObject([{ reply: { a: "mine" } }, { done: true }]);
    const { lateReply, orphanReply } = broker.stats().counters;
    expect(lateReply + orphanReply).toBe(1);
  });
});

describe("DISCONNECT", () => {
  it.each(["broker", "domogik_broker"])("as %s spells it brings our worker back with READY", async (name) => {
    const [broker, endpoint] = await startBound(name, ...BEATS);
    await ourWorker(endpoint, { ...OUR_RETURNING, concurrency: 1 });
    await broker.line({ event: "worker" });
    const heard = broker.lines.length;
    broker.signal("SIGUSR1");
    await broker.line({ event: "worker" }, heard);
    const dialect = name === "broker" ? "rfc7" : "domogik";
    expect(await sumOf(ourClient(endpoint, { dialect, correlation: "socket" }))).toBe(3);
  });

  it("of our broker at its end is understood by both workers", async () => {
    const broker = await ourBroker(OUR_BEATS);
    const ready = readyAt(broker, 2);
    const workers = ["worker", "domogik_worker"].map((name) => start(name, broker.endpoint, SERVICE, ...RETURNING));
    await ready;
    await broker.close();
    for (const worker of workers)
      expect(await worker.line({ event: "reconnect" })).toMatchObject({ why: "DISCONNECT" });
  });
});

it("a broker that hangs is left, and found again", async () => {
  const [broker, endpoint] = await startBound("broker", ...BEATS);
  await ourWorker(endpoint, { ...OUR_RETURNING, concurrency: 1 });
  await broker.line({ event: "worker" });
  const client = ourClient(endpoint, { dialect: "rfc7", correlation: "socket" });
  broker.signal("SIGSTOP");
  expect(await failure(client.add({ a: 1, b: 2 }, { timeoutMs: 700 }))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const heard = broker.lines.length;
  broker.signal("SIGCONT");
  await broker.line({ event: "worker" }, heard);
  expect(await client.add({ a: 1, b: 2 }, PATIENCE)).toBe(3);
});

import { bidiStream, clientStream, createRouter, defineContract, serverStream, unary } from "@rpc/core";
import type { Channel } from "@rpc/core/transport";
import { check, equal, expectError, rejects, setAside } from "../assert.ts";
import { cutAfter, destroyChannel, type Fault, wrapChannel } from "../faults.ts";
import { collect, createGate, type Gate, passing, turns, watch } from "../gate.ts";
import { faultyPair } from "../session-bench.ts";
import {
  clientOf,
  clientOfOne,
  one,
  proves,
  provesOnWire,
  serveOne,
  type TransportBench,
  type TransportCase,
  type TransportPair,
} from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";

const Streams = defineContract("testkit.Streams", { read: serverStream(), sum: clientStream(), both: bidiStream() });
const There = defineContract("testkit.There", { echo: unary(), count: serverStream(), callBack: unary() });
const Here = defineContract("testkit.Here", { answer: unary() });

const WINDOW_MS = 5_000;
const SHORT_WINDOW = { limits: { resumeWindowMs: WINDOW_MS }, callerLimits: { resumeWindowMs: WINDOW_MS } };

/** C90, C137, C138: what is under way when the connection is lost. */
export const resumeCases: readonly TransportCase[] = [
  proves("C90", "goes on with a stream of the server where it was cut, with no gap and no repeat", async (bench) => {
    const pair = await bench.connect(serveStreams());
    const got: unknown[] = [];
    const reading = (async () => {
      for await (const item of clientOf(bench, Streams, pair.transport).read(500)) {
        got.push(item);
        if (got.length % 100 === 50) await needed(pair.cut, "cut")();
      }
    })();
    await passing(bench.clock, reading, "the stream ends");
    equal(got, range(500), "messages across five cuts");
  }),

  proves("C90", "goes on with a stream of the client where it was cut", async (bench) => {
    if (typeof bench.capabilities.clientStream !== "string") setAside("clientStream is declared a gap");
    const pair = await bench.connect(serveStreams());
    const sum = clientOf(bench, Streams, pair.transport).sum(cuttingEvery(100, range(500), pair));
    equal(await passing(bench.clock, sum, "the stream ends"), 124_750, "sum across five cuts");
  }),

  proves("C90", "goes on with both directions of a stream where they were cut", async (bench) => {
    if (typeof bench.capabilities.bidiStream !== "string") setAside("bidiStream is declared a gap");
    const pair = await bench.connect(serveStreams());
    const reading = collect(clientOf(bench, Streams, pair.transport).both(cuttingEvery(60, range(300), pair)));
    equal(
      await passing(bench.clock, reading, "the stream ends"),
      range(300).map((n) => [n]),
      "messages across five cuts",
    );
  }),

  proves("C137", "completes a call that was running when the connection was cut, and ran it once", async (bench) => {
    const { client, pair, runs, entered, gate } = await running(bench);
    const call = client.run("in flight");
    watch(call);
    await entered.passed;
    await needed(pair.cut, "cut")();
    await passing(bench.clock, pair.transport.ready(), "the connection is back");
    gate.open();
    equal(await passing(bench.clock, call, "the call ends"), "in flight", "output");
    equal([...runs], [["in flight", 1]], "runs");
  }),

  proves("C137", "delivers a reply that was made while there was no connection", async (bench) => {
    const { client, pair, runs, entered, gate } = await running(bench);
    const call = client.run("in flight");
    watch(call);
    await entered.passed;
    await needed(pair.cut, "cut")();
    gate.open();
    await turns();
    equal(await passing(bench.clock, call, "the call ends"), "in flight", "output");
    equal([...runs], [["in flight", 1]], "runs");
  }),

  proves("C137", "completes 200 calls across ten cuts at whatever moment, each run once", async (bench) => {
    const runs = new Map<unknown, number>();
    const { client, pair } = await one(bench, async (input) => {
      runs.set(input, (runs.get(input) ?? 0) + 1);
      await turns((input as number) % 4);
      return input;
    });
    await pair.transport.ready();
    const calls: Promise<unknown>[] = [];
    for (const n of range(10)) {
      for (const m of range(20)) {
        const call = client.run(n * 20 + m);
        watch(call);
        calls.push(call);
      }
      await turns(n % 4);
      await needed(pair.cut, "cut")();
      if (n % 2 === 0) await passing(bench.clock, Promise.resolve(calls.at(-1)), "a call ends");
    }
    equal(await passing(bench.clock, Promise.all(calls), "all calls end"), range(200), "outputs");
    const often = [...runs].filter(([, count]) => count !== 1);
    equal([runs.size, often], [200, []], "inputs that ran, those among them that ran more than once");
  }),

  proves("C137", "completes a call of the server to its client", async (bench) => {
    if (typeof bench.capabilities.duplex !== "string") setAside("duplex is declared a gap");
    const entered = createGate();
    const gate = createGate();
    let runs = 0;
    const serve = createRouter(Here, {
      answer: async (input) => {
        runs += 1;
        entered.open();
        await gate.passed;
        return input;
      },
    });
    const handler = serveOne((input, ctx) => ctx.peer?.client(Here).answer(input));
    const pair = await bench.connect(handler, { serve });
    const call = clientOfOne(bench, pair.transport).run("back");
    watch(call);
    await entered.passed;
    await needed(pair.cut, "cut")();
    gate.open();
    equal(await passing(bench.clock, call, "the call ends"), "back", "output");
    equal(runs, 1, "runs at the client");
  }),

  provesOnWire(
    "C137",
    "runs nothing twice and loses nothing wherever a wire is cut, in both directions",
    async (bench) => {
      for (const side of ["dialed", "accepted"] as const) {
        for (const cutAt of range(30)) {
          await cutOnce(bench, side, cutAt, (channel) => cutAfter(channel, cutAt));
          // Here the message is on its way before the wire is cut: the other end may have it.
          await cutOnce(bench, side, cutAt, (channel) => cutBehind(channel, cutAt));
        }
      }
    },
  ),

  proves("C138", "fails a call when nobody came back in time, on both ends, and begins anew", async (bench) => {
    const aborted = createGate<unknown>();
    const entered = createGate();
    let sessions = 0;
    const run = async (input: unknown, ctx: { readonly signal: AbortSignal }): Promise<unknown> => {
      if (input !== "in flight") return input;
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      return createGate<never>().passed;
    };
    const { client, pair } = await one(bench, run, SHORT_WINDOW);
    pair.listener?.on("client-connected", () => void (sessions += 1));
    const call = client.run("in flight");
    const watched = watch(call);
    await entered.passed;
    await needed(pair.cut, "cut")();
    await turns();
    check(!watched.settled, "the call did not wait for the connection to come back");
    // All at once, so that nobody has the time to come back.
    bench.clock.jump(WINDOW_MS);
    const error = await rejects(call, { code: "UNAVAILABLE", delivered: "unknown" }, "call in flight");
    check(error.retryable, "the error does not say that a retry may help");
    expectError(await aborted.passed, { code: "UNAVAILABLE" }, "reason of the handler's signal");
    equal(await passing(bench.clock, client.run("next"), "the next call ends"), "next", "next call");
    if (pair.listener !== undefined) equal(sessions, 2, "sessions");
  }),

  proves("C138", "ends a stream UNAVAILABLE when nobody came back in time, never as if complete", async (bench) => {
    if (typeof bench.capabilities.serverStream !== "string") setAside("serverStream is declared a gap");
    const gate = createGate();
    const pair = await bench.connect(
      createRouter(Streams, {
        read: async function* () {
          yield 1;
          await gate.passed;
        },
        sum: () => undefined,
        both: async function* () {},
      }),
      SHORT_WINDOW,
    );
    const iterator = clientOf(bench, Streams, pair.transport).read()[Symbol.asyncIterator]();
    equal(await iterator.next(), { done: false, value: 1 }, "first message");
    const next = iterator.next();
    const watched = watch(next);
    await needed(pair.cut, "cut")();
    await turns();
    check(!watched.settled, "the stream did not wait for the connection to come back");
    bench.clock.jump(WINDOW_MS);
    await rejects(next, { code: "UNAVAILABLE" }, "stream after the window");
    gate.open();
  }),
];

function serveStreams(): ReturnType<typeof createRouter> {
  return createRouter(Streams, {
    read: (input) => asStream(range(input as number)),
    sum: async (items) => (await collect(items)).reduce<number>((sum, n) => sum + (n as number), 0),
    both: async function* (items) {
      for await (const item of items) yield [item];
    },
  });
}

async function* asStream(items: readonly unknown[]): AsyncGenerator {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

async function* cuttingEvery(count: number, items: readonly number[], pair: TransportPair): AsyncGenerator<number> {
  for (const item of items) {
    if (item % count === count / 2) await needed(pair.cut, "cut")();
    yield item;
  }
}

async function running(bench: TransportBench): Promise<
  Awaited<ReturnType<typeof one>> & {
    readonly runs: ReadonlyMap<unknown, number>;
    readonly entered: Gate;
    readonly gate: Gate;
  }
> {
  const runs = new Map<unknown, number>();
  const entered = createGate();
  const gate = createGate();
  const ends = await one(bench, async (input) => {
    runs.set(input, (runs.get(input) ?? 0) + 1);
    entered.open();
    await gate.passed;
    return input;
  });
  return { ...ends, runs, entered, gate };
}

/** The connection is cut right behind message number `count` + 1. */
function cutBehind(channel: Channel, count: number): Channel {
  let sent = 0;
  return wrapChannel(channel, {
    send: (message, transfer) => {
      sent += 1;
      const accepted = channel.send(message, transfer);
      if (sent > count) setTimeout(() => destroyChannel(channel), 0);
      return accepted;
    },
  });
}

async function cutOnce(
  bench: Parameters<Parameters<typeof provesOnWire>[2]>[0],
  side: "dialed" | "accepted",
  cutAt: number,
  fault: Fault,
): Promise<void> {
  const place = `cut of the ${side} end at ${cutAt}`;
  const runs = new Map<unknown, number>();
  const ran = (input: unknown): void => void runs.set(input, (runs.get(input) ?? 0) + 1);
  const serve = createRouter(Here, {
    answer: (input) => {
      ran(input);
      return input;
    },
  });
  const handler = createRouter(There, {
    echo: (input) => {
      ran(input);
      return input;
    },
    count: async function* (input) {
      ran("count");
      yield* range(input as number);
    },
    callBack: (input, ctx) => ctx.peer?.client(Here).answer(input),
  });
  const { transport } = faultyPair(bench, handler, (dial) => (dial > 1 ? {} : { [side]: fault }), {}, serve);
  const client = clientOf(bench, There, transport);
  // A cut before there is a session is no loss of one: what was called fails, certainly undelivered, and is called again.
  const twice = async (call: () => Promise<unknown>): Promise<unknown> =>
    call().catch((caught: unknown) => {
      expectError(caught, { code: "UNAVAILABLE", delivered: "no" }, place);
      return call();
    });
  const all = Promise.all([
    ...range(5).map((n) => twice(() => client.echo(n))),
    twice(() => collect(client.count(5))),
    ...range(2).map((n) => twice(() => client.callBack(`back ${n}`))),
  ]);
  equal(
    await passing(bench.clock, all, `everything ends after a ${place}`),
    [...range(5), range(5), "back 0", "back 1"],
    place,
  );
  equal(runs.size, 8, `what ran after a ${place}`);
  for (const [input, count] of runs) equal(count, 1, `runs of ${String(input)} after a ${place}`);
  await transport.close();
}

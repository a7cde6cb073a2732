import { createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import { check, equal, fail, rejects, setAside } from "../assert.ts";
import { collect, createGate, noTimersLeft, turns, until, watch } from "../gate.ts";
import {
  clientOf,
  clientOfOne,
  one,
  proves,
  REFUSAL_WHILE_DRAINING,
  serveOne,
  type TransportCase,
} from "../transport-bench.ts";
import { range } from "./bytes.ts";

const Streams = defineContract("testkit.Streams", { read: serverStream(), ping: unary() });

/** C131–C134, C141, C142, H211, H212, H215: how a transport begins and ends. */
export const lifecycleCases: readonly TransportCase[] = [
  proves(
    "C131",
    "does no I/O until the first call, and shares one connection among concurrent first calls",
    async (bench) => {
      const { client, pair } = await one(bench, (input) => input);
      const { listener } = pair;
      let connections = 0;
      listener?.on("client-connected", () => void (connections += 1));
      await turns();
      equal([connections, [...(listener?.peers ?? [])].length], [0, 0], "connections before the first call");
      equal(await Promise.all(range(20).map((n) => client.run(n))), range(20), "first calls");
      await turns();
      // Without calls back there are requests, and no connection that somebody would hear of.
      const expected = typeof bench.capabilities.duplex === "string" ? 1 : 0;
      check(listener === undefined || connections === expected, `20 first calls made ${connections} connections`);
    },
  ),

  proves("C131", "connects when asked to be ready", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    await pair.transport.ready();
    await pair.transport.ready();
    equal(await client.run(1), 1, "call");
  }),

  proves("C132", "settles close once, however often and in whatever form it comes", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    await client.run(1);
    await Promise.all([pair.transport.close(), pair.transport.close()]);
    await pair.transport.close();
    await pair.transport[Symbol.asyncDispose]();
    const { listener } = pair;
    if (listener === undefined) return;
    await Promise.all([listener.close(), listener.close()]);
    await listener[Symbol.asyncDispose]();
  }),

  proves("C132", "closes a transport that was never used", async (bench) => {
    const { pair } = await one(bench, (input) => input);
    await pair.transport.close();
  }),

  proves("C133", "rejects each pending call once, and refuses later calls FAILED_PRECONDITION", async (bench) => {
    let entered = 0;
    const { client, pair } = await one(bench, () => {
      entered += 1;
      return createGate<never>().passed;
    });
    const settled: string[] = [];
    const calls = range(10).map(async (n) => {
      await rejects(client.run(n), { code: "UNAVAILABLE" }, "pending call");
      settled.push(`call ${n}`);
    });
    await until(() => entered === 10, "ten handlers run");
    await pair.transport.close();
    await Promise.all(calls);
    equal(settled.length, 10, "calls rejected");
    await rejects((async () => client.run(1))(), { code: "FAILED_PRECONDITION" }, "call after close");
    await rejects((async () => pair.transport.ready())(), { code: "FAILED_PRECONDITION" }, "ready after close");
  }),

  proves("C133", "fails the pending calls of its clients when the listener closes", async (bench) => {
    const entered = createGate();
    const { client, pair } = await one(bench, () => {
      entered.open();
      return createGate<never>().passed;
    });
    if (pair.listener === undefined) setAside("the factory gives no listener");
    const call = client.run(1);
    watch(call);
    await entered.passed;
    await pair.listener.close();
    await rejects(call, { code: "UNAVAILABLE" }, "call in flight");
  }),

  proves("C134", "refuses new calls while it drains and finishes the running one", async (bench) => {
    const entered = createGate();
    const gate = createGate();
    const { client, pair } = await one(bench, async (input) => {
      if (input !== "slow") return input;
      entered.open();
      await gate.passed;
      return "finished";
    });
    const slow = client.run("slow");
    await entered.passed;
    const closing = (pair.listener ?? pair.transport).close({ drainMs: 5_000 });
    const watched = watch(closing);
    await turns();
    check(!watched.settled, "close settled while a call was running");
    const refused = pair.listener === undefined ? "FAILED_PRECONDITION" : "UNAVAILABLE";
    const late = (async () => client.run("new"))();
    const waits = watch(late);
    const isLost = bench.loses(REFUSAL_WHILE_DRAINING);
    if (!isLost) await rejects(late, { code: refused }, "new call while draining");
    gate.open();
    equal(await slow, "finished", "running call");
    await closing;
    await turns();
    check(isLost !== waits.settled, "a new call while draining is refused where that is documented as lost");
  }),

  proves("C134", "ends at drainMs at the latest", async (bench) => {
    const entered = createGate();
    const { client, pair } = await one(bench, () => {
      entered.open();
      return createGate<never>().passed;
    });
    const stuck = client.run(1);
    watch(stuck);
    await entered.passed;
    const closing = (pair.listener ?? pair.transport).close({ drainMs: 5_000 });
    const watched = watch(closing);
    await turns();
    bench.clock.advance(4_999);
    await turns();
    check(!watched.settled, "the drain ended before drainMs");
    bench.clock.advance(1);
    await closing;
    await rejects(stuck, { code: "UNAVAILABLE" }, "call that outlived the drain");
  }),

  proves("C134", "lets running calls of a closing transport finish for drainMs", async (bench) => {
    const entered = createGate();
    const gate = createGate();
    const { client, pair } = await one(bench, async () => {
      entered.open();
      await gate.passed;
      return "finished";
    });
    const slow = client.run(1);
    await entered.passed;
    const closing = pair.transport.close({ drainMs: 5_000 });
    await rejects((async () => client.run(2))(), { code: "FAILED_PRECONDITION" }, "new call while draining");
    gate.open();
    equal(await slow, "finished", "running call");
    await closing;
  }),

  proves("C134", "returns at once from a drain with nothing to finish", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    await client.run(1);
    await (pair.listener ?? pair.transport).close({ drainMs: 5_000 });
  }),

  proves("H212", "ends the drain at drainMs although a handler ignores its signal", async (bench) => {
    const entered = createGate();
    const late = createGate();
    const { client, pair } = await one(bench, async () => {
      entered.open();
      await late.passed;
      return "too late";
    });
    const stuck = client.run(1);
    watch(stuck);
    await entered.passed;
    const closing = (pair.listener ?? pair.transport).close({ drainMs: 1_000 });
    await turns();
    bench.clock.advance(1_000);
    await closing;
    late.open();
    await rejects(stuck, { code: "UNAVAILABLE" }, "stuck call");
  }),

  proves("H211", "settles close from inside a handler", async (bench) => {
    const closed = createGate();
    const { client, pair } = await one(bench, async () => {
      await pair.transport.close();
      closed.open();
      return "closed";
    });
    await rejects(client.run(1), { code: "UNAVAILABLE" }, "call that closes its own transport");
    await closed.passed;
  }),

  proves("H211", "settles close while connecting, and rejects the call that waits for it once", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    const call = client.run(1);
    const closing = pair.transport.close();
    const outcome = await call.then(
      () => "done",
      (caught: unknown) => RpcError.from(caught).code,
    );
    check(["done", "UNAVAILABLE", "CANCELLED"].includes(outcome), `the waiting call ended ${outcome}`);
    await closing;
  }),

  proves("H211", "settles close on both ends at once, with calls under way", async (bench) => {
    const entered = createGate();
    const { client, pair } = await one(bench, () => {
      entered.open();
      return createGate<never>().passed;
    });
    const call = client.run(1);
    watch(call);
    await entered.passed;
    await Promise.all([pair.transport.close(), pair.listener?.close(), pair.transport.close()]);
    await rejects(call, { code: "UNAVAILABLE" }, "call in flight");
  }),

  proves("H211", "settles close while a stream is blocked by a reader that stands still", async (bench) => {
    if (typeof bench.capabilities.serverStream !== "string") setAside("serverStream is declared a gap");
    const cleaned = createGate();
    const pair = await bench.connect(
      createRouter(Streams, {
        read: async function* () {
          try {
            for (;;) yield "x".repeat(10_000);
          } finally {
            cleaned.open();
          }
        },
        ping: (input) => input,
      }),
    );
    const iterator = clientOf(bench, Streams, pair.transport).read()[Symbol.asyncIterator]();
    await iterator.next();
    await pair.transport.close();
    await cleaned.passed;
    const rest = collect({ [Symbol.asyncIterator]: () => iterator });
    await rejects(rest, { code: "UNAVAILABLE" }, "stream after close");
  }),

  proves(
    "C141",
    "leaves no timer behind after calls that finished, failed, timed out and were cancelled",
    async (bench) => {
      const { client, pair } = await one(bench, (input) => {
        if (input === "throw") throw new RpcError("ABORTED", "no");
        return input === "hang" ? createGate<never>().passed : input;
      });
      await client.run("ok", { timeoutMs: 60_000 });
      await client.run("throw", { timeoutMs: 60_000 }).catch(() => undefined);
      const timedOut = client.run("hang", { timeoutMs: 10 });
      watch(timedOut);
      await turns();
      bench.clock.advance(10);
      await rejects(timedOut, { code: "DEADLINE_EXCEEDED" }, "hanging call");
      const handle = client.run.start("hang", { timeoutMs: 60_000 });
      watch(handle);
      await turns();
      await handle.cancel();
      await pair.close();
      await noTimersLeft(bench.clock, "after close");
    },
  ),

  proves("H215", "leaves nothing behind after 10,000 calls and 1,000 streams", async (bench) => {
    const streams = typeof bench.capabilities.serverStream === "string";
    const pair = await bench.connect(
      streams
        ? createRouter(Streams, { read: (input) => asStream(range(input as number)), ping: (input) => input })
        : createRouter(defineContract("testkit.Streams", { ping: unary() }), { ping: (input) => input }),
    );
    const ping = clientOf(bench, defineContract("testkit.Streams", { ping: unary() }), pair.transport);
    for (const batch of range(100)) {
      await Promise.all(range(100).map((n) => ping.ping(n, { timeoutMs: 60_000 })));
      if (!streams) continue;
      const client = clientOf(bench, Streams, pair.transport);
      equal((await Promise.all(range(10).map(() => collect(client.read(3))))).length, 10, `streams of batch ${batch}`);
    }
    await pair.close();
    await noTimersLeft(bench.clock, "after close");
  }),

  proves("C18", "serves other clients when one of them leaves", async (bench) => {
    const pair = await bench.connect(serveOne((input) => input));
    const first = clientOfOne(bench, pair.transport);
    await first.run(1);
    if (pair.another === undefined) setAside("the factory gives no second client");
    const another = pair.another();
    equal(await clientOfOne(bench, another).run(2), 2, "second client");
    await another.close();
    equal(await first.run(3), 3, "first client after the second one left");
  }),
];

async function* asStream(items: readonly unknown[]): AsyncIterable<unknown> {
  yield* items;
}

/** What a factory of a reconnecting transport must be able to do. */
export function needed<T>(member: T | undefined, name: string): T {
  return member ?? fail(`a transport that declares reconnect needs a factory that gives ${name}()`);
}

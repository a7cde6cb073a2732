import { createRouter, defineContract, serverStream, unary } from "@rpc/core";
import { check, equal, expectError, rejects, setAside } from "../assert.ts";
import { collect, createGate, turns, until, watch } from "../gate.ts";
import { clientOf, clientOfOne, one, proves, serveOne, type TransportCase } from "../transport-bench.ts";

const never = (): Promise<never> => createGate<never>().passed;

/** C57–C62, H58, H212: when time is up. */
export const deadlineCases: readonly TransportCase[] = [
  proves("C57", "rejects at the deadline, not before, although the handler sleeps on", async (bench) => {
    const entered = createGate();
    const { client } = await one(bench, () => {
      entered.open();
      return never();
    });
    const call = client.run(1, { timeoutMs: 1_000 });
    const watched = watch(call);
    await entered.passed;
    bench.clock.advance(999);
    await turns();
    check(!watched.settled, "settled before the deadline");
    bench.clock.advance(1);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "sleeping call");
  }),

  proves("C57", "takes a deadline as an instant, and the earlier one of both", async (bench) => {
    const { client } = await one(bench, never);
    const now = bench.clock.now();
    const early = client.run(1, { deadline: now + 500, timeoutMs: 1_000 });
    const late = client.run(2, { deadline: now + 1_000, timeoutMs: 500 });
    const watched = [watch(early), watch(late)];
    await turns();
    bench.clock.advance(499);
    await turns();
    check(!watched.some((each) => each.settled), "settled before the earlier instant");
    bench.clock.advance(1);
    await rejects(early, { code: "DEADLINE_EXCEEDED" }, "deadline before timeout");
    await rejects(late, { code: "DEADLINE_EXCEEDED" }, "timeout before deadline");
  }),

  proves("C58", "tells the handler the caller's deadline and aborts its signal there", async (bench) => {
    const entered = createGate<number | undefined>();
    const aborted = createGate<unknown>();
    const { client } = await one(bench, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open(ctx.deadline);
      await aborted.passed;
    });
    const due = bench.clock.now() + 2_000;
    const call = client.run(1, { timeoutMs: 2_000 });
    const deadline = await entered.passed;
    check(deadline !== undefined && Math.abs(deadline - due) <= 1, `the handler's deadline is ${deadline}, not ${due}`);
    check(!aborted.isOpen, "the signal aborted before the deadline");
    bench.clock.advance(2_000);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "call");
    expectError(await aborted.passed, { code: "DEADLINE_EXCEEDED" }, "reason of the signal");
  }),

  proves("C59", "gives a nested call the time that remains, never more", async (bench) => {
    const seen: (number | undefined)[] = [];
    const inner = await bench.connect(serveOne((_, ctx) => void seen.push(ctx.deadline)));
    const innerClient = clientOfOne(bench, inner.transport);
    const { client } = await one(bench, async (_, ctx) => {
      bench.clock.advance(400);
      await innerClient.run(1, ctx);
      await innerClient.run(2, { ...restOf(ctx), timeoutMs: 10_000 });
      await innerClient.run(3, { ...restOf(ctx), timeoutMs: 100 });
    });
    const due = bench.clock.now() + 1_000;
    await client.run(1, { timeoutMs: 1_000 });
    equal(seen, [due, due, due - 500], "deadlines of the nested calls");
  }),

  proves("C60", "lets a call succeed that finishes just before its deadline", async (bench) => {
    const entered = createGate();
    const gate = createGate();
    const { client } = await one(bench, async () => {
      entered.open();
      await gate.passed;
      return "in time";
    });
    const call = client.run(1, { timeoutMs: 1_000 });
    await entered.passed;
    bench.clock.advance(999);
    gate.open();
    equal(await call, "in time", "output");
  }),

  proves("C61", "never sends a call that has no time left", async (bench) => {
    let runs = 0;
    const { client } = await one(bench, () => void (runs += 1));
    await client.run();
    await rejects(client.run(1, { timeoutMs: 0 }), { code: "DEADLINE_EXCEEDED" }, "no time");
    await rejects(client.run(1, { deadline: bench.clock.now() - 1 }), { code: "DEADLINE_EXCEEDED" }, "a past instant");
    await client.run();
    equal(runs, 2, "runs of the handler");
  }),

  proves("C62", "holds the contract's timeoutMs unless the caller sets a shorter one", async (bench) => {
    const Timed = defineContract("testkit.Timed", { run: unary({ timeoutMs: 1_000 }) });
    const pair = await bench.connect(createRouter(Timed, { run: never }));
    const client = clientOf(bench, Timed, pair.transport);
    const calls = [client.run(1), client.run(2, { timeoutMs: 5_000 }), client.run(3, { timeoutMs: 300 })];
    const [contract, longer, shorter] = calls.map((call) => watch(call));
    await turns();
    bench.clock.advance(300);
    await turns();
    check(shorter?.settled, "a shorter timeout of the caller does not hold");
    check(!contract?.settled && !longer?.settled, "a call ended before the contract's timeout");
    bench.clock.advance(700);
    for (const call of calls) await rejects(call, { code: "DEADLINE_EXCEEDED" }, "call");
  }),

  proves("H58", "refuses a time that is no number", async (bench) => {
    let runs = 0;
    const { client } = await one(bench, () => void (runs += 1));
    for (const timeoutMs of [Number.NaN, "soon" as unknown as number]) {
      await rejects(
        (async () => client.run(1, { timeoutMs }))(),
        { code: "INVALID_ARGUMENT" },
        `timeoutMs ${timeoutMs}`,
      );
    }
    await rejects(
      (async () => client.run(1, { timeoutMs: -5 }))(),
      { code: ["DEADLINE_EXCEEDED", "INVALID_ARGUMENT"] },
      "negative",
    );
    equal(runs, 0, "runs of the handler");
  }),

  proves("H58", "does not fire at once for a time beyond the range of a timer", async (bench) => {
    const gates = [createGate(), createGate(), createGate()];
    let entered = 0;
    const { client } = await one(bench, async (input) => {
      entered += 1;
      await gates[input as number]?.passed;
      return input;
    });
    const times = [2_147_483_648, 1e18, Number.POSITIVE_INFINITY];
    const calls = times.map((timeoutMs, i) => client.run(i, { timeoutMs }));
    const watched = calls.map((call) => watch(call));
    await until(() => entered === 3 || watched.some((each) => each.settled), "three handlers run");
    // In steps, so that signs of life get their turn.
    for (let ms = 0; ms < 60_000; ms += 5_000) {
      bench.clock.advance(5_000);
      await turns();
    }
    check(!watched.some((each) => each.settled), "a call with a month left ended within a minute");
    for (const gate of gates) gate.open();
    equal(await Promise.all(calls), [0, 1, 2], "outputs");
  }),

  proves("H212", "leaves a handler behind that ignores its signal, and drops its late result", async (bench) => {
    const entered = createGate();
    const late = createGate();
    const { client } = await one(bench, async (input) => {
      if (input !== "stuck") return input;
      entered.open();
      await late.passed;
      return "too late";
    });
    const call = client.run("stuck", { timeoutMs: 1_000 });
    await entered.passed;
    bench.clock.advance(1_000);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "stuck call");
    late.open();
    equal(await client.run("next"), "next", "call after the late result");
  }),

  proves("C87", "ends a server stream on both sides at the deadline", async (bench) => {
    const Streams = defineContract("testkit.Streams", { tick: serverStream() });
    const aborted = createGate();
    const pair = await bench.connect(
      createRouter(Streams, {
        tick: async function* (_, ctx) {
          ctx.signal.addEventListener("abort", () => aborted.open());
          yield 1;
          await aborted.passed;
        },
      }),
    );
    const items: unknown[] = [];
    const first = createGate();
    const reading = (async () => {
      for await (const item of clientOf(bench, Streams, pair.transport).tick(1, { timeoutMs: 1_000 })) {
        items.push(item);
        first.open();
      }
    })();
    await Promise.race([first.passed, reading]);
    bench.clock.advance(1_000);
    await rejects(reading, { code: "DEADLINE_EXCEEDED" }, "stream");
    await aborted.passed;
    equal(items, [1], "items before the deadline");
  }),

  proves("C61", "never opens a stream that has no time left", async (bench) => {
    if (typeof bench.capabilities.serverStream !== "string") setAside("serverStream is declared a gap");
    const Streams = defineContract("testkit.Streams", { tick: serverStream() });
    let runs = 0;
    const pair = await bench.connect(
      createRouter(Streams, {
        tick: async function* () {
          runs += 1;
          yield 1;
        },
      }),
    );
    const client = clientOf(bench, Streams, pair.transport);
    await rejects(collect(client.tick(1, { timeoutMs: 0 })), { code: "DEADLINE_EXCEEDED" }, "stream without time");
    equal((await collect(client.tick(1))).length, 1, "items of the next stream");
    equal(runs, 1, "runs of the handler");
  }),
];

/** What a nested call takes over from the call that makes it, when it adds something of its own. */
function restOf(ctx: { readonly deadline: number | undefined; readonly signal: AbortSignal }): {
  readonly deadline: number | undefined;
  readonly signal: AbortSignal;
} {
  return { deadline: ctx.deadline, signal: ctx.signal };
}

import { createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import { Body, type Channel, type Handler } from "@rpc/core/transport";
import { check, equal, expectError, fail, rejects } from "../assert.ts";
import { blackHole, cutAfter, destroyChannel, dropAfter, garbage, halfClose, repeat, swap } from "../faults.ts";
import { collect, createGate, turns, until, watch } from "../gate.ts";
import { createRawPeer, callEnvelope } from "../raw-peer.ts";
import { connectWire, faultyPair, listenOnWire, rawClient, transportOver, type WireBench } from "../session-bench.ts";
import { clientOf, clientOfOne, provesOnWire, serveOne, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const LIFE = { heartbeatMs: 5_000, aliveMs: 15_000 };
/** What is lost is lost for good. */
const FINAL = { ...LIFE, resumeWindowMs: 0 };
const Mixed = defineContract("testkit.Mixed", { echo: unary(), count: serverStream() });

/** C139, C140, H64, H70, H95, H208, H209, H213, H214, C145: links that break. */
export const hostileLinkCases: readonly TransportCase[] = [
  provesOnWire("C139", "rejects every pending call at the moment in which the peer is declared lost", async (bench) => {
    const { client, silence, entered } = await silenced(bench);
    const calls = range(3).map((n) => client.run(n));
    const watched = calls.map((call) => watch(call));
    await until(() => entered() === 3, "three handlers run");
    silence();
    for (let ms = 0; ms < 10_000; ms += 1_000) bench.clock.advance(1_000);
    await turns();
    check(!watched.some((each) => each.settled), "a call ended before the peer was lost");
    for (let ms = 0; ms < 11_000; ms += 1_000) bench.clock.advance(1_000);
    for (const call of calls) await rejects(call, { code: "UNAVAILABLE", delivered: "unknown" }, "pending call");
  }),

  provesOnWire("H64", "aborts the handlers of a peer that has gone silent, at the server as well", async (bench) => {
    const { client, silence, entered, aborted, server } = await silenced(bench);
    watch(client.run(1));
    await until(() => entered() === 1, "the handler runs");
    const gone = createGate<RpcError>();
    server.listener.on("client-disconnected", (_, reason) => gone.open(reason));
    silence();
    for (let ms = 0; ms < 21_000; ms += 1_000) bench.clock.advance(1_000);
    await aborted.passed;
    check((await gone.passed).message.length > 0, "the loss has no reason");
  }),

  provesOnWire("C140", "loses no peer in a quiet hour", async (bench) => {
    const { transport, server, dials } = faultyPair(
      bench,
      serveOne((input) => input),
      () => ({}),
      LIFE,
    );
    const client = clientOfOne(bench, transport);
    await client.run(1);
    let lost = 0;
    server.listener.on("client-disconnected", () => void (lost += 1));
    for (let ms = 0; ms < 3_600_000; ms += LIFE.heartbeatMs) {
      bench.clock.advance(LIFE.heartbeatMs);
      await turns(1);
    }
    equal(await client.run(2), 2, "call after an hour");
    equal([lost, dials()], [0, 1], "losses, dials");
  }),

  provesOnWire("H213", "does not declare a peer lost because this process slept", async (bench) => {
    const { transport, server, dials } = faultyPair(
      bench,
      serveOne((input) => input),
      () => ({}),
      LIFE,
    );
    const client = clientOfOne(bench, transport);
    await client.run(1);
    let lost = 0;
    server.listener.on("client-disconnected", () => void (lost += 1));
    for (const sleepMs of [5_000, 20_000, 60_000]) {
      // The timers run late and all at once, as after a blocked event loop: what the peer sent meanwhile is still unread.
      bench.clock.jump(sleepMs);
      await turns();
      equal(await client.run(sleepMs), sleepMs, "call after the sleep");
    }
    equal([lost, dials()], [0, 1], "losses, dials");
  }),

  provesOnWire("H214", "fires deadlines after hours of suspension, and no storm of timers", async (bench) => {
    const { transport } = faultyPair(
      bench,
      serveOne((input) => (input === "hang" ? createGate().passed : input)),
      () => ({}),
      LIFE,
    );
    const client = clientOfOne(bench, transport);
    await client.run(1);
    const call = client.run("hang", { timeoutMs: 60_000 });
    watch(call);
    await turns();
    bench.clock.jump(6 * 3_600_000);
    await rejects(call, { code: ["DEADLINE_EXCEEDED", "UNAVAILABLE"] }, "call across the suspension");
    await turns();
    check(bench.clock.pendingCount < 10, `${bench.clock.pendingCount} timers are set after the suspension`);
    equal(await client.run(2), 2, "call after the suspension");
  }),

  provesOnWire("H208", "settles every call wherever the wire is cut, and runs none twice", async (bench) => {
    for (const side of ["dialed", "accepted"] as const) {
      for (const cutAt of range(24)) {
        const runs = new Map<unknown, number>();
        const handler = serveMixed(runs);
        const { transport } = faultyPair(
          bench,
          handler,
          (dial) => (dial > 1 ? {} : { [side]: (channel: Channel) => cutAfter(channel, cutAt) }),
          FINAL,
        );
        const client = clientOf(bench, Mixed, transport);
        const settled = await Promise.allSettled([
          ...range(6).map((n) => client.echo(n)),
          ...range(2).map((n) => collect(client.count(n))),
        ]);
        for (const result of settled) {
          if (result.status === "rejected") expectError(result.reason, { code: "UNAVAILABLE" }, `cut at ${cutAt}`);
        }
        // A late cut falls into this call; then it is the next one that dials again.
        const after = await client.echo("after").catch(() => client.echo("again"));
        check(after === "after" || after === "again", `no call after a cut at ${cutAt}`);
        for (const [input, count] of runs)
          check(count === 1, `${String(input)} ran ${count} times after a cut at ${cutAt}`);
        await transport.close();
      }
    }
  }),

  provesOnWire(
    "C145",
    "ends or fails, and never hangs, on a wire that drops, repeats, swaps, corrupts or goes deaf",
    async (bench) => {
      const faults = {
        dropAfter: (at: number) => (channel: Channel) => dropAfter(channel, at),
        halfClose: (at: number) => (channel: Channel) => halfClose(channel, at),
        garbage: (at: number) => (channel: Channel) => garbage(channel, at),
        repeat: (at: number) => (channel: Channel) => repeat(channel, at),
        swap: (at: number) => (channel: Channel) => swap(channel, at),
      };
      for (const [name, fault] of Object.entries(faults)) {
        for (const at of [1, 2, 3, 5]) {
          const runs = new Map<unknown, number>();
          const { transport } = faultyPair(
            bench,
            serveMixed(runs),
            (dial) => (dial > 1 ? {} : { dialed: fault(at), accepted: fault(at) }),
            LIFE,
          );
          const client = clientOf(bench, Mixed, transport);
          const all = Promise.allSettled([...range(4).map((n) => client.echo(n)), collect(client.count("s"))]);
          const watched = watch(all);
          for (let step = 0; !watched.settled; step += 1) {
            if (step > 60) fail(`${name} at ${at}: calls hang although time goes on`);
            await turns(2);
            if (!watched.settled) bench.clock.advance(1_000);
          }
          for (const [input, count] of runs)
            check(count === 1, `${name} at ${at}: ${String(input)} ran ${count} times`);
          await transport.close();
        }
      }
    },
  ),

  provesOnWire(
    "H70",
    "leaves nothing behind when peers connect and leave again and again with calls pending",
    async (bench) => {
      let running = 0;
      const handler = serveOne(
        (_, ctx) =>
          new Promise<void>((resolve) => {
            running += 1;
            ctx.signal.addEventListener("abort", () => {
              running -= 1;
              resolve();
            });
          }),
      );
      const server = listenOnWire(bench, handler);
      await turns();
      const before = bench.clock.pendingCount;
      for (const n of range(100)) {
        const pair = await connectWire(bench);
        server.accept(pair.accepted);
        const raw = createRawPeer(pair.dialed, bench.wire.codec);
        await raw.greet();
        raw.send(callEnvelope(1, "testkit.One.run"));
        await until(() => running === 1, "the handler runs");
        if (n % 3 === 0) raw.leave();
        else if (n % 3 === 1) raw.close();
        else destroyChannel(pair.dialed);
        // A peer that ends its half without a word may still be reading, until its silence says that it is gone.
        await until(() => {
          if (running > 0) bench.clock.advance(500);
          return running === 0;
        }, "the handler has seen its signal");
        await pair.close();
      }
      equal([...server.listener.peers].length, 0, "peers left");
      equal(bench.clock.pendingCount, before, "timers left");
    },
  ),

  provesOnWire("H95", "takes a limit of 0 as zero and refuses limits that are no whole number", async (bench) => {
    for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      let refused: unknown;
      try {
        listenOnWire(
          bench,
          serveOne((input) => input),
          { maxCallsInFlight: wrong },
        );
      } catch (caught) {
        refused = caught;
      }
      check(refused instanceof RpcError && refused.code === "INVALID_ARGUMENT", `maxCallsInFlight ${wrong} was taken`);
      check(refused.message.includes("maxCallsInFlight"), "the refusal does not name the option");
    }
    const { raw } = await rawClient(
      bench,
      serveOne((input) => input),
      { maxCallsInFlight: 0 },
    );
    raw.send(callEnvelope(1, "testkit.One.run"));
    equal((await raw.next(Body.Fail)).error.code, 8, "a call with no call allowed (8 is RESOURCE_EXHAUSTED)");
  }),

  provesOnWire(
    "H209",
    "ends a call at its deadline while the dial never answers, and the dial with it",
    async (bench) => {
      const aborted = createGate();
      const transport = transportOver(bench, (signal) => {
        signal.addEventListener("abort", () => aborted.open());
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(RpcError.from(signal.reason)));
        });
      });
      const call = clientOfOne(bench, transport).run(1, { timeoutMs: 1_000 });
      watch(call);
      await turns();
      bench.clock.advance(1_000);
      await rejects(call, { code: "DEADLINE_EXCEEDED" }, "call");
      await transport.close();
      await aborted.passed;
    },
  ),

  provesOnWire(
    "H209",
    "fails waiting calls UNAVAILABLE when the dial fails, and dials again for the next",
    async (bench) => {
      let dials = 0;
      const server = listenOnWire(
        bench,
        serveOne((input) => input),
      );
      const transport = transportOver(bench, async () => {
        dials += 1;
        if (dials === 1) throw new RpcError("UNAVAILABLE", "nobody listens at wire:testkit", { delivered: "no" });
        const pair = await connectWire(bench);
        server.accept(pair.accepted);
        return pair.dialed;
      });
      const client = clientOfOne(bench, transport);
      const calls = range(3).map((n) => client.run(n));
      for (const call of calls) await rejects(call, { code: "UNAVAILABLE", delivered: "no" }, "call without a server");
      equal(await client.run(4), 4, "call once the server is there");
      equal(dials, 2, "dials");
    },
  ),
];

function serveMixed(runs: Map<unknown, number>): Handler {
  const ran = (input: unknown): void => void runs.set(input, (runs.get(input) ?? 0) + 1);
  return createRouter(Mixed, {
    echo: (input) => {
      ran(input);
      return input;
    },
    count: async function* (input) {
      ran(`stream ${String(input)}`);
      yield* range(5);
    },
  });
}

/** A pair whose wire can be made a black hole, with handlers that wait for their signal. */
async function silenced(bench: WireBench): Promise<{
  readonly client: ReturnType<typeof clientOfOne>;
  readonly server: ReturnType<typeof listenOnWire>;
  readonly aborted: ReturnType<typeof createGate>;
  readonly silence: () => void;
  readonly entered: () => number;
}> {
  let silent = false;
  let entered = 0;
  const aborted = createGate();
  const handler = serveOne(async (_, ctx) => {
    ctx.signal.addEventListener("abort", () => aborted.open());
    entered += 1;
    await aborted.passed;
  });
  const hole = (channel: Channel): Channel => blackHole(channel, () => silent);
  const { transport, server } = faultyPair(bench, handler, () => ({ dialed: hole, accepted: hole }), FINAL);
  await transport.ready();
  return {
    client: clientOfOne(bench, transport),
    server,
    aborted,
    silence: () => {
      silent = true;
    },
    entered: () => entered,
  };
}

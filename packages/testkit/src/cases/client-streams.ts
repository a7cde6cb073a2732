import { bidiStream, clientStream, createRouter, defineContract, RpcError } from "@rpc/core";
import { DEFAULT_LIMITS } from "@rpc/core/transport";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, createGate, turns, until } from "../gate.ts";
import { clientOf, proves, type TransportBench, type TransportCase } from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";

const Up = defineContract("testkit.Up", { send: clientStream() });
const Both = defineContract("testkit.Both", { talk: bidiStream() });

type Consumer = (input: AsyncIterable<unknown>, signal: AbortSignal) => Promise<unknown>;
type Talker = (input: AsyncIterable<unknown>, signal: AbortSignal) => AsyncIterable<unknown>;

/** C73–C77, C81, C82, C87, C88: many inputs, and many both ways. */
export const clientStreamCases: readonly TransportCase[] = [
  proves("C73", "sums messages of 27,182, 8, 1,828 and 45,904 bytes to 74,922 in one output", async (bench) => {
    const send = await sending(bench, async (input) => {
      let sum = 0;
      for await (const item of input) sum += (item as Uint8Array).length;
      return sum;
    });
    equal(await send([27_182, 8, 1_828, 45_904].map((size) => patterned(size, 5))), 74_922, "output");
  }),

  proves("C74", "gives one output for no messages", async (bench) => {
    const send = await sending(bench, async (input) => (await collect(input)).length);
    equal(await send([]), 0, "output");
  }),

  proves("C73", "delivers 2,000 messages in order and pauses a fast sender", async (bench) => {
    let produced = 0;
    let ahead = 0;
    const send = await sending(bench, async (input) => {
      let read = 0;
      for await (const item of input) {
        if (item !== read) equal(item, read, "message");
        read += 1;
        if (read % 200 === 0) {
          await turns(2);
          ahead = Math.max(ahead, produced - read);
        }
      }
      return read;
    });
    const items = (function* () {
      for (; produced < 2_000;) yield produced++;
    })();
    equal(await send(items), 2_000, "output");
    check(ahead <= DEFAULT_LIMITS.streamCredits, `the sender was ${ahead} messages ahead of the reader`);
  }),

  proves("C81", "stops both directions when it is cancelled before its input has ended", async (bench) => {
    const first = createGate();
    const aborted = createGate();
    const left = createGate();
    const send = await sending(bench, async (input, signal) => {
      signal.addEventListener("abort", () => aborted.open());
      for await (const _ of input) first.open();
    });
    const cancel = new AbortController();
    const endless = (async function* () {
      try {
        yield 1;
        for (;;) {
          await turns(1);
          yield 2;
        }
      } finally {
        left.open();
      }
    })();
    const call = send(endless, cancel.signal);
    call.catch(() => undefined);
    await first.passed;
    cancel.abort();
    await rejects(call, { code: "CANCELLED" }, "call");
    await left.passed;
    await aborted.passed;
  }),

  proves("C82", "ends the sender's stream without error when the handler returns early", async (bench) => {
    const left = createGate();
    const send = await sending(bench, async (input) => {
      for await (const item of input) return item;
      return undefined;
    });
    const endless = (async function* () {
      try {
        for (let i = 0; ; i += 1) yield i;
      } finally {
        left.open();
      }
    })();
    equal(await send(endless), 0, "output");
    await left.passed;
    equal(await send([7]), 7, "next call");
  }),

  proves("C88", "fails the stream on a later message over the limit and keeps what came before", async (bench) => {
    const seen: number[] = [];
    const pair = await bench.connect(
      createRouter(Up, {
        send: async (input) => {
          for await (const item of input) seen.push((item as string).length);
          return seen.length;
        },
      }),
      { limits: { maxMessageBytes: 20_000 } },
    );
    const client = clientOf(bench, Up, pair.transport);
    const items = ["a".repeat(100), "b".repeat(200), "c".repeat(25_000), "d"];
    await rejects(client.send(items), { code: "RESOURCE_EXHAUSTED" }, "stream");
    await until(() => seen.length >= 2, "the messages before the one that is too large are delivered");
    equal(seen, [100, 200], "messages before the one that is too large");
    equal(await client.send(["e"]), 3, "next stream");
  }),

  proves("C87", "ends a client stream on both sides at the deadline", async (bench) => {
    if (typeof bench.capabilities.clientStream !== "string") setAside("clientStream is declared a gap");
    const entered = createGate();
    const aborted = createGate();
    const send = await sending(bench, async (input, signal) => {
      signal.addEventListener("abort", () => aborted.open());
      for await (const _ of input) entered.open();
    });
    const hanging = (async function* () {
      yield 1;
      await createGate().passed;
    })();
    const call = send(hanging, undefined, 1_000);
    call.catch(() => undefined);
    await entered.passed;
    bench.clock.advance(1_000);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "stream");
    await aborted.passed;
  }),

  proves("C81", "tells the handler when the sender's own iterable fails", async (bench) => {
    const told = createGate<unknown>();
    const send = await sending(bench, async (input) => {
      try {
        await collect(input);
      } catch (caught) {
        told.open(caught);
        throw caught;
      }
      return "complete";
    });
    const failing = (async function* () {
      yield 1;
      throw new RpcError("ABORTED", "the source dried up");
    })();
    await rejects(send(failing), { code: "ABORTED", message: "dried up" }, "call");
    check((await told.passed) instanceof Error, "the handler saw a complete stream");
  }),

  proves("C75", "lets each end wait for the other, message by message", async (bench) => {
    const talk = await talking(bench, async function* (input) {
      for await (const item of input) yield (item as number) * 2;
    });
    const pongs: unknown[] = [];
    let next = createGate<unknown>();
    const output = talk(
      (async function* () {
        for (const n of range(50)) {
          next = createGate();
          yield n;
          equal(await next.passed, n * 2, "reply");
        }
      })(),
    );
    for await (const pong of output) {
      pongs.push(pong);
      next.open(pong);
    }
    equal(pongs.length, 50, "replies");
  }),

  proves("C76", "opens and ends with nothing in between", async (bench) => {
    const talk = await talking(bench, async function* (input) {
      for await (const item of input) yield item;
    });
    equal(await collect(talk([])), [], "messages");
  }),

  proves("C77", "takes all input first and gives all output afterwards", async (bench) => {
    const talk = await talking(bench, async function* (input) {
      const items = await collect(input);
      yield* items.toReversed();
    });
    equal(await collect(talk(range(500))), range(500).toReversed(), "messages");
  }),

  proves("C82", "ends the sender's half when a bidi handler ends first", async (bench) => {
    let state = "not begun";
    const talk = await talking(bench, async function* () {
      yield "only";
    });
    const endless = (async function* () {
      state = "begun";
      try {
        for (let i = 0; ; i += 1) yield i;
      } finally {
        state = "left";
      }
    })();
    equal(await collect(talk(endless)), ["only"], "messages");
    // The output may end before the input has begun; once it has, it is told.
    await until(() => state !== "begun", "the sender's half ends");
  }),

  proves("C80", "ends both halves when the reader of a bidi stream leaves", async (bench) => {
    if (typeof bench.capabilities.bidiStream !== "string") setAside("bidiStream is declared a gap");
    const left = createGate();
    const cleaned = createGate();
    const talk = await talking(bench, async function* (input) {
      try {
        for await (const item of input) yield item;
      } finally {
        cleaned.open();
      }
    });
    const endless = (async function* () {
      try {
        for (let i = 0; ; i += 1) yield i;
      } finally {
        left.open();
      }
    })();
    for await (const _ of talk(endless)) break;
    await left.passed;
    await cleaned.passed;
  }),
];

async function sending(
  bench: TransportBench,
  consume: Consumer,
): Promise<
  (items: AsyncIterable<unknown> | Iterable<unknown>, signal?: AbortSignal, timeoutMs?: number) => Promise<unknown>
> {
  const pair = await bench.connect(createRouter(Up, { send: (input, ctx) => consume(input, ctx.signal) }));
  const client = clientOf(bench, Up, pair.transport);
  return (items, signal, timeoutMs) => client.send(items, { signal, timeoutMs });
}

async function talking(
  bench: TransportBench,
  talk: Talker,
): Promise<(items: AsyncIterable<unknown> | Iterable<unknown>) => AsyncIterable<unknown>> {
  const pair = await bench.connect(createRouter(Both, { talk: (input, ctx) => talk(input, ctx.signal) }));
  const client = clientOf(bench, Both, pair.transport);
  return (items) => client.talk(items);
}

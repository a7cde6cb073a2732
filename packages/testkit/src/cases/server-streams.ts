import { createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import type { CallContext, Handler } from "@rpc/core/transport";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, createGate, turns, until, watch } from "../gate.ts";
import { whole } from "../shapes.ts";
import {
  clientOf,
  type ConnectOptions,
  proves,
  STREAM_CREDITS,
  type TransportBench,
  type TransportCase,
  WITHOUT_RESUME,
} from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";

const Streams = defineContract("testkit.Streams", { read: serverStream(), ping: unary() });
const Typed = defineContract("testkit.Typed", {
  read: serverStream({ input: whole, output: whole, errors: { Torn: whole } }),
});

type Producer = (input: unknown, ctx: CallContext) => AsyncIterable<unknown> | Iterable<unknown>;

/** C71, C72, C78–C80, C83–C86, C89: many outputs for one input. */
export const serverStreamCases: readonly TransportCase[] = [
  proves("C71", "delivers messages of 31,415, 9, 2,653 and 58,979 bytes in order, then the end", async (bench) => {
    const sizes = [31_415, 9, 2_653, 58_979];
    const client = await streaming(bench, async function* () {
      for (const size of sizes) yield patterned(size, 3);
    });
    equal(
      await collect(client.read()),
      sizes.map((size) => patterned(size, 3)),
      "messages",
    );
  }),

  proves("C72", "ends without messages", async (bench) => {
    const inputs: unknown[] = [];
    const client = await streaming(bench, async function* (input) {
      inputs.push(input);
      yield* [];
    });
    equal(await collect(client.read({ n: 0 })), [], "messages");
    equal(inputs, [{ n: 0 }], "inputs");
  }),

  proves("C78", "delivers what was sent before a failure, then the status with its details", async (bench) => {
    const pair = await bench.connect(
      createRouter(Typed, {
        read: async function* (count) {
          yield* range(count);
          throw Typed.read.error("Torn", count, { code: "ABORTED" });
        },
      }),
    );
    const items: number[] = [];
    const reading = (async () => {
      for await (const item of clientOf(bench, Typed, pair.transport).read(5)) items.push(item);
    })();
    const error = await rejects(reading, { code: "ABORTED", reason: "Torn" }, "stream");
    equal(items, range(5), "messages before the failure");
    equal(error.details, 5, "details");
  }),

  proves("C79", "gives the status alone for a failure before the first message", async (bench) => {
    const client = await streaming(bench, (input) => {
      if (input === "at once") throw new RpcError("NOT_FOUND", "no such thing");
      return failingStream();
    });
    await rejects(collect(client.read("at once")), { code: "NOT_FOUND" }, "failure of the handler");
    await rejects(collect(client.read("later")), { code: "ABORTED" }, "failure of the generator");
    equal(await client.ping(1), 1, "call after the failures");
  }),

  proves(
    "C80",
    "aborts the producer's signal and runs its finally when the reader leaves, also while it waits for credit",
    async (bench) => {
      for (const leaveAfter of [1, 3]) {
        const cleaned = createGate();
        const aborted = createGate();
        const client = await streaming(bench, async function* (_, ctx) {
          ctx.signal.addEventListener("abort", () => aborted.open());
          try {
            for (let i = 0; ; i += 1) yield i;
          } finally {
            cleaned.open();
          }
        });
        const items: unknown[] = [];
        for await (const item of client.read()) {
          items.push(item);
          if (items.length === leaveAfter) break;
        }
        await Promise.all([cleaned.passed, aborted.passed]);
        equal(items, range(leaveAfter), "messages");
      }
    },
  ),

  proves("C80", "runs the finally of a producer that waits for something of its own", async (bench) => {
    const cleaned = createGate();
    const client = await streaming(bench, async function* (_, ctx) {
      try {
        yield 1;
        await new Promise<void>((resolve) => {
          ctx.signal.addEventListener("abort", () => resolve());
        });
      } finally {
        cleaned.open();
      }
    });
    for await (const item of client.read()) {
      equal(item, 1, "message");
      break;
    }
    await cleaned.passed;
  }),

  proves("C83", "pauses a fast producer: what is under way never exceeds the credits", async (bench) => {
    const streamCredits = 8;
    let produced = 0;
    const client = await streaming(
      bench,
      async function* () {
        for (; produced < 1_000;) {
          produced += 1;
          yield produced;
        }
      },
      { limits: { streamCredits }, callerLimits: { streamCredits } },
    );
    let read = 0;
    let most = 0;
    for await (const _ of client.read()) {
      read += 1;
      if (read % 50 === 0) await turns(2);
      most = Math.max(most, produced - read);
    }
    equal(read, 1_000, "messages read");
    // The one that the producer holds in its hand is not under way yet.
    if (bench.loses(STREAM_CREDITS)) return check(most > streamCredits + 1, "a producer is held back after all");
    check(most <= streamCredits + 1, `${most} messages were ahead of the reader with ${streamCredits} credits`);
  }),

  proves("C84", "lets 100 streams and unary calls make progress side by side", async (bench) => {
    const client = await streaming(bench, async function* (input) {
      for (const n of range(50)) {
        yield `${String(input)}:${n}`;
        if (n % 10 === 0) await turns(1);
      }
    });
    const streams = Promise.all(range(100).map((i) => collect(client.read(i))));
    // Looked at only behind the calls, and on a wire without streams they fail long before.
    watch(streams);
    const calls = range(100).map((n) => client.ping(n));
    equal(await Promise.all(calls), range(100), "unary replies");
    for (const [i, items] of (await streams).entries()) {
      equal(
        items,
        range(50).map((n) => `${i}:${n}`),
        `stream ${i}`,
      );
    }
  }),

  proves("C84", "does not let a reader that stands still hold up anything else", async (bench) => {
    const client = await streaming(bench, async function* () {
      for (;;) yield patterned(10_000, 1);
    });
    const still = client.read()[Symbol.asyncIterator]();
    await still.next();
    equal(await Promise.all(range(200).map((n) => client.ping(n))), range(200), "unary replies");
    await still.return?.();
  }),

  proves(
    "C85",
    "refuses or holds back streams beyond the limit, and frees the slot of one that has ended",
    async (bench) => {
      const gate = createGate();
      const client = await streaming(
        bench,
        async function* (input) {
          yield input;
          await gate.passed;
        },
        { limits: { maxStreams: 3 } },
      );
      const open = range(3).map((n) => client.read(n)[Symbol.asyncIterator]());
      await Promise.all(open.map((each) => each.next()));
      let surplus = "waits";
      const fourth = collect(client.read("surplus")).then(
        () => (surplus = "ended"),
        (caught: unknown) => (surplus = RpcError.from(caught).code),
      );
      await turns();
      check(surplus === "waits" || surplus === "RESOURCE_EXHAUSTED", `the stream beyond the limit ${surplus}`);
      gate.open();
      for (const each of open) check((await each.next()).done, "an open stream did not end");
      await fourth;
      for (let i = 0; i < 10; i += 1) equal(await collect(client.read(i)), [i], "stream in a freed slot");
    },
  ),

  proves("C86", "delivers 100,000 messages in order with the right checksum", async (bench) => {
    const count = 100_000;
    let sent = 0;
    const client = await streaming(bench, async function* () {
      for (let i = 0; i < count; i += 1) {
        sent = (sent * 31 + i) >>> 0;
        yield i;
      }
    });
    let received = 0;
    let expected = 0;
    for await (const item of client.read()) {
      if (item !== expected) equal(item, expected, "message");
      expected += 1;
      received = (received * 31 + (item as number)) >>> 0;
    }
    equal([expected, received], [count, sent], "count and checksum");
  }),

  proves(
    "C89",
    "ends the iteration UNAVAILABLE when the connection is lost for good, never as if complete",
    async (bench) => {
      const gate = createGate();
      const pair = await bench.connect(
        serveStreams(async function* () {
          yield 1;
          await gate.passed;
        }),
        WITHOUT_RESUME,
      );
      const iterator = clientOf(bench, Streams, pair.transport).read()[Symbol.asyncIterator]();
      equal(await iterator.next(), { done: false, value: 1 }, "first message");
      if (pair.cut === undefined) await pair.listener?.close();
      else await pair.cut();
      if (pair.cut === undefined && pair.listener === undefined) {
        // In memory nothing can be lost but the transport itself.
        await pair.transport.close();
      }
      await rejects(iterator.next(), { code: "UNAVAILABLE" }, "stream after the loss");
      gate.open();
    },
  ),

  proves("C80", "frees everything when a stream is opened and never read", async (bench) => {
    const cleaned = createGate();
    const client = await streaming(bench, async function* () {
      try {
        for (let i = 0; ; i += 1) yield i;
      } finally {
        cleaned.open();
      }
    });
    const iterator = client.read()[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    await cleaned.passed;
    check((await iterator.next()).done, "a stream that was left gives messages again");
  }),

  proves("C72", "carries metadata with an empty stream", async (bench) => {
    if (typeof bench.capabilities.metadata !== "string") setAside("metadata is declared a gap");
    const seen: (string | undefined)[] = [];
    const client = await streaming(bench, async function* (_, ctx) {
      seen.push(ctx.metadata.get("x-key"));
      yield* [];
    });
    await collect(client.read(undefined, { metadata: { "x-key": "kept" } }));
    await until(() => seen.length === 1, "the handler runs");
    equal(seen, ["kept"], "metadata at the handler");
  }),
];

function serveStreams(read: Producer): Handler {
  return createRouter(Streams, { read, ping: (input) => input });
}

async function streaming(bench: TransportBench, read: Producer, options?: ConnectOptions): Promise<StreamClient> {
  const pair = await bench.connect(serveStreams(read), options);
  return clientOf(bench, Streams, pair.transport);
}

interface StreamClient {
  readonly read: (
    input?: unknown,
    options?: { readonly metadata?: Readonly<Record<string, string>> },
  ) => AsyncIterable<unknown>;
  readonly ping: (input?: unknown) => Promise<unknown>;
}

// oxlint-disable-next-line require-yield -- a stream that fails before its first message is what is tested
async function* failingStream(): AsyncIterable<unknown> {
  throw new RpcError("ABORTED", "failed before the first message");
}

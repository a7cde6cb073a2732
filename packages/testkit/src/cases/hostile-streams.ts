import { bidiStream, clientStream, createRouter, defineContract, serverStream, unary } from "@rpc/core";
import { Body, type Handler } from "@rpc/core/transport";
import { check, equal, rejects } from "../assert.ts";
import { collect, createGate, turns, until, watch } from "../gate.ts";
import { callEnvelope, endEnvelope, itemEnvelope, payload, type RawPeer, resultEnvelope } from "../raw-peer.ts";
import { rawClient, rawServer } from "../session-bench.ts";
import { clientOf, provesOnWire, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const Streams = defineContract("testkit.Raw", {
  down: serverStream(),
  idle: serverStream(),
  up: clientStream(),
  both: bidiStream(),
  ping: unary(),
});

/** H45, H51–H53, H17: stream envelopes that no honest peer sends. */
export const hostileStreamCases: readonly TransportCase[] = [
  provesOnWire(
    "H51",
    "fails an input stream with a gap DATA_LOSS and one with a repeat INTERNAL, and goes on",
    async (bench) => {
      const { raw } = await rawClient(bench, serveStreams());
      raw.send(callEnvelope(1, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
      raw.send(itemEnvelope(1, 1, "a"));
      raw.send(itemEnvelope(1, 3, "c"));
      equal(await failure(raw), [1, 15], "gap (15 is DATA_LOSS)");
      raw.send(callEnvelope(3, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
      raw.send(itemEnvelope(3, 1, "a"));
      raw.send(itemEnvelope(3, 1, "a"));
      equal(await failure(raw), [3, 13], "repeat (13 is INTERNAL)");
      await answersPing(raw, 5);
    },
  ),

  provesOnWire("H51", "ignores items behind the end of an input stream and behind a cancel", async (bench) => {
    const { raw } = await rawClient(bench, serveStreams());
    raw.send(callEnvelope(1, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
    raw.send(itemEnvelope(1, 1, "a"));
    raw.send(endEnvelope(1));
    equal((await raw.next(Body.Result)).id, 1, "result of the stream");
    raw.send(itemEnvelope(1, 2, "late"));
    raw.send(endEnvelope(1));
    raw.send(callEnvelope(3, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
    raw.send({ body: Body.Cancel, id: 3, reason: "" });
    raw.send(itemEnvelope(3, 1, "late"));
    await answersPing(raw, 5);
  }),

  provesOnWire(
    "H51",
    "does not deliver an item that comes behind the end of the input but before the result",
    async (bench) => {
      const gate = createGate();
      const seen: unknown[] = [];
      const { raw } = await rawClient(
        bench,
        serveStreams(async (input) => {
          for await (const item of input) seen.push(item);
          await gate.passed;
          return seen.length;
        }),
      );
      raw.send(callEnvelope(1, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
      raw.send(itemEnvelope(1, 1, "a"));
      raw.send(endEnvelope(1));
      raw.send(itemEnvelope(1, 2, "late"));
      await turns();
      gate.open();
      await until(() => raw.count(Body.Result) + raw.count(Body.Fail) === 1, "the stream ends");
      equal(seen, ["a"], "items at the handler");
      await answersPing(raw, 3);
    },
  ),

  provesOnWire("H51", "ends the session on an item for a call that was never made", async (bench) => {
    const { raw, connect } = await rawClient(bench, serveStreams());
    raw.send(itemEnvelope(7, 1, "a"));
    await raw.closed;
    await answersPing(await connect(), 1);
  }),

  provesOnWire(
    "H51",
    "fails an output stream with a gap DATA_LOSS at the caller, and tells the server",
    async (bench) => {
      const { raw, transport } = await rawServer(bench);
      const client = clientOf(bench, Streams, transport);
      const reading = collect(client.down());
      watch(reading);
      const { id } = await raw.next(Body.Call);
      raw.send(itemEnvelope(id, 1, "a"));
      raw.send(itemEnvelope(id, 3, "c"));
      await rejects(reading, { code: "DATA_LOSS" }, "stream with a gap");
      equal((await raw.next(Body.Cancel)).id, id, "id of the cancel");
      const ping = client.ping(1);
      const call = await raw.next(Body.Call);
      raw.send(resultEnvelope(call.id, "pong"));
      equal(await ping, "pong", "next call");
    },
  ),

  provesOnWire(
    "H45",
    "fails a server stream INTERNAL that gets a result, and a client stream that gets two",
    async (bench) => {
      const { raw, transport } = await rawServer(bench);
      const client = clientOf(bench, Streams, transport);
      const reading = collect(client.down());
      watch(reading);
      const { id } = await raw.next(Body.Call);
      raw.send(resultEnvelope(id, "not a stream"));
      await rejects(reading, { code: "INTERNAL" }, "server stream that got a result");
      const sending = client.up(["a"]);
      const up = await raw.next(Body.Call);
      raw.send(resultEnvelope(up.id, "first"));
      raw.send(resultEnvelope(up.id, "second"));
      equal(await sending, "first", "client stream");
    },
  ),

  provesOnWire("H45", "fails a client stream INTERNAL that ends without output", async (bench) => {
    const { raw, transport } = await rawServer(bench);
    const client = clientOf(bench, Streams, transport);
    const sending = client.up(["a"]);
    watch(sending);
    const { id } = await raw.next(Body.Call);
    raw.send(endEnvelope(id));
    await rejects(sending, { code: "INTERNAL" }, "client stream without output");
  }),

  provesOnWire("H52", "ends the session on items without credit", async (bench) => {
    const { raw, connect } = await rawClient(
      bench,
      serveStreams(() => createGate().passed),
      { streamCredits: 4 },
    );
    raw.send(callEnvelope(1, "testkit.Raw.up", { kind: "clientStream", payload: undefined }));
    for (const n of range(50)) raw.send(itemEnvelope(1, n + 1, "x"));
    await raw.closed;
    await answersPing(await connect(), 1);
  }),

  provesOnWire("H52", "ends the session on credit that adds up to more than a number holds", async (bench) => {
    for (const credits of [2 ** 53 - 1, 2 ** 32 - 1, 2 ** 30, 0]) {
      const { raw, connect } = await rawClient(bench, serveStreams());
      // A stream that has nothing to send keeps the credit that it gets.
      raw.send(callEnvelope(1, "testkit.Raw.idle", { kind: "serverStream", credits: 1 }));
      await raw.next(Body.Item);
      let sayable = true;
      for (let i = 0; sayable && i < 5; i += 1) {
        try {
          raw.send({ body: Body.Credit, id: 1, credits });
        } catch {
          // The codec of this wire has no way to say such a number.
          sayable = false;
        }
      }
      if (sayable) await raw.closed;
      else raw.leave();
      await answersPing(await connect(), 1);
    }
  }),

  provesOnWire("H52", "sends no item beyond the credit it was given", async (bench) => {
    const { raw } = await rawClient(bench, serveStreams());
    raw.send(callEnvelope(1, "testkit.Raw.down", { kind: "serverStream", credits: 3 }));
    await until(() => raw.count(Body.Item) >= 3, "three items");
    await turns();
    equal(raw.count(Body.Item), 3, "items for 3 credits");
    raw.send({ body: Body.Credit, id: 1, credits: 2 });
    await until(() => raw.count(Body.Item) >= 5, "five items");
    await turns();
    equal(raw.count(Body.Item), 5, "items for 5 credits");
  }),

  provesOnWire("H53", "bounds streams that are opened and never read", async (bench) => {
    const { raw } = await rawClient(bench, serveStreams(), { maxCallsInFlight: 50, maxStreams: 50 });
    for (const n of range(2_000)) {
      raw.send(callEnvelope(2 * n + 1, "testkit.Raw.down", { kind: "serverStream", credits: 2 }));
    }
    await until(() => raw.count(Body.Fail) === 1_950, "1,950 refusals");
    await turns();
    equal([raw.count(Body.Item), raw.isClosed], [100, false], "items sent, session ended");
    const { error } = await raw.next(Body.Fail);
    equal(error.code, 8, "code of the refusal (8 is RESOURCE_EXHAUSTED)");
  }),

  provesOnWire("H17", "stops working for a peer that does not read", async (bench) => {
    const big = "x".repeat(60_000);
    let runs = 0;
    const Big = defineContract("testkit.Big", { run: unary() });
    const { raw, server, connect } = await rawClient(bench, createRouter(Big, { run: () => ((runs += 1), big) }), {
      maxSendBufferBytes: 2 * 1024 * 1024,
      maxCallsInFlight: 10_000,
    });
    raw.pauseReading();
    for (const n of range(2_000)) {
      raw.send(callEnvelope(2 * n + 1, "testkit.Big.run"));
      if (n % 50 === 0) await turns(1);
      if ([...server.listener.peers].length === 0) break;
    }
    await turns();
    check(runs < 2_000, `all ${runs} calls ran for a peer that reads nothing`);
    raw.close();
    const other = await connect();
    other.send(callEnvelope(1, "testkit.Big.run"));
    await other.next(Body.Result);
  }),
];

function serveStreams(up?: (input: AsyncIterable<unknown>) => Promise<unknown>): Handler {
  return createRouter(Streams, {
    down: async function* () {
      for (let i = 1; ; i += 1) yield i;
    },
    idle: async function* (_, ctx) {
      yield 1;
      await new Promise<void>((resolve) => {
        ctx.signal.addEventListener("abort", () => resolve());
      });
    },
    up: up ?? (async (input) => (await collect(input)).length),
    both: (input) => input,
    ping: (input) => input,
  });
}

async function failure(raw: RawPeer): Promise<[number, number]> {
  const { id, error } = await raw.next(Body.Fail);
  return [id, error.code];
}

async function answersPing(raw: RawPeer, id: number): Promise<void> {
  raw.send(callEnvelope(id, "testkit.Raw.ping", { payload: payload("ping") }));
  let result = await raw.next(Body.Result);
  while (result.id < id) result = await raw.next(Body.Result);
  equal(result.id, id, "call on a healthy session");
}

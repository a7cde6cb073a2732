import { createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import { Body } from "@rpc/core/transport";
import { check, equal, rejects } from "../assert.ts";
import { createGate, turns, until, watch } from "../gate.ts";
import { callEnvelope, failEnvelope, payload, type RawPeer, resultEnvelope } from "../raw-peer.ts";
import { rawClient, rawServer } from "../session-bench.ts";
import { clientOfOne, provesOnWire, serveOne, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const RUN = "testkit.One.run";
const Mixed = defineContract("testkit.Mixed", { echo: unary(), count: serverStream() });

/** H11, H41–H50, H54, H55, H59, H63: envelopes that no honest peer sends. */
export const hostileSessionCases: readonly TransportCase[] = [
  provesOnWire(
    "H11",
    "ends the session on bytes behind a complete envelope and on bytes that are none",
    async (bench) => {
      const spoil: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
        (bytes) => Uint8Array.of(...bytes, 0xff, 0xff, 0xff),
        (bytes) => bytes.slice(0, -1),
        () => new Uint8Array(40).fill(0xff),
        () => Uint8Array.of(0xff),
        () => new TextEncoder().encode("null"),
        () => new TextEncoder().encode("[]"),
      ];
      let runs = 0;
      const handler = serveOne(() => void (runs += 1));
      for (const change of spoil) {
        const { raw, connect } = await rawClient(bench, handler);
        raw.sendBytes(change(raw.encode(callEnvelope(1, RUN))));
        const reason = await raw.closed;
        check(reason.message.length > 0, "the end has no reason");
        equal(raw.count(Body.Goodbye), 1, "goodbyes");
        equal(runs, 0, "runs of the handler");
        await servedOn(await connect());
        runs = 0;
      }
    },
  ),

  provesOnWire("H41", "ends the session on a call id that cannot be one, and serves the next peer", async (bench) => {
    for (const id of [0, -1, 1.5, 2, 2 ** 53, Number.NaN]) {
      const { raw, connect } = await rawClient(
        bench,
        serveOne((input) => input),
      );
      let sent = true;
      try {
        raw.send(callEnvelope(id, RUN));
      } catch {
        // The codec of this wire has no way to say such a number.
        sent = false;
      }
      if (sent) {
        await raw.closed;
        equal(raw.count(Body.Result), 0, `results for call id ${id}`);
      }
      await servedOn(await connect());
    }
  }),

  provesOnWire(
    "H42",
    "refuses a second call under an id that is in flight and leaves the first alone",
    async (bench) => {
      const gate = createGate();
      let runs = 0;
      const { raw } = await rawClient(
        bench,
        serveOne(async () => {
          runs += 1;
          await gate.passed;
          return "first";
        }),
      );
      raw.send(callEnvelope(1, RUN));
      raw.send(callEnvelope(1, RUN));
      const fail = await raw.next(Body.Fail);
      equal([fail.id, fail.error.code], [1, 6], "refusal (6 is ALREADY_EXISTS)");
      gate.open();
      equal((await raw.next(Body.Result)).id, 1, "id of the result");
      equal([runs, raw.isClosed], [1, false], "runs, session ended");
    },
  ),

  provesOnWire("H44", "ignores replies to no call, second replies and replies after a cancel", async (bench) => {
    const { raw, transport } = await rawServer(bench);
    const client = clientOfOne(bench, transport);
    const first = client.run(1);
    const { id } = await raw.next(Body.Call);
    raw.send(resultEnvelope(id, "one"));
    raw.send(resultEnvelope(id, "two"));
    raw.send(failEnvelope(id, 13, "three"));
    equal(await first, "one", "first reply");
    const handle = client.run.start(2);
    const second = await raw.next(Body.Call);
    await handle.cancel();
    await rejects(handle, { code: "CANCELLED" }, "cancelled call");
    await raw.next(Body.Cancel);
    raw.send(resultEnvelope(second.id, "late"));
    const third = client.run(3);
    const call = await raw.next(Body.Call);
    raw.send(resultEnvelope(call.id, "fine"));
    equal(await third, "fine", "call after the surplus replies");
  }),

  provesOnWire("H44", "ends or ignores, and never hangs on, a reply to a call that was never made", async (bench) => {
    const { raw, transport } = await rawServer(bench);
    const client = clientOfOne(bench, transport);
    const call = client.run(1);
    const watched = watch(call);
    const { id } = await raw.next(Body.Call);
    raw.send(resultEnvelope(id + 1_000, "to nobody"));
    await turns();
    if (!raw.isClosed) raw.send(resultEnvelope(id, "mine"));
    await until(() => watched.settled, "the call settles");
  }),

  provesOnWire(
    "H45",
    "fails a unary call INTERNAL that gets an item or an end, and goes on with the others",
    async (bench) => {
      const { raw, transport } = await rawServer(bench);
      const client = clientOfOne(bench, transport);
      for (const wrong of ["item", "end", "credit"] as const) {
        const bad = client.run("bad");
        const good = client.run("good");
        watch(bad);
        const badCall = await raw.next(Body.Call);
        const goodCall = await raw.next(Body.Call);
        if (wrong === "item")
          raw.send({ body: Body.Item, id: badCall.id, seq: 1, payload: payload(1), extra: undefined });
        else if (wrong === "end") raw.send({ body: Body.End, id: badCall.id, error: undefined, metadata: undefined });
        else raw.send({ body: Body.Credit, id: badCall.id, credits: 1 });
        await rejects(bad, { code: "INTERNAL" }, `unary call that got ${wrong}`);
        raw.send(resultEnvelope(goodCall.id, "fine"));
        equal(await good, "fine", "the other call");
      }
    },
  ),

  provesOnWire("H46", "ignores an envelope of a kind that it does not know", async (bench) => {
    const { raw } = await rawClient(
      bench,
      serveOne((input) => input),
    );
    raw.sendBytes(unknownEnvelope(bench.wire.codec.name));
    await servedOn(raw);
  }),

  provesOnWire("H47", "ignores fields that it does not know", async (bench) => {
    const { raw } = await rawClient(
      bench,
      serveOne(() => "served"),
    );
    raw.sendBytes(withUnknownField(bench.wire.codec.name, raw.encode(callEnvelope(1, RUN))));
    const reply = await raw.next(Body.Result);
    equal([reply.id, raw.isClosed], [1, false], "reply, session ended");
  }),

  provesOnWire("H48", "gives an error code outside the sixteen as UNKNOWN", async (bench) => {
    const { raw, transport } = await rawServer(bench);
    const client = clientOfOne(bench, transport);
    for (const code of [0, 17, 999]) {
      const call = client.run(code);
      watch(call);
      const { id } = await raw.next(Body.Call);
      raw.send(failEnvelope(id, code, "odd"));
      await rejects(call, { code: "UNKNOWN", message: "odd" }, `error code ${code}`);
    }
  }),

  provesOnWire("H49", "keeps special characters of an error text and cuts one of 10 MB", async (bench) => {
    const text = "\u0000 \r\n \t ☺ 😈 end";
    const { raw } = await rawClient(
      bench,
      serveOne((input) => {
        throw new RpcError("ABORTED", input === null ? text : "x".repeat(10_000_000));
      }),
    );
    raw.send(callEnvelope(1, RUN));
    equal((await raw.next(Body.Fail)).error.message, text, "text under the limit");
    raw.send(callEnvelope(3, RUN, { payload: payload(1) }));
    const { error } = await raw.next(Body.Fail);
    check(error.message.length < 200_000, `a text of ${error.message.length} characters travelled`);
    equal([error.code, raw.isClosed], [10, false], "code of the cut error (10 is ABORTED), session ended");
  }),

  provesOnWire("H50", "ignores cancels for finished calls, twice, and for another peer's call", async (bench) => {
    const gate = createGate();
    const aborts: unknown[] = [];
    const handler = serveOne(async (input, ctx) => {
      ctx.signal.addEventListener("abort", () => aborts.push(input));
      if (input === "slow") await gate.passed;
      return input;
    });
    const { raw, connect } = await rawClient(bench, handler);
    const other = await connect();
    other.send(callEnvelope(1, RUN, { payload: payload("slow") }));
    raw.send(callEnvelope(1, RUN, { payload: payload("fast") }));
    await raw.next(Body.Result);
    for (const _ of range(3)) raw.send({ body: Body.Cancel, id: 1, reason: "not yours" });
    raw.send(callEnvelope(3, RUN, { payload: payload("again") }));
    equal((await raw.next(Body.Result)).id, 3, "call after the cancels");
    gate.open();
    equal((await other.next(Body.Result)).id, 1, "the other peer's call");
    equal(aborts, [], "signals aborted");
  }),

  provesOnWire(
    "H54",
    "refuses calls beyond maxCallsInFlight, finishes earlier ones and serves other peers",
    async (bench) => {
      const gate = createGate();
      let running = 0;
      let most = 0;
      const { raw, connect } = await rawClient(
        bench,
        serveOne(async (input) => {
          running += 1;
          most = Math.max(most, running);
          if (input !== "quick") await gate.passed;
          running -= 1;
          return input;
        }),
        { maxCallsInFlight: 4 },
      );
      for (const n of range(10)) raw.send(callEnvelope(2 * n + 1, RUN, { payload: payload(n) }));
      await until(() => raw.count(Body.Fail) === 6, "six refusals");
      check((await raw.next(Body.Fail)).error.code === 8, "the surplus is not refused RESOURCE_EXHAUSTED");
      const other = await connect();
      other.send(callEnvelope(1, RUN, { payload: payload("quick") }));
      await other.next(Body.Result);
      gate.open();
      await until(() => raw.count(Body.Result) === 4, "four results");
      check(most <= 5, `${most} handlers ran at once`);
      raw.send(callEnvelope(101, RUN, { payload: payload("quick") }));
      await until(() => raw.count(Body.Result) === 5, "a call after the others have finished");
    },
  ),

  provesOnWire(
    "H55",
    "survives calls that are opened and cancelled at once, and leaves nothing behind",
    async (bench) => {
      let running = 0;
      const handler = createRouter(Mixed, {
        echo: (_, ctx) => {
          running += 1;
          return new Promise<void>((resolve) => {
            ctx.signal.addEventListener("abort", () => {
              running -= 1;
              resolve();
            });
          });
        },
        count: async function* (_, ctx) {
          running += 1;
          try {
            while (!ctx.signal.aborted) yield 1;
          } finally {
            running -= 1;
          }
        },
      });
      const { raw, connect } = await rawClient(bench, handler);
      for (const n of range(5_000)) {
        const id = 2 * n + 1;
        if (n % 2 === 0) raw.send(callEnvelope(id, "testkit.Mixed.echo"));
        else raw.send(callEnvelope(id, "testkit.Mixed.count", { kind: "serverStream", credits: 4 }));
        raw.send({ body: Body.Cancel, id, reason: "" });
        if (n % 100 === 0) await turns(1);
        if (raw.isClosed) break;
      }
      await until(() => running === 0, "every handler has seen its signal");
      const other = await connect();
      other.send(callEnvelope(1, "testkit.Mixed.count", { kind: "serverStream", credits: 1 }));
      await other.next(Body.Item);
      other.leave();
      await until(() => running === 0, "the last handler has seen its signal");
    },
  ),

  provesOnWire("H59", "takes deadlines as time that remains: a peer's clock does not matter", async (bench) => {
    const seen: (number | undefined)[] = [];
    const { raw } = await rawClient(
      bench,
      serveOne((_, ctx) => void seen.push(ctx.deadline)),
    );
    raw.send(callEnvelope(1, RUN, { deadlineMs: 5_000 }));
    await raw.next(Body.Result);
    equal(seen, [bench.clock.now() + 5_000], "deadline on the clock of the server");
  }),

  provesOnWire("H58", "does not run a call that arrives with no time left", async (bench) => {
    let runs = 0;
    const { raw } = await rawClient(
      bench,
      serveOne(() => void (runs += 1)),
    );
    raw.send(callEnvelope(1, RUN, { deadlineMs: 0 }));
    equal((await raw.next(Body.Fail)).error.code, 4, "code (4 is DEADLINE_EXCEEDED)");
    raw.send(callEnvelope(3, RUN, { deadlineMs: 4_294_967_295 }));
    await raw.next(Body.Result);
    equal(runs, 1, "runs of the handler");
  }),

  provesOnWire("H63", "answers a ping, ignores an unasked pong, and bounds a flood", async (bench) => {
    const { raw, connect } = await rawClient(
      bench,
      serveOne((input) => input),
    );
    raw.send({ body: Body.Pong, token: 4 });
    raw.send({ body: Body.Ping, token: 77 });
    equal((await raw.next(Body.Pong)).token, 77, "token of the pong");
    for (const token of range(20_000)) {
      raw.send({ body: Body.Ping, token });
      if (token % 500 === 0) await turns(1);
      if (raw.isClosed) break;
    }
    await turns();
    check(raw.isClosed || raw.count(Body.Pong) < 20_001, "20,000 pings in no time were all answered");
    await servedOn(await connect());
  }),
];

/** Proves that a session still serves. */
async function servedOn(raw: RawPeer): Promise<void> {
  raw.send(callEnvelope(101, RUN));
  equal((await raw.next(Body.Result)).id, 101, "call on a healthy session");
}

/** An envelope with body number 90, in the two formats that there are. */
function unknownEnvelope(codec: "protobuf" | "json"): Uint8Array {
  // Field 90, wire type 2 (length-delimited), two bytes inside: tag = 90 << 3 | 2 = 722.
  if (codec === "protobuf") return Uint8Array.of(0xd2, 0x05, 2, 0x08, 0x01);
  return new TextEncoder().encode('{"b":90,"id":1}');
}

function withUnknownField(codec: "protobuf" | "json", bytes: Uint8Array): Uint8Array {
  if (codec === "protobuf") {
    // Field 200, a varint, behind the body.
    return Uint8Array.of(...bytes, 0xc0, 0x0c, 0x07);
  }
  const text = new TextDecoder().decode(bytes);
  return new TextEncoder().encode(`${text.slice(0, text.lastIndexOf("}"))},"added":{"later":[1]}}`);
}

import { createRouter, defineContract, serverStream, unary } from "@rpc/core";
import { Body, type Channel, type Handler } from "@rpc/core/transport";
import { check, equal, expectError, rejects } from "../assert.ts";
import { dropAfter, type Fault, repeat, swap, wrapChannel } from "../faults.ts";
import { collect, createGate, passing, turns, until, watch } from "../gate.ts";
import { challengeEnvelope, introduce, type Introduction, welcomeEnvelope } from "../raw-handshake.ts";
import { callEnvelope, createRawPeer, payload, type RawPeer, resultEnvelope } from "../raw-peer.ts";
import {
  connectWire,
  dialRaw,
  faultyPair,
  listenOnWire,
  transportOver,
  type WireBench,
  type WireListener,
} from "../session-bench.ts";
import { clientOf, clientOfOne, provesOnWire, serveOne, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const RUN = "testkit.One.run";
const RESUMES = ["ack", "resume"];
const Mixed = defineContract("testkit.Mixed", { echo: unary(), count: serverStream() });
const SECRETS = { bot: "the secret of the bot, quite long", spy: "the secret of the spy, quite long" };

/** H38, H65, H66: whoever comes back to a session that is not theirs, and counts that cannot be. */
export const hostileResumeCases: readonly TransportCase[] = [
  provesOnWire("H38", "gives a new session to a token that nobody was given", async (bench) => {
    const server = listenOnWire(
      bench,
      serveOne(() => "mine"),
    );
    for (const sessionId of [new Uint8Array(16).fill(5), new Uint8Array(0), new Uint8Array(15), new Uint8Array(400)]) {
      const { raw, welcome } = await comeBack(bench, server, { resume: { sessionId, received: 0 } });
      equal([welcome.resumed, welcome.refusal], [false, "unknown-session"], `token of ${sessionId.length} bytes`);
      raw.send(callEnvelope(1, RUN));
      equal((await raw.next(Body.Result)).id, 1, "call in the new session");
    }
  }),

  provesOnWire("H38", "gives a new session to a token whose time is over", async (bench) => {
    const { server, raw, sessionId } = await heldSession(bench, { resumeWindowMs: 2_000 });
    raw.close();
    await until(() => {
      bench.clock.advance(500);
      return [...server.listener.peers].length === 0;
    }, "the session ends");
    const { welcome } = await comeBack(bench, server, { resume: { sessionId, received: 0 } });
    equal([welcome.resumed, welcome.refusal], [false, "unknown-session"], "welcome");
  }),

  provesOnWire("H38", "gives nobody's replies to another identity, and leaves the session alone", async (bench) => {
    const { server, raw, sessionId, gate } = await heldSession(bench, { secrets: SECRETS }, { secret: SECRETS.bot });
    const spy = await comeBack(bench, server, { secret: SECRETS.spy, resume: { sessionId, received: 0 } });
    equal([spy.welcome.resumed, spy.welcome.refusal], [false, "other-principal"], "welcome of the spy");
    gate.open();
    equal((await raw.next(Body.Result)).id, 1, "reply to whom it belongs");
    await turns();
    equal([spy.raw.count(Body.Result), raw.isClosed], [0, false], "replies to the spy, session of the other ended");
  }),

  provesOnWire(
    "H38",
    "lets the newest go on when a token is used twice, and closes the older channel",
    async (bench) => {
      const { server, raw, sessionId, gate } = await heldSession(bench);
      const second = await comeBack(bench, server, { resume: { sessionId, received: 0 } });
      check(second.welcome.resumed, `the second was refused: ${second.welcome.refusal}`);
      await raw.closed;
      const third = await comeBack(bench, server, { resume: { sessionId, received: 0 } });
      check(third.welcome.resumed, `the third was refused: ${third.welcome.refusal}`);
      await second.raw.closed;
      gate.open();
      equal((await third.raw.next(Body.Result)).id, 1, "reply to the newest");
      equal([raw.count(Body.Result), second.raw.count(Body.Result)], [0, 0], "replies to the older ones");
    },
  ),

  provesOnWire("H65", "ends the session on an acknowledgement of messages that were never sent", async (bench) => {
    for (const ack of [1, 1_000, Number.MAX_SAFE_INTEGER]) {
      const { server, raw, aborted } = await heldSession(bench);
      raw.send({ body: Body.Ping, token: 1 }, { ack, ackRequested: false });
      await raw.closed;
      equal(raw.count(Body.Goodbye), 1, `goodbyes after an acknowledgement of ${ack}`);
      await aborted.passed;
      check(server.errors.length > 0, "nobody heard of it");
    }
  }),

  provesOnWire("H65", "ends the session on an acknowledgement that goes backwards", async (bench) => {
    const { raw, gate } = await heldSession(bench);
    gate.open();
    for (const id of [3, 5, 7]) raw.send(callEnvelope(id, RUN, { payload: payload("quick") }));
    await until(() => raw.count(Body.Result) === 4, "four replies");
    raw.send({ body: Body.Ping, token: 1 }, { ack: 4, ackRequested: false });
    await raw.next(Body.Pong);
    raw.send({ body: Body.Ping, token: 2 }, { ack: 3, ackRequested: false });
    await raw.closed;
    equal(raw.count(Body.Goodbye), 1, "goodbyes");
  }),

  provesOnWire("H65", "begins anew when somebody comes back with a count that cannot be", async (bench) => {
    for (const received of [1, 1_000_000]) {
      const { server, raw, sessionId, aborted, runs } = await heldSession(bench);
      raw.close();
      const { raw: next, welcome } = await comeBack(bench, server, { resume: { sessionId, received } });
      equal([welcome.resumed, welcome.refusal], [false, "count-mismatch"], "welcome");
      await aborted.passed;
      next.send(callEnvelope(1, RUN, { payload: payload("quick") }));
      equal((await next.next(Body.Result)).id, 1, "call in the new session");
      equal(runs(), 2, "runs");
    }
  }),

  provesOnWire("H65", "fails the calls of a client whose server acknowledges what was never sent", async (bench) => {
    const pair = await connectWire(bench);
    const transport = transportOver(bench, async () => pair.dialed);
    const raw = createRawPeer(pair.accepted, bench.wire.codec);
    const call = clientOfOne(bench, transport).run(1);
    watch(call);
    await raw.next(Body.Hello);
    raw.send(challengeEnvelope({ features: RESUMES }));
    raw.send(welcomeEnvelope({ resumeWindowMs: 30_000 }));
    const { id } = await raw.next(Body.Call);
    raw.send({ body: Body.Ping, token: 1 }, { ack: 2, ackRequested: false });
    await rejects(call, { code: "UNAVAILABLE" }, "call");
    await raw.closed;
    raw.send(resultEnvelope(id, "late"));
  }),

  provesOnWire(
    "H65",
    "fails the calls of a client whose server resumes from outside of what was kept",
    async (bench) => {
      const raws: RawPeer[] = [];
      const transport = transportOver(bench, async () => {
        const pair = await connectWire(bench);
        raws.push(createRawPeer(pair.accepted, bench.wire.codec));
        return pair.dialed;
      });
      const call = clientOfOne(bench, transport).run(1);
      watch(call);
      await until(() => raws.length === 1, "the dial");
      await raws[0]?.next(Body.Hello);
      raws[0]?.send(challengeEnvelope({ features: RESUMES }));
      raws[0]?.send(welcomeEnvelope({ resumeWindowMs: 30_000 }));
      await raws[0]?.next(Body.Call);
      raws[0]?.close();
      await until(() => {
        bench.clock.advance(100);
        return raws.length === 2;
      }, "the second dial");
      const hello = await raws[1]?.next(Body.Hello);
      equal(hello?.resume?.received, 0, "count of the one that comes back");
      raws[1]?.send(challengeEnvelope({ features: RESUMES }));
      raws[1]?.send(welcomeEnvelope({ resumed: true, received: 7, resumeWindowMs: 30_000 }));
      await rejects(call, { code: "UNAVAILABLE" }, "call");
      equal(raws[1]?.count(Body.Call), 0, "calls sent again");
    },
  ),

  provesOnWire(
    "H66",
    "runs nothing twice and takes nothing for complete on a wire that loses, repeats or swaps a message",
    async (bench) => {
      for (const [name, fault] of Object.entries(FAULTS)) {
        for (const at of range(12)) await throughBrokenWire(bench, `message ${at + 3} ${name}`, fault(at + 3));
      }
    },
  ),
];

/** Positions count from 1; the first messages are the handshake. */
const FAULTS: Readonly<Record<string, (at: number) => Fault>> = {
  lost: (at) => (channel) => dropOne(channel, at),
  "and what follows lost": (at) => (channel) => dropAfter(channel, at),
  repeated: (at) => (channel) => repeat(channel, at),
  swapped: (at) => (channel) => swap(channel, at),
};

function dropOne(channel: Channel, at: number): Channel {
  let sent = 0;
  return wrapChannel(channel, {
    send: (message, transfer) => {
      sent += 1;
      return sent === at ? true : channel.send(message, transfer);
    },
  });
}

function serveMixed(runs: Map<unknown, number>): Handler {
  const ran = (input: unknown): void => void runs.set(input, (runs.get(input) ?? 0) + 1);
  return createRouter(Mixed, {
    echo: (input) => {
      ran(input);
      return input;
    },
    count: async function* (input) {
      ran("count");
      yield* range(input as number);
    },
  });
}

/** What was called ends, rightly or with an error, while time goes on. */
async function throughBrokenWire(bench: WireBench, place: string, fault: Fault): Promise<void> {
  for (const side of ["dialed", "accepted"] as const) {
    const runs = new Map<unknown, number>();
    const { transport } = faultyPair(bench, serveMixed(runs), (dial) => (dial > 1 ? {} : { [side]: fault }));
    const client = clientOf(bench, Mixed, transport);
    // The deadline ends what waits for a message that the wire has swallowed, when nothing else shows that one is missing.
    const options = { timeoutMs: 4_000 };
    const calls = range(6).map((n) => client.echo(n, options));
    const expected: readonly unknown[] = [...range(6), range(20)];
    const all = Promise.allSettled([...calls, collect(client.count(20, options))]);
    const settled = await passing(bench.clock, all, `everything ends (${place}, ${side})`, 400);
    for (const [i, result] of settled.entries()) {
      if (result.status === "fulfilled") equal(result.value, expected[i], `output ${i} (${place}, ${side})`);
      else expectError(result.reason, { code: ENDINGS }, `call ${i} (${place}, ${side})`);
    }
    for (const [input, count] of runs) equal(count, 1, `runs of ${String(input)} (${place}, ${side})`);
    await transport.close();
  }
}

const ENDINGS = ["UNAVAILABLE", "DATA_LOSS", "INTERNAL", "DEADLINE_EXCEEDED", "ALREADY_EXISTS"] as const;

/** A raw peer in a session that can be resumed, with a call in flight whose handler waits. */
async function heldSession(
  bench: WireBench,
  options: Parameters<typeof listenOnWire>[2] = {},
  introduction: Introduction = {},
): Promise<{
  readonly server: WireListener;
  readonly raw: RawPeer;
  readonly sessionId: Uint8Array;
  readonly gate: ReturnType<typeof createGate<void>>;
  readonly aborted: ReturnType<typeof createGate<unknown>>;
  readonly runs: () => number;
}> {
  const gate = createGate();
  const aborted = createGate<unknown>();
  let runs = 0;
  const handler = serveOne(async (input, ctx) => {
    runs += 1;
    if (input === "quick") return input;
    ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
    await gate.passed;
    return "held";
  });
  const server = listenOnWire(bench, handler, options);
  const { raw, welcome } = await comeBack(bench, server, introduction);
  raw.send(callEnvelope(1, RUN));
  await until(() => runs === 1, "the handler runs");
  return { server, raw, sessionId: welcome.sessionId.slice(), gate, aborted, runs: () => runs };
}

async function comeBack(
  bench: WireBench,
  server: WireListener,
  introduction: Introduction,
): Promise<{ readonly raw: RawPeer; readonly welcome: Awaited<ReturnType<typeof introduce>> }> {
  const raw = await dialRaw(bench, server);
  return { raw, welcome: await introduce(raw, { features: RESUMES, ...introduction }) };
}

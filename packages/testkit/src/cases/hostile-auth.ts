import { Body, type Envelope } from "@rpc/core/transport";
import { check, equal, rejects, setAside } from "../assert.ts";
import { turns, until, watch } from "../gate.ts";
import { challenged, challengeEnvelope, helloEnvelope, introduce, welcomeEnvelope } from "../raw-handshake.ts";
import { callEnvelope, createRawPeer, type RawPeer } from "../raw-peer.ts";
import {
  connectWire,
  dialRaw,
  listenOnWire,
  transportOver,
  type WireBench,
  type WireListener,
} from "../session-bench.ts";
import { clientOfOne, provesOnWire, serveOne, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const RUN = "testkit.One.run";
const SECRET = "correct horse battery staple";
/** Numbers of the status codes as they travel. */
const UNAUTHENTICATED = 16;
const FAILED_PRECONDITION = 9;

/** H19–H24, H26–H29, H31–H34, H36: handshakes that no honest peer makes. */
export const hostileAuthCases: readonly TransportCase[] = [
  provesOnWire("H19", "runs what is sent behind a proof only once the proof is verified", async (bench) => {
    const { server, runs } = guarded(bench);
    for (const right of [false, true]) {
      const raw = await dialRaw(bench, server);
      const { proofs } = await challenged(raw, { secret: right ? SECRET : "another secret, quite long" });
      prove(raw, proofs.initiator);
      raw.send(callEnvelope(1, RUN));
      if (right) await raw.next(Body.Result);
      else await turnedAway(raw, UNAUTHENTICATED);
    }
    equal(runs(), 1, "runs");
  }),

  provesOnWire(
    "H20",
    "ends the connection when a call comes before the handshake or in place of the proof",
    async (bench) => {
      const { server, runs } = guarded(bench);
      const early = await dialRaw(bench, server);
      early.send(callEnvelope(1, RUN));
      await early.closed;
      const unproved = await dialRaw(bench, server);
      await challenged(unproved, { secret: SECRET });
      unproved.send(callEnvelope(1, RUN));
      await unproved.closed;
      equal([runs(), early.count(Body.Challenge)], [0, 0], "runs, challenges to the one that said no Hello");
      await provesItself(bench, server);
    },
  ),

  provesOnWire("H21", "ends the connection when more comes before the proof than a handshake needs", async (bench) => {
    const { server, runs } = guarded(bench);
    const large = await dialRaw(bench, server);
    large.send(helloEnvelope({ mechanisms: ["hmac-sha256"], software: "x".repeat(1_100) }));
    await large.closed;
    const many = await dialRaw(bench, server);
    const { proofs } = await challenged(many, { secret: SECRET });
    prove(
      many,
      proofs.initiator.map((byte) => byte ^ 1),
    );
    for (const n of range(100)) many.send(callEnvelope(2 * n + 1, RUN));
    await many.closed;
    equal([runs(), large.count(Body.Challenge)], [0, 0], "runs, challenges to the large Hello");
    await provesItself(bench, server);
  }),

  provesOnWire("H22", "ends a connection whose handshake stays half done, when its time is over", async (bench) => {
    const { server } = guarded(bench);
    const silent = await dialRaw(bench, server);
    const half = await dialRaw(bench, server);
    await challenged(half, { secret: SECRET });
    bench.clock.advance(9_000);
    await turns();
    equal([silent.isClosed, half.isClosed], [false, false], "ended before the time was over");
    bench.clock.advance(1_000);
    await Promise.all([silent.closed, half.closed]);
    await provesItself(bench, server);
  }),

  provesOnWire("H23", "ends the connection on a first message that is none, and serves the next", async (bench) => {
    const { server, runs } = guarded(bench);
    const texts = [
      "null",
      "[]",
      "5",
      '"hello"',
      "{}",
      '{"b":3}',
      '{"b":3,"nonce":5,"versions":"x"}',
      '{"b":"__proto__"}',
    ];
    const messages = [...texts.map((text) => new TextEncoder().encode(text)), new Uint8Array(40).fill(0xff)];
    for (const message of messages) {
      const raw = await dialRaw(bench, server);
      raw.sendBytes(message);
      // What may be skipped, because a newer peer may say it, leaves the connection to its deadline.
      await until(() => {
        if (!raw.isClosed) bench.clock.advance(500);
        return raw.isClosed;
      }, "the connection ends");
    }
    equal(runs(), 0, "runs");
    // Those whose Hello was one, but offered nothing, count as failures of this address.
    bench.clock.advance(60_000);
    await provesItself(bench, server);
  }),

  provesOnWire("H24", "refuses proofs that are empty, short, long, or of another mechanism", async (bench) => {
    const changes: readonly ((mac: Uint8Array) => Envelope)[] = [
      () => proof(new Uint8Array(0)),
      (mac) => proof(mac.slice(0, 31)),
      (mac) => proof(Uint8Array.of(...mac, 0)),
      (mac) => ({ body: Body.Proof, mac: new Uint8Array(0), token: String(mac) }),
    ];
    for (const change of changes) {
      const { server, runs } = guarded(bench);
      const raw = await dialRaw(bench, server);
      const { proofs } = await challenged(raw, { secret: SECRET });
      raw.send(change(proofs.initiator));
      await turnedAway(raw, UNAUTHENTICATED);
      equal(runs(), 0, "runs");
    }
  }),

  provesOnWire("H26", "refuses a proof of an earlier connection", async (bench) => {
    const { server } = guarded(bench);
    const first = await dialRaw(bench, server);
    const recorded = await challenged(first, { secret: SECRET });
    const second = await dialRaw(bench, server);
    await challenged(second, { secret: SECRET });
    prove(second, recorded.proofs.initiator);
    await turnedAway(second, UNAUTHENTICATED);
  }),

  provesOnWire("H27", "refuses its own proof and its own challenge sent back", async (bench) => {
    const { server } = guarded(bench);
    const raw = await dialRaw(bench, server);
    const { proofs } = await challenged(raw, { secret: SECRET });
    prove(raw, proofs.acceptor);
    await turnedAway(raw, UNAUTHENTICATED);
    const { raw: mirror, outcome } = await impostor(bench);
    const hello = await mirror.next(Body.Hello);
    mirror.send(challengeEnvelope({ nonce: hello.nonce.slice(), mechanism: "hmac-sha256" }));
    await rejects(outcome, { code: "UNAUTHENTICATED", delivered: "no" }, "call to a server that sends our nonce back");
    equal(mirror.count(Body.Proof), 0, "proofs given to it");
  }),

  provesOnWire("H28", "refuses a nonce of zeros or of another length, on both ends", async (bench) => {
    for (const nonce of [
      new Uint8Array(32),
      new Uint8Array(31).fill(7),
      new Uint8Array(33).fill(7),
      new Uint8Array(0),
    ]) {
      const { server } = guarded(bench);
      const raw = await dialRaw(bench, server);
      raw.send(helloEnvelope({ nonce, mechanisms: ["hmac-sha256"] }));
      await turnedAway(raw, UNAUTHENTICATED);
      const { raw: peer, outcome } = await impostor(bench);
      await peer.next(Body.Hello);
      peer.send(challengeEnvelope({ nonce, mechanism: "hmac-sha256" }));
      await rejects(outcome, { code: "UNAUTHENTICATED", delivered: "no" }, "call");
      equal(peer.count(Body.Proof), 0, "proofs given for such a nonce");
    }
  }),

  provesOnWire("H29", "refuses a peer that offers no mechanism, an unknown one or a weaker one", async (bench) => {
    for (const mechanisms of [[], ["none"], ["hmac-md5"], ["tls-cert", "none"], ["token"]]) {
      const { server, runs } = guarded(bench);
      const raw = await dialRaw(bench, server);
      raw.send(helloEnvelope({ mechanisms }));
      raw.send(callEnvelope(1, RUN));
      await turnedAway(raw, UNAUTHENTICATED);
      equal(runs(), 0, "runs");
    }
  }),

  provesOnWire("H31", "gives the same reply wherever a proof is wrong", async (bench) => {
    const replies = new Set<string>();
    for (const at of [0, 15, 31]) {
      const { server } = guarded(bench);
      const raw = await dialRaw(bench, server);
      const { proofs } = await challenged(raw, { secret: SECRET });
      prove(
        raw,
        proofs.initiator.map((byte, i) => (i === at ? byte ^ 1 : byte)),
      );
      replies.add(await turnedAway(raw, UNAUTHENTICATED));
    }
    equal(replies.size, 1, "different replies");
  }),

  provesOnWire("H32", "ends the session on a second handshake", async (bench) => {
    for (const second of [helloEnvelope(), welcomeEnvelope(), challengeEnvelope(), proof(new Uint8Array(32))]) {
      const { server, runs } = guarded(bench);
      const raw = await dialRaw(bench, server);
      await introduce(raw, { secret: SECRET });
      raw.send(second);
      await raw.closed;
      equal([runs(), raw.count(Body.Goodbye)], [0, 1], "runs, goodbyes");
    }
  }),

  provesOnWire("H33", "names the served version to a peer that speaks others only", async (bench) => {
    for (const versions of [[], [0], [2], [2, 3, 4_294_967_295]]) {
      const { server } = guarded(bench);
      const raw = await dialRaw(bench, server);
      raw.send(helloEnvelope({ versions, mechanisms: ["hmac-sha256"] }));
      const message = await turnedAway(raw, FAILED_PRECONDITION);
      check(message.includes("version 1"), `the refusal names no version: "${message}"`);
    }
  }),

  provesOnWire("H34", "sends no call to a server that cannot prove the secret", async (bench) => {
    for (const lie of ["nothing", "wrong", "echo"] as const) {
      const { raw, outcome } = await impostor(bench);
      await raw.next(Body.Hello);
      raw.send(challengeEnvelope({ mechanism: "hmac-sha256" }));
      const { mac } = await raw.next(Body.Proof);
      const answers = { nothing: new Uint8Array(0), wrong: new Uint8Array(32).fill(1), echo: mac.slice() };
      raw.send(welcomeEnvelope({ mac: answers[lie] }));
      await rejects(outcome, { code: "UNAUTHENTICATED", delivered: "no" }, `call to a server that proves ${lie}`);
      equal(raw.count(Body.Call), 0, "calls sent");
    }
  }),

  provesOnWire(
    "H34",
    "sends no call to a server that asks for no proof when the caller has a secret",
    async (bench) => {
      for (const mechanism of ["none", "token", "tls-cert", "hmac-md5"]) {
        const { raw, outcome } = await impostor(bench);
        await raw.next(Body.Hello);
        raw.send(challengeEnvelope({ mechanism }));
        raw.send(welcomeEnvelope());
        await rejects(
          outcome,
          { code: "UNAUTHENTICATED", delivered: "no" },
          `call to a server that asks for ${mechanism}`,
        );
        equal(raw.count(Body.Call), 0, "calls sent");
      }
    },
  ),

  provesOnWire("H36", "holds back its answers to an address that has guessed again and again", async (bench) => {
    const remotes = [await connectWire(bench), await connectWire(bench)].map(({ accepted }) => accepted.remote);
    const addresses = new Set(remotes.map((remote) => remote.replace(/:\d+$/, "")));
    if (addresses.size > 1) setAside("each connection of this wire has an address of its own");
    const { server, runs } = guarded(bench);
    const established = await dialRaw(bench, server);
    await introduce(established, { secret: SECRET });
    for (const _ of range(5)) {
      const raw = await dialRaw(bench, server);
      const { proofs } = await challenged(raw, { secret: "a guess, and not a good one" });
      prove(raw, proofs.initiator);
      await turnedAway(raw, UNAUTHENTICATED);
    }
    const waiting = await dialRaw(bench, server);
    const challenge = challenged(waiting, { secret: SECRET });
    const watched = watch(challenge);
    await turns(10);
    check(!watched.settled, "the sixth try was answered at once");
    established.send(callEnvelope(1, RUN));
    await established.next(Body.Result);
    bench.clock.advance(2_000);
    prove(waiting, (await challenge).proofs.initiator);
    await waiting.next(Body.Welcome);
    equal(runs(), 1, "runs");
  }),
];

/** A server that asks for the proof of the secret. */
function guarded(bench: WireBench): { readonly server: WireListener; readonly runs: () => number } {
  let runs = 0;
  const handler = serveOne(() => void (runs += 1));
  // Without heartbeats nothing happens on the clock but what the case is about.
  return { server: listenOnWire(bench, handler, { secret: SECRET, heartbeatMs: 0 }), runs: () => runs };
}

/** A raw peer where a caller with the secret expects its server, and what becomes of the caller's call. */
async function impostor(bench: WireBench): Promise<{ readonly raw: RawPeer; readonly outcome: Promise<unknown> }> {
  const pair = await connectWire(bench);
  const transport = transportOver(bench, async () => pair.dialed, { secret: SECRET });
  const raw = createRawPeer(pair.accepted, bench.wire.codec);
  const outcome = clientOfOne(bench, transport).run(1);
  watch(outcome);
  return { raw, outcome };
}

function proof(mac: Uint8Array): Envelope {
  return { body: Body.Proof, mac, token: "" };
}

function prove(raw: RawPeer, mac: Uint8Array): void {
  raw.send(proof(mac));
}

/** The peer is told why, and gets nothing else. Gives the sentence. */
async function turnedAway(raw: RawPeer, code: number): Promise<string> {
  const { error } = await raw.next(Body.Goodbye);
  equal(error?.code, code, "code of the refusal");
  await raw.closed;
  equal([raw.count(Body.Welcome), raw.count(Body.Result)], [0, 0], "welcomes and results");
  return error?.message ?? "";
}

/** Whoever knows the secret is served, whatever others did. */
async function provesItself(bench: WireBench, server: WireListener): Promise<void> {
  const raw = await dialRaw(bench, server);
  await introduce(raw, { secret: SECRET });
  raw.send(callEnvelope(1, RUN));
  await raw.next(Body.Result);
}

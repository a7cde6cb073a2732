import { Body, type Compression, type Envelope } from "@rpc/core/transport";
import { check, equal, fail, rejects, setAside } from "../assert.ts";
import { wrapChannel } from "../faults.ts";
import { turns } from "../gate.ts";
import { challengeEnvelope, introduce, welcomeEnvelope } from "../raw-handshake.ts";
import { callEnvelope, createRawPeer, payload, type RawPeer, resultEnvelope } from "../raw-peer.ts";
import { connectWire, dialRaw, listenOnWire, transportOver, type WireBench } from "../session-bench.ts";
import { clientOfOne, provesOnWire, serveOne, type TransportCase } from "../transport-bench.ts";
import { patterned } from "./bytes.ts";

const RUN = "testkit.One.run";

/** C48, H12, H13: messages that travel compressed. */
export const compressionCases: readonly TransportCase[] = [
  provesOnWire("C48", "compresses input and output, each direction by itself", async (bench) => {
    const compressions = compressionsOf(bench);
    const sent = { dialed: 0, accepted: 0 };
    const counting =
      (side: keyof typeof sent) =>
      (channel: Parameters<typeof wrapChannel>[0]): ReturnType<typeof wrapChannel> =>
        wrapChannel(channel, {
          send: (message, transfer) => {
            sent[side] += message.length;
            return channel.send(message, transfer);
          },
        });
    const server = listenOnWire(
      bench,
      serveOne((input) => (input === "large" ? "y".repeat(100_000) : (input as string | Uint8Array).length)),
      { compressions },
    );
    const dial = async (): Promise<ReturnType<typeof wrapChannel>> => {
      const pair = await connectWire(bench);
      server.accept(counting("accepted")(pair.accepted));
      return counting("dialed")(pair.dialed);
    };
    const client = clientOfOne(bench, transportOver(bench, dial, { compressions }));
    await client.run("");
    const cost = async (call: () => Promise<unknown>): Promise<readonly [number, number]> => {
      const before = { ...sent };
      await call();
      return [sent.dialed - before.dialed, sent.accepted - before.accepted];
    };
    const input = await cost(async () => equal(await client.run("x".repeat(100_000)), 100_000, "length of the input"));
    check(input[0] < 10_000, `100,000 equal letters took ${input[0]} bytes`);
    const output = await cost(async () => equal(await client.run("large"), "y".repeat(100_000), "output"));
    check(output[0] < 1_000 && output[1] < 10_000, `an output of 100,000 equal letters took ${output[1]} bytes`);
    const noise = crypto.getRandomValues(new Uint8Array(50_000));
    equal(await client.run(noise), 50_000, "length of an input that cannot be compressed");
    equal(await client.run(patterned(271_828, 1)), 271_828, "length of a large input");
  }),

  provesOnWire("C48", "compresses nothing when only one end wants it", async (bench) => {
    const compressions = compressionsOf(bench);
    const server = listenOnWire(
      bench,
      serveOne(() => "y".repeat(100_000)),
      { compressions },
    );
    const raw = await dialRaw(bench, server);
    await introduce(raw);
    raw.send(callEnvelope(1, RUN));
    equal((await raw.next(Body.Result)).id, 1, "result, as it is");
    equal(raw.count(Body.Compressed), 0, "compressed messages");
  }),

  provesOnWire("H12", "stops inflating a message at maxMessageBytes and ends the session", async (bench) => {
    for (const inflatedBytes of [20_001, 50_000_000]) {
      const { raw, compression, runs } = await compressingClient(bench, { maxMessageBytes: 20_000 });
      const bomb = compression.compress(new Uint8Array(inflatedBytes));
      check(bomb.length < 20_000, "this bomb is none");
      raw.send({ body: Body.Compressed, data: bomb });
      const { error } = await raw.next(Body.Goodbye);
      check(error !== undefined, "the end has no reason");
      await raw.closed;
      equal(runs(), 0, "runs");
    }
  }),

  provesOnWire("H12", "counts the limit in bytes that are not compressed, at both ends", async (bench) => {
    const { raw, compression, runs } = await compressingClient(bench, { maxMessageBytes: 20_000 });
    raw.send(compressed(raw, compression, callEnvelope(1, RUN, { payload: payload("x".repeat(18_000)) })));
    equal((await raw.next(Body.Result)).id, 1, "a call under the limit");
    equal(runs(), 1, "runs");
    const limits = { maxMessageBytes: 20_000, compressions: compressionsOf(bench) };
    const pair = await connectWire(bench);
    const server = listenOnWire(
      bench,
      serveOne((input) => input),
      limits,
    );
    server.accept(pair.accepted);
    const client = clientOfOne(
      bench,
      transportOver(bench, async () => pair.dialed, limits),
    );
    await rejects(client.run("x".repeat(30_000)), { code: "RESOURCE_EXHAUSTED" }, "input over the limit");
    equal(await client.run("fine"), "fine", "call after the refusal");
  }),

  provesOnWire("H12", "ends the session of a server that sends such a message, and fails the call", async (bench) => {
    const compression = firstOf(bench);
    const pair = await connectWire(bench);
    const options = { compressions: compressionsOf(bench), maxMessageBytes: 20_000 };
    const transport = transportOver(bench, async () => pair.dialed, options);
    const raw = createRawPeer(pair.accepted, bench.wire.codec);
    const call = clientOfOne(bench, transport).run(1);
    await raw.next(Body.Hello);
    raw.send(challengeEnvelope({ features: [compression.name] }));
    raw.send(welcomeEnvelope());
    const { id } = await raw.next(Body.Call);
    raw.send(compressed(raw, compression, resultEnvelope(id, "y".repeat(1_000_000))));
    await rejects(call, { code: ["UNAVAILABLE", "RESOURCE_EXHAUSTED"] }, "call");
    await raw.closed;
  }),

  provesOnWire("H13", "ends the session on a compressed message where none was agreed", async (bench) => {
    let runs = 0;
    const handler = serveOne(() => void (runs += 1));
    const data = bench.wire.compressions?.[0]?.compress(new Uint8Array(2_000)) ?? new Uint8Array(100).fill(31);
    for (const features of [[], ["deflate"], ["ack"]]) {
      const raw = await dialRaw(bench, listenOnWire(bench, handler));
      await introduce(raw, { features });
      raw.send({ body: Body.Compressed, data });
      await raw.closed;
      equal([raw.count(Body.Goodbye), runs], [1, 0], "goodbyes, runs");
    }
  }),

  provesOnWire("H13", "takes no compressed message in place of a handshake", async (bench) => {
    const raw = await dialRaw(
      bench,
      listenOnWire(
        bench,
        serveOne(() => fail("the handler ran")),
      ),
    );
    raw.send({ body: Body.Compressed, data: new Uint8Array(100).fill(31) });
    await raw.closed;
    equal(raw.count(Body.Challenge), 0, "challenges");
  }),

  provesOnWire(
    "H13",
    "ends the session on data that is truncated, changed, empty or compressed twice",
    async (bench) => {
      if ((bench.wire.compressions ?? []).length === 0) setAside("the wire has no compression");
      const call = callEnvelope(1, RUN, { payload: payload("x".repeat(5_000)) });
      const changes: readonly ((data: Uint8Array, compression: Compression) => Uint8Array)[] = [
        (data) => data.slice(0, -1),
        (data) => data.slice(0, 5),
        (data) => data.map((byte, i) => (i < 4 ? byte ^ 0xff : byte)),
        () => new Uint8Array(0),
      ];
      for (const change of changes) {
        const { raw, compression, runs } = await compressingClient(bench);
        raw.send({ body: Body.Compressed, data: change(compression.compress(raw.encode(call)), compression) });
        await raw.closed;
        equal([raw.count(Body.Goodbye), runs()], [1, 0], "goodbyes, runs");
      }
      const { raw, compression, runs } = await compressingClient(bench);
      raw.send(compressed(raw, compression, compressed(raw, compression, call)));
      await raw.closed;
      await turns();
      equal(runs(), 0, "runs of what was compressed twice");
    },
  ),
];

function compressionsOf(bench: WireBench): readonly Compression[] {
  return bench.wire.compressions ?? fail("a transport that declares compression gives them with its wire");
}

function firstOf(bench: WireBench): Compression {
  return compressionsOf(bench)[0] ?? fail("a transport that declares compression has at least one");
}

function compressed(raw: RawPeer, compression: Compression, envelope: Envelope): Envelope {
  return { body: Body.Compressed, data: compression.compress(raw.encode(envelope)) };
}

/** A raw client that has agreed on the first compression with its server. */
async function compressingClient(
  bench: WireBench,
  limits: { readonly maxMessageBytes?: number } = {},
): Promise<{ readonly raw: RawPeer; readonly compression: Compression; readonly runs: () => number }> {
  const compression = firstOf(bench);
  let runs = 0;
  const handler = serveOne(() => void (runs += 1));
  const raw = await dialRaw(bench, listenOnWire(bench, handler, { ...limits, compressions: [compression] }));
  await introduce(raw, { features: [compression.name] });
  return { raw, compression, runs: () => runs };
}

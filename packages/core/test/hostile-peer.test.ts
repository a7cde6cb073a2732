import { describe, expect, it } from "vitest";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body, type Envelope } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, CHALLENGE, dialTo, failure, Gate, json, listen, rawClient, type RawPeer, WELCOME } from "./rig.ts";

const Test = defineContract("test.Test", {
  echo: unary(),
  hang: unary(),
  gated: unary(),
  count: serverStream(),
  sum: clientStream(),
  both: bidiStream(),
  wake: notification(),
});

/** A server, a raw peer of it, and a second one that must not feel anything. */
async function rig(options: Parameters<typeof listen>[1] = {}) {
  const contexts: CallContext[] = [];
  const gate = new Gate<unknown>();
  const sums: unknown[] = [];
  const listener = listen(
    createRouter(Test, {
      echo: (input) => input,
      hang: (_input, ctx) => {
        contexts.push(ctx);
        return new Promise(() => undefined);
      },
      gated: () => gate.promise,
      count: async function* (_input, ctx) {
        contexts.push(ctx);
        for (let i = 1; ; i++) yield i;
      },
      sum: async (items, ctx) => {
        contexts.push(ctx);
        for await (const item of items) sums.push(item);
        return sums.length;
      },
      both: async function* (items, ctx) {
        contexts.push(ctx);
        for await (const item of items) yield item;
      },
      wake: () => undefined,
    }),
    options,
  );
  const peer = await rawClient(listener);
  const other = await rawClient(listener);
  return { listener, peer, other, contexts, gate, sums };
}

type Rig = Awaited<ReturnType<typeof rig>>;

async function expectOthersServed({ other, listener }: Rig): Promise<void> {
  await other.send(call(1, "test.Test.echo", { payload: json("unaffected") }));
  expect(other.results).toEqual(["unaffected"]);
  expect([...listener.peers].length).toBeGreaterThan(0);
}

async function expectClosed(setup: Rig): Promise<void> {
  expect(setup.peer.goodbye).toMatchObject({ code: 13, reason: "PROTOCOL" });
  expect(setup.peer.ends).toHaveLength(1);
  expect(setup.listener.connectionCount).toBe(1);
  // One event is logged, without a stack and without an echo of megabytes.
  expect(setup.listener.errors.map(({ reason }) => reason)).toEqual(["PROTOCOL"]);
  expect(setup.listener.errors[0]?.message.length).toBeLessThan(500);
  await expectOthersServed(setup);
}

async function expectStillOpen(setup: Rig, id = 1_001): Promise<void> {
  await setup.peer.send(call(id, "test.Test.echo", { payload: json("goes on") }));
  expect(setup.peer.results).toContain("goes on");
  expect(setup.peer.ends).toEqual([]);
}

const item = (id: number, seq: number, value: unknown = seq): Envelope => ({ body: Body.Item, id, seq, payload: json(value) });
const end = (id: number): Envelope => ({ body: Body.End, id, error: undefined, metadata: undefined });
const credit = (id: number, credits: number): Envelope => ({ body: Body.Credit, id, credits });
const cancel = (id: number): Envelope => ({ body: Body.Cancel, id, reason: "" });
const result = (id: number, value: unknown = null): Envelope => ({ body: Body.Result, id, payload: json(value), metadata: undefined });
const upload = { kind: "clientStream", payload: undefined } as const;
const download = { kind: "serverStream", credits: 2 } as const;

describe("a server and a peer that breaks the rules", () => {
  it.each([null, undefined, 0, -1, 1.5, "1", [1], {}, true, 2 ** 53, 1e300])("H41 closes at the call id %j", async (id) => {
    const setup = await rig();
    await setup.peer.sendJson({ b: Body.Call, id, method: "test.Test.echo" });
    await expectClosed(setup);
  });

  it("H41 closes at a call id of its own parity", async () => {
    const setup = await rig();
    await setup.peer.send(call(2, "test.Test.echo"));
    await expectClosed(setup);
  });

  it("H42 refuses the id of a call that is in flight, and leaves that call alone", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.gated"), call(1, "test.Test.echo"));
    expect(setup.peer.failures).toEqual([[1, 6, "PROTOCOL"]]);
    setup.gate.open("the first");
    await settled();
    expect(setup.peer.results).toEqual(["the first"]);
    await expectStillOpen(setup);
  });

  it("H43 refuses the id of a call that has finished, and does not run the handler again", async () => {
    const setup = await rig();
    await setup.peer.send(call(5, "test.Test.hang"), cancel(5), call(5, "test.Test.hang"), call(3, "test.Test.hang"));
    expect(setup.contexts).toHaveLength(1);
    expect(setup.peer.failures.map(([id, code]) => [id, code])).toEqual([
      [5, 6],
      [3, 6],
    ]);
    await expectStillOpen(setup);
  });

  it.each([
    ["a result", result(2)],
    ["a failure", { body: Body.Fail, id: 2, error: { code: 5, message: "", reason: "", details: undefined, retryable: false, delivered: undefined, stack: "" }, metadata: undefined }],
    ["progress", { body: Body.Progress, id: 2, payload: json(1), log: undefined }],
    ["a stream item", item(2, 1)],
    ["the end of a stream", end(2)],
    ["credit", credit(2, 1)],
  ] as [string, Envelope][])("H44 closes at %s for a call that was never made", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(envelope);
    await expectClosed(setup);
  });

  it.each([
    ["a result for one of its own calls", result(1)],
    ["progress for one of its own calls", { body: Body.Progress, id: 1, payload: json(1), log: undefined }],
  ] as [string, Envelope][])("H44 closes at %s", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.hang"), envelope);
    await expectClosed(setup);
  });

  it("H46 skips an envelope of an unknown kind, with and without a call id", async () => {
    const setup = await rig();
    await setup.peer.sendJson({ b: 99 });
    await setup.peer.sendJson({ b: 15, id: 7 });
    await setup.peer.sendJson({ b: 65_535, id: 1 });
    await expectStillOpen(setup);
  });

  it("H47 serves a call with unknown fields", async () => {
    const setup = await rig();
    await setup.peer.sendJson({ b: Body.Call, id: 1, method: "test.Test.echo", p: "known", fromTheFuture: { a: [1] } });
    expect(setup.peer.results).toEqual(["known"]);
  });

  it("H50 ignores a second cancel, and a cancel after the reply", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.hang"), cancel(1), cancel(1), call(3, "test.Test.echo"), cancel(3), cancel(3));
    expect(setup.contexts[0]?.signal.aborted).toBe(true);
    expect([...setup.listener.peers].map(({ ignoredCount }) => ignoredCount)).toEqual([3, 0]);
    await expectStillOpen(setup);
  });

  it("H50 lets a peer cancel no calls but its own", async () => {
    const setup = await rig();
    await setup.other.send(call(1, "test.Test.hang"));
    await setup.peer.send(call(1, "test.Test.echo"), cancel(1));
    expect(setup.contexts[0]?.signal.aborted).toBe(false);
  });

  it("H50 closes at a cancel for a call that was never made", async () => {
    const setup = await rig();
    await setup.peer.send(cancel(7));
    await expectClosed(setup);
  });

  it("H51 closes at a stream item before its call", async () => {
    const setup = await rig();
    await setup.peer.send(item(1, 1));
    await expectClosed(setup);
  });

  it.each([
    ["a gap", [1, 3], 15],
    ["a repeat", [1, 2, 2], 13],
    ["a step back", [1, 2, 1], 13],
    ["the number 0", [0], 13],
    ["a first item that is not the first", [2], 15],
  ])("H51 fails a call whose stream has %s, and the others go on", async (_what, seqs, code) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.sum", upload), call(3, "test.Test.sum", upload));
    await setup.peer.send(...seqs.map((seq) => item(1, seq)));
    expect(setup.peer.failures).toEqual([[1, code, "PROTOCOL"]]);
    expect(setup.contexts[0]?.signal.aborted).toBe(true);
    expect(setup.contexts[1]?.signal.aborted).toBe(false);
    await setup.peer.send(item(3, 1), end(3));
    expect(setup.peer.results).toHaveLength(1);
    await expectStillOpen(setup);
  });

  it("H51 fails a call whose stream goes on after its end", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.gated"), call(3, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 0 }));
    // Without credit for its output the call is still running when the surplus item comes.
    await setup.peer.send(item(3, 1), end(3), item(3, 2));
    expect(setup.peer.failures).toEqual([[3, 13, "PROTOCOL"]]);
    await expectStillOpen(setup);
  });

  it("H51 ignores what comes for a stream after its cancel or its reply", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.sum", upload), cancel(1), item(1, 1), item(1, 7), end(1), credit(1, 5));
    await setup.peer.send(call(3, "test.Test.sum", upload), end(3));
    await setup.peer.send(item(3, 1), end(3));
    expect(setup.sums).toEqual([]);
    await expectStillOpen(setup);
  });

  it.each([
    ["an item for a unary call", item(1, 1)],
    ["an end for a unary call", end(1)],
    ["credit for a unary call", credit(1, 1)],
  ] as [string, Envelope][])("H45 H51 fails a call that gets %s", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.hang"), envelope);
    expect(setup.peer.failures).toEqual([[1, 13, "PROTOCOL"]]);
    expect(setup.contexts[0]?.signal.aborted).toBe(true);
    await expectStillOpen(setup);
  });

  it("H45 fails a call that gets an item where one input was due", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", download), item(1, 1));
    expect(setup.peer.failures).toEqual([[1, 13, "PROTOCOL"]]);
    await expectStillOpen(setup);
  });

  it("H45 fails a call that gets credit where no stream comes back", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.sum", upload), credit(1, 1));
    expect(setup.peer.failures).toEqual([[1, 13, "PROTOCOL"]]);
  });

  it.each([
    ["an item that cannot be decoded", item(1, 1, { $bytes: 7 })],
    ["an item too deep", item(1, 1, JSON.parse(`${"[".repeat(70)}${"]".repeat(70)}`))],
  ] as [string, Envelope][])("H81 H82 fails a call whose stream has %s", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.sum", upload), envelope);
    expect(setup.peer.failures.map(([id]) => id)).toEqual([1]);
    expect(setup.contexts[0]?.signal.aborted).toBe(true);
    await expectStillOpen(setup);
  });

  it.each([0, -1, 1.5, 2 ** 53, "5", null])("H52 closes at a credit of %j", async (credits) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", { kind: "serverStream", credits: 0 }));
    await setup.peer.sendJson({ b: Body.Credit, id: 1, credits });
    await expectClosed(setup);
  });

  it("H52 closes when credits add up to more than a reader can mean", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 2 ** 31 - 1 }), credit(1, 2 ** 31 - 1));
    await expectClosed(setup);
  });

  it("H52 closes at data without credit", async () => {
    const setup = await rig({ streamCredits: 3 });
    await setup.peer.send(call(1, "test.Test.hang"), call(3, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 0 }));
    expect(setup.peer.of(Body.Credit)).toEqual([credit(3, 3)]);
    // The reader is stuck at its first output, so it takes one item and no more.
    await setup.peer.send(item(3, 1), item(3, 2), item(3, 3));
    const granted = 3 + setup.peer.of(Body.Credit).slice(1).reduce((sum, { credits }) => sum + credits, 0);
    for (let seq = 4; seq <= granted; seq++) await setup.peer.send(item(3, seq));
    expect(setup.peer.ends).toEqual([]);
    await setup.peer.send(item(3, granted + 1));
    await expectClosed(setup);
  });

  it("C83 sends nothing that there is no credit for", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", { kind: "serverStream", credits: 3 }));
    expect(setup.peer.of(Body.Item).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await setup.peer.send(credit(1, 2));
    expect(setup.peer.of(Body.Item)).toHaveLength(5);
  });

  it("H55 stands a hundred thousand calls that are cancelled at once", async () => {
    const clock = new FakeClock();
    const setup = await rig({ clock, heartbeatMs: 0, maxCallsInFlight: 10 });
    for (let i = 0; i < 100_000; i++) {
      const id = 2 * i + 1;
      void setup.peer.send(call(id, "test.Test.count", { kind: "serverStream", credits: 1, deadlineMs: 1_000 }), cancel(id));
      if (i % 1_000 === 999) await settled();
    }
    await settled();
    expect(setup.contexts.length).toBeGreaterThan(0);
    expect(setup.contexts.every(({ signal }) => signal.aborted)).toBe(true);
    await expectStillOpen(setup, 200_001);
  });

  it("H63 closes at a flood of pings", async () => {
    const setup = await rig();
    for (let i = 0; i < 1_000; i++) void setup.peer.send({ body: Body.Ping, token: i });
    await settled();
    expect(setup.peer.of(Body.Pong).length).toBeLessThanOrEqual(100);
    await expectClosed(setup);
  });

  it("H63 answers the pings of a heartbeat for as long as they come", async () => {
    const clock = new FakeClock();
    const setup = await rig({ clock });
    for (let i = 0; i < 500; i++) {
      await setup.peer.send({ body: Body.Ping, token: i });
      await clock.advance(100);
    }
    expect(setup.peer.of(Body.Pong)).toHaveLength(500);
    expect(setup.peer.ends).toEqual([]);
  });

  it("H63 ignores pongs that nobody asked for", async () => {
    const setup = await rig();
    for (let i = 0; i < 1_000; i++) void setup.peer.send({ body: Body.Pong, token: i });
    await expectStillOpen(setup);
  });

  it.each(["", "null", "7", "[]", "{", '{"b":"16"}', '{"b":16.5}', '{"b":-1}', '{"b":16,"id":1,"kind":"constructor"}', '{"b":16,"id":1,"metadata":{"a":"b"}}', "\ufeff{}"])(
    "H41 closes at the message %j",
    async (text) => {
      const setup = await rig();
      await setup.peer.sendJson(text);
      await expectClosed(setup);
    },
  );

  it("H41 closes at bytes that are no text", async () => {
    const setup = await rig();
    await setup.peer.sendBytes(Uint8Array.of(0xff, 0xfe, 0x00));
    await expectClosed(setup);
  });

  it("takes nothing more from a peer after it was closed", async () => {
    const setup = await rig();
    await setup.peer.send(cancel(7), call(1, "test.Test.hang"), call(3, "test.Test.hang"));
    expect(setup.contexts).toEqual([]);
  });

  it.each([
    ["of a peer that was never asked anything", 1],
    ["of an id that this server has not used", 2],
  ])("does not exempt a call from the limit because it claims to call back, on behalf %s", async (_what, parentId) => {
    const setup = await rig({ maxCallsInFlight: 1 });
    await setup.peer.send(call(1, "test.Test.hang"), call(3, "test.Test.hang", { parentId, depth: 1 }));
    expect(setup.peer.failures).toEqual([[3, 8, "maxCallsInFlight"]]);
  });

  it("H94 decodes no protobuf where the contract knows none", async () => {
    const setup = await rig();
    await setup.peer.sendJson({ b: Body.Call, id: 1, method: "test.Test.echo", pb: "AAEC" });
    expect(setup.peer.failures).toEqual([[1, 3, "PARSE"]]);
    await expectStillOpen(setup);
  });
});

/** A client whose server is played by hand, with one call of each kind going. */
async function clientRig(options: Parameters<typeof dialTo>[0] = {}) {
  const { transport, peers, errors } = dialTo(options);
  const client = createClient(Test, transport);
  await transport.ready();
  const [peer] = peers;
  if (peer === undefined) throw new Error("nobody has dialed");
  return { transport, peer, client, errors };
}

async function clientGoesOn(setup: Awaited<ReturnType<typeof clientRig>>): Promise<void> {
  const going = setup.client.echo("next");
  await settled();
  const id = setup.peer.of(Body.Call).at(-1)?.id ?? 0;
  await setup.peer.send(result(id, "goes on"));
  expect(await going).toBe("goes on");
  expect(setup.transport.connected).toBe(true);
}

describe("a client and a server that breaks the rules", () => {
  it("H44 ignores and counts a second reply, and a reply after cancel or deadline", async () => {
    const clock = new FakeClock();
    const setup = await clientRig({ clock, heartbeatMs: 0 });
    const first = setup.client.echo(1);
    await settled();
    await setup.peer.send(result(1, "one"), result(1, "two"));
    expect(await first).toBe("one");
    const handle = setup.client.hang.start(1);
    await settled();
    await handle.cancel();
    await setup.peer.send(result(3, "late"));
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
    const timed = failure(createClient(Test, setup.transport, { clock }).hang(1, { timeoutMs: 10 }));
    await settled();
    await clock.advance(10);
    await setup.peer.send(result(5, "late"));
    expect(await timed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await clientGoesOn(setup);
  });

  it.each([
    ["a result for a call that was never made", result(99)],
    ["a result for an id that is not the client's", result(2)],
    ["an item for a call that was never made", item(99, 1)],
  ] as [string, Envelope][])("H44 closes at %s, and its calls fail", async (_what, envelope) => {
    const setup = await clientRig();
    const failed = failure(setup.client.hang());
    await settled();
    await setup.peer.send(envelope);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "PROTOCOL", delivered: "unknown" });
    expect(setup.peer.goodbye).toMatchObject({ code: 13, reason: "PROTOCOL" });
  });

  it.each([
    ["a stream item", item(1, 1)],
    ["the end of a stream", end(1)],
    ["credit", credit(1, 1)],
  ] as [string, Envelope][])("H45 fails a unary call that gets %s, and the others go on", async (_what, envelope) => {
    const setup = await clientRig();
    const failed = failure(setup.client.hang());
    await settled();
    await setup.peer.send(envelope);
    expect(await failed).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    expect(setup.peer.of(Body.Cancel)).toHaveLength(1);
    await clientGoesOn(setup);
  });

  it("H45 fails a server stream that gets a result", async () => {
    const setup = await clientRig();
    const failed = failure(all(setup.client.count()));
    await settled();
    await setup.peer.send(item(1, 1), result(1));
    expect(await failed).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    await clientGoesOn(setup);
  });

  it.each([
    ["an end without output", end(1)],
    ["a stream item", item(1, 1)],
  ] as [string, Envelope][])("H45 fails a client stream that gets %s", async (_what, envelope) => {
    const setup = await clientRig();
    const failed = failure(setup.client.sum([]));
    await settled();
    await setup.peer.send(envelope);
    expect(await failed).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    await clientGoesOn(setup);
  });

  it("H45 takes the first of two outputs of a client stream", async () => {
    const setup = await clientRig();
    const sum = setup.client.sum([]);
    await settled();
    await setup.peer.send(result(1, 7), result(1, 8));
    expect(await sum).toBe(7);
    await clientGoesOn(setup);
  });

  it.each([
    ["a gap", [1, 3], "DATA_LOSS"],
    ["a repeat", [1, 1], "INTERNAL"],
  ])("H51 fails a stream with %s, after what came in order", async (_what, seqs, code) => {
    const setup = await clientRig();
    const got: unknown[] = [];
    const failed = failure(
      (async () => {
        for await (const value of setup.client.count()) got.push(value);
      })(),
    );
    await settled();
    await setup.peer.send(...seqs.map((seq) => item(1, seq)));
    expect(await failed).toMatchObject({ code });
    expect(got).toEqual([1]);
    expect(setup.peer.of(Body.Cancel)).toHaveLength(1);
    await clientGoesOn(setup);
  });

  it("H52 closes at more items than it has granted", async () => {
    const setup = await clientRig({ streamCredits: 2 });
    const stream = setup.client.count()[Symbol.asyncIterator]();
    const first = stream.next();
    await settled();
    expect(setup.peer.of(Body.Call)[0]?.credits).toBe(2);
    await setup.peer.send(item(1, 1));
    expect(await first).toEqual({ done: false, value: 1 });
    const granted = 2 + setup.peer.of(Body.Credit).reduce((sum, { credits }) => sum + credits, 0);
    for (let seq = 2; seq <= granted + 1; seq++) await setup.peer.send(item(1, seq));
    expect(setup.peer.goodbye).toMatchObject({ reason: "PROTOCOL" });
    expect(setup.transport.connected).toBe(false);
  });

  it("H52 closes at a credit that is no number of items", async () => {
    const setup = await clientRig();
    const failed = failure(setup.client.sum([1]));
    await settled();
    await setup.peer.send(credit(1, 0));
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "PROTOCOL" });
  });

  it("C83 sends no item of its stream before it has credit, and no more than that", async () => {
    const setup = await clientRig();
    let produced = 0;
    const numbers = function* () {
      for (;;) yield ++produced;
    };
    const sum = setup.client.sum(numbers());
    await settled();
    expect(setup.peer.of(Body.Item)).toEqual([]);
    expect(produced).toBe(0);
    await setup.peer.send(credit(1, 3));
    expect(setup.peer.of(Body.Item)).toHaveLength(3);
    expect(produced).toBe(3);
    await setup.peer.send(result(1, "enough"));
    expect(await sum).toBe("enough");
  });

  it("fails a call whose reply cannot be decoded, and the others go on", async () => {
    const setup = await clientRig();
    const failed = failure(setup.client.echo());
    await settled();
    await setup.peer.send(result(1, { $date: "tomorrow" }));
    expect(await failed).toMatchObject({ code: "INTERNAL" });
    await clientGoesOn(setup);
  });

  it("drops progress that cannot be decoded, and the call goes on", async () => {
    const setup = await clientRig();
    const handle = setup.client.echo.start();
    await settled();
    await setup.peer.send({ body: Body.Progress, id: 1, payload: json({ $date: 1 }), log: undefined });
    await setup.peer.send({ body: Body.Progress, id: 1, payload: json(5), log: undefined }, result(1, "out"));
    expect(await handle).toBe("out");
    expect(await all(handle.progress)).toEqual([5]);
    expect(setup.errors).toHaveLength(1);
  });

  it("ignores progress that nobody asked for", async () => {
    const setup = await clientRig();
    const output = setup.client.echo();
    await settled();
    await setup.peer.send({ body: Body.Progress, id: 1, payload: json(5), log: { level: "info", message: "x", fields: {} } }, result(1, "out"));
    expect(await output).toBe("out");
  });

  it("H54 refuses what the server calls beyond the limit here", async () => {
    const Own = defineContract("test.Own", { hang: unary() });
    const serve = createRouter(Own, { hang: () => new Promise(() => undefined) });
    const { peer } = await clientRig({ serve, maxCallsInFlight: 1 });
    await peer.send(call(2, "test.Own.hang"), call(4, "test.Own.hang"));
    expect(peer.failures).toEqual([[4, 8, "maxCallsInFlight"]]);
  });

  it("takes nothing from a server that it does not serve", async () => {
    const { peer } = await clientRig();
    await peer.send(call(2, "test.Test.echo"));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([[2, 12]]);
  });

  it("stands a Goodbye with any reason, and fails its calls", async () => {
    const setup = await clientRig();
    const failed = failure(setup.client.hang());
    await settled();
    await setup.peer.sendJson({ b: Body.Goodbye, error: { code: 999, message: "\u001b[31m", p: { $bytes: 1 } } });
    expect(await failed).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("reads nothing into a handshake that repeats itself", async () => {
    const setup = await clientRig();
    const failed = failure(setup.client.hang());
    await settled();
    await (setup.peer satisfies RawPeer).send(CHALLENGE, WELCOME);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "PROTOCOL" });
  });
});

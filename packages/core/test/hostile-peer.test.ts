import { describe, expect, it } from "vitest";
import { Body, type Envelope } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { call, json } from "./rig.ts";
import { rig, CLOSED, aftermath, served, item, end, credit, cancel, result } from "./hostile-rig.ts";

describe("a server and a peer that breaks the rules of calls", () => {
  it.each([null, undefined, 0, -1, 1.5, "1", [1], {}, true, 2 ** 53, 1e300])(
    "H41 closes at the call id %j",
    async (id) => {
      const setup = await rig();
      await setup.peer.sendJson({ b: Body.Call, id, method: "test.Test.echo" });
      expect(await aftermath(setup)).toEqual(CLOSED);
    },
  );

  it("H41 closes at a call id of its own parity", async () => {
    const setup = await rig();
    await setup.peer.send(call(2, "test.Test.echo"));
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H42 refuses the id of a call that is in flight, and leaves that call alone", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.gated"), call(1, "test.Test.echo"));
    expect(setup.peer.failures).toEqual([[1, 6, "PROTOCOL"]]);
    setup.gate.open("the first");
    await settled();
    expect(setup.peer.results).toEqual(["the first"]);
    expect(await served(setup)).toBe(true);
  });

  it("H43 refuses the id of a call that has finished, and does not run the handler again", async () => {
    const setup = await rig();
    await setup.peer.send(call(5, "test.Test.hang"), cancel(5), call(5, "test.Test.hang"), call(3, "test.Test.hang"));
    expect(setup.contexts).toHaveLength(1);
    expect(setup.peer.failures.map(([id, code]) => [id, code])).toEqual([
      [5, 6],
      [3, 6],
    ]);
    expect(await served(setup)).toBe(true);
  });

  it.each([
    ["a result", result(2)],
    [
      "a failure",
      {
        body: Body.Fail,
        id: 2,
        error: {
          code: 5,
          message: "",
          reason: "",
          details: undefined,
          retryable: false,
          delivered: undefined,
          stack: "",
        },
        metadata: undefined,
      },
    ],
    ["progress", { body: Body.Progress, id: 2, payload: json(1), log: undefined }],
    ["a stream item", item(2, 1)],
    ["the end of a stream", end(2)],
    ["credit", credit(2, 1)],
  ] as [string, Envelope][])("H44 closes at %s for a call that was never made", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(envelope);
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it.each([
    ["a result for one of its own calls", result(1)],
    ["progress for one of its own calls", { body: Body.Progress, id: 1, payload: json(1), log: undefined }],
  ] as [string, Envelope][])("H44 closes at %s", async (_what, envelope) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.hang"), envelope);
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H46 skips an envelope of an unknown kind, with and without a call id", async () => {
    const setup = await rig();
    await setup.peer.sendJson({ b: 99 });
    await setup.peer.sendJson({ b: 15, id: 7 });
    await setup.peer.sendJson({ b: 65_535, id: 1 });
    expect(await served(setup)).toBe(true);
  });

  it("H47 serves a call with unknown fields", async () => {
    const setup = await rig();
    await setup.peer.sendJson({ b: Body.Call, id: 1, method: "test.Test.echo", p: "known", fromTheFuture: { a: [1] } });
    expect(setup.peer.results).toEqual(["known"]);
  });

  it("H50 ignores a second cancel, and a cancel after the reply", async () => {
    const setup = await rig();
    await setup.peer.send(
      call(1, "test.Test.hang"),
      cancel(1),
      cancel(1),
      call(3, "test.Test.echo"),
      cancel(3),
      cancel(3),
    );
    expect(setup.contexts[0]?.signal.aborted).toBe(true);
    expect([...setup.listener.peers].map(({ ignoredCount }) => ignoredCount)).toEqual([3, 0]);
    expect(await served(setup)).toBe(true);
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
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H55 stands a hundred thousand calls that are cancelled at once", async () => {
    const clock = new FakeClock();
    const setup = await rig({ clock, heartbeatMs: 0, maxCallsInFlight: 10 });
    for (let i = 0; i < 100_000; i++) {
      const id = 2 * i + 1;
      void setup.peer.send(
        call(id, "test.Test.count", { kind: "serverStream", credits: 1, deadlineMs: 1_000 }),
        cancel(id),
      );
      if (i % 1_000 === 999) await settled();
    }
    await settled();
    expect(setup.contexts.length).toBeGreaterThan(0);
    expect(setup.contexts.every(({ signal }) => signal.aborted)).toBe(true);
    expect(await served(setup, 200_001)).toBe(true);
  });

  it("H63 closes at a flood of pings", async () => {
    const setup = await rig();
    for (let i = 0; i < 1_000; i++) void setup.peer.send({ body: Body.Ping, token: i });
    await settled();
    expect(setup.peer.of(Body.Pong).length).toBeLessThanOrEqual(100);
    expect(await aftermath(setup)).toEqual(CLOSED);
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
    expect(await served(setup)).toBe(true);
  });

  it.each([
    "",
    "null",
    "7",
    "[]",
    "{",
    '{"b":"16"}',
    '{"b":16.5}',
    '{"b":-1}',
    '{"b":16,"id":1,"kind":"constructor"}',
    '{"b":16,"id":1,"metadata":{"a":"b"}}',
    "\ufeff{}",
  ])("H41 closes at the message %j", async (text) => {
    const setup = await rig();
    await setup.peer.sendJson(text);
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H41 closes at bytes that are no text", async () => {
    const setup = await rig();
    await setup.peer.sendBytes(Uint8Array.of(0xff, 0xfe, 0x00));
    expect(await aftermath(setup)).toEqual(CLOSED);
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
    expect(await served(setup)).toBe(true);
  });
});

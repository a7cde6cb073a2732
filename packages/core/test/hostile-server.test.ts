import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, unary } from "../src/index.ts";
import { Body, type Envelope } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, CHALLENGE, failure, json, type RawPeer, WELCOME } from "./rig.ts";
import { Test, item, end, credit, result, clientRig, nextOutput } from "./hostile-rig.ts";

const Back = defineContract("test.Back", { hang: unary() });

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
    expect(await nextOutput(setup)).toBe("goes on");
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
    expect(await nextOutput(setup)).toBe("goes on");
  });

  it("H45 fails a server stream that gets a result", async () => {
    const setup = await clientRig();
    const failed = failure(all(setup.client.count()));
    await settled();
    await setup.peer.send(item(1, 1), result(1));
    expect(await failed).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    expect(await nextOutput(setup)).toBe("goes on");
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
    expect(await nextOutput(setup)).toBe("goes on");
  });

  it("H45 takes the first of two outputs of a client stream", async () => {
    const setup = await clientRig();
    const sum = setup.client.sum([]);
    await settled();
    await setup.peer.send(result(1, 7), result(1, 8));
    expect(await sum).toBe(7);
    expect(await nextOutput(setup)).toBe("goes on");
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
    expect(await nextOutput(setup)).toBe("goes on");
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
    expect(await nextOutput(setup)).toBe("goes on");
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
    await setup.peer.send(
      { body: Body.Progress, id: 1, payload: json(5), log: { level: "info", message: "x", fields: {} } },
      result(1, "out"),
    );
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

  it("H54 may not start more calls back than calls", async () => {
    const setup = await clientRig({
      serve: createRouter(Back, { hang: () => new Promise(() => undefined) }),
      maxCallsInFlight: 3,
    });
    const open = failure(setup.client.echo(1));
    await settled();
    for (let n = 1; n <= 5; n++) await setup.peer.send(call(2 * n, "test.Back.hang", { parentId: 1 }));
    expect(setup.peer.failures).toEqual([
      [8, 8, "maxCallsInFlight"],
      [10, 8, "maxCallsInFlight"],
    ]);
    await setup.transport.close();
    expect((await open).code).toBe("UNAVAILABLE");
  });
});

import { describe, expect, it } from "vitest";
import { Body, type Envelope } from "../src/transport.ts";
import { call } from "./rig.ts";
import { rig, CLOSED, aftermath, served, item, end, credit, cancel, upload, download } from "./hostile-rig.ts";

describe("a server and a peer that breaks the rules of streams", () => {
  it("H51 closes at a stream item before its call", async () => {
    const setup = await rig();
    await setup.peer.send(item(1, 1));
    expect(await aftermath(setup)).toEqual(CLOSED);
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
    expect(await served(setup)).toBe(true);
  });

  it("H51 fails a call whose stream goes on after its end", async () => {
    const setup = await rig();
    await setup.peer.send(
      call(1, "test.Test.gated"),
      call(3, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 0 }),
    );
    // Without credit for its output the call is still running when the surplus item comes.
    await setup.peer.send(item(3, 1), end(3), item(3, 2));
    expect(setup.peer.failures).toEqual([[3, 13, "PROTOCOL"]]);
    expect(await served(setup)).toBe(true);
  });

  it("H51 ignores what comes for a stream after its cancel or its reply", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.sum", upload), cancel(1), item(1, 1), item(1, 7), end(1), credit(1, 5));
    await setup.peer.send(call(3, "test.Test.sum", upload), end(3));
    await setup.peer.send(item(3, 1), end(3));
    expect(setup.sums).toEqual([]);
    expect(await served(setup)).toBe(true);
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
    expect(await served(setup)).toBe(true);
  });

  it("H45 fails a call that gets an item where one input was due", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", download), item(1, 1));
    expect(setup.peer.failures).toEqual([[1, 13, "PROTOCOL"]]);
    expect(await served(setup)).toBe(true);
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
    expect(await served(setup)).toBe(true);
  });

  it.each([0, -1, 1.5, 2 ** 53, "5", null])("H52 closes at a credit of %j", async (credits) => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", { kind: "serverStream", credits: 0 }));
    await setup.peer.sendJson({ b: Body.Credit, id: 1, credits });
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H52 closes when credits add up to more than a reader can mean", async () => {
    const setup = await rig();
    await setup.peer.send(
      call(1, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 2 ** 31 - 1 }),
      credit(1, 2 ** 31 - 1),
    );
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("H52 closes at data without credit", async () => {
    const setup = await rig({ streamCredits: 3 });
    await setup.peer.send(
      call(1, "test.Test.hang"),
      call(3, "test.Test.both", { kind: "bidiStream", payload: undefined, credits: 0 }),
    );
    expect(setup.peer.of(Body.Credit)).toEqual([credit(3, 3)]);
    // The reader is stuck at its first output, so it takes one item and no more.
    await setup.peer.send(item(3, 1), item(3, 2), item(3, 3));
    const granted =
      3 +
      setup.peer
        .of(Body.Credit)
        .slice(1)
        .reduce((sum, { credits }) => sum + credits, 0);
    for (let seq = 4; seq <= granted; seq++) await setup.peer.send(item(3, seq));
    expect(setup.peer.ends).toEqual([]);
    await setup.peer.send(item(3, granted + 1));
    expect(await aftermath(setup)).toEqual(CLOSED);
  });

  it("C83 sends nothing that there is no credit for", async () => {
    const setup = await rig();
    await setup.peer.send(call(1, "test.Test.count", { kind: "serverStream", credits: 3 }));
    expect(setup.peer.of(Body.Item).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await setup.peer.send(credit(1, 2));
    expect(setup.peer.of(Body.Item)).toHaveLength(5);
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClient, reconnecting, type ReconnectingOptions, RpcError } from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, thrownBy } from "../rig.ts";
import { clockWithoutRest, hang, lost, Part, pass, refused, Test } from "./part.ts";

/** A part that can be reached or not. Waits are half of their bounds: 50, 100, 200 ms and so on. */
function rig(options: ReconnectingOptions = {}) {
  const clock = clockWithoutRest();
  const part = new Part(clock);
  const peer = { there: true };
  part.serve = (input) => {
    if (!peer.there) throw refused();
    return input;
  };
  part.serveStream = async function* (input) {
    if (!peer.there) throw refused();
    yield* input;
  };
  part.connect = () => (peer.there ? Promise.resolve() : Promise.reject(refused()));
  const transport = reconnecting(part, { minMs: 100, random: () => 0.5, ...options });
  return { clock, part, peer, transport, client: createClient(Test, transport) };
}

describe("reconnecting", () => {
  it("lets calls wait for a peer that is not there, and makes them in order when it is", async () => {
    const { client, clock, part, peer } = rig();
    peer.there = false;
    const answers = [client.write(1), client.write(2), client.tell("x")];
    const items = all(client.chat([3]));
    await pass(clock, 149);
    expect(part.readyCount).toBe(1);
    answers.push(client.write(4));
    peer.there = true;
    await pass(clock, 1);
    expect(await Promise.all(answers)).toEqual([1, 2, "x", 4]);
    expect(await items).toEqual([3]);
    expect(part.inputs.slice(3)).toEqual([1, 2, "x", 4]);
  });

  it("dials after waits that grow, and starts small again once a call was answered", async () => {
    const { client, clock, part, peer } = rig();
    peer.there = false;
    const answer = client.write(1);
    await pass(clock, 50 + 100 + 200);
    expect(part.readyCount).toBe(3);
    peer.there = true;
    await pass(clock, 400);
    expect(await answer).toBe(1);
    peer.there = false;
    const next = client.write(2);
    await settled();
    peer.there = true;
    await pass(clock, 50);
    expect(await next).toBe(2);
    expect(part.readyCount).toBe(5);
  });

  it("ends a call at its deadline while it waits, with the reason why it waited", async () => {
    const { client, clock, peer } = rig();
    peer.there = false;
    const failed = failure(client.write(1, { timeoutMs: 300 }));
    const stream = failure(all(client.watch(1, { timeoutMs: 300 })));
    await pass(clock, 299);
    await pass(clock, 1);
    const expected = {
      code: "DEADLINE_EXCEEDED",
      delivered: "no",
      message: expect.stringContaining("connection refused"),
    };
    expect([await failed, await stream]).toMatchObject([expected, expected]);
  });

  it("does not dial while nobody waits, and leaves no timer", async () => {
    const { client, clock, part, peer } = rig();
    peer.there = false;
    const handle = client.write.start(1);
    await settled();
    await handle.cancel("enough");
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED", message: "enough" });
    expect(clock.timerCount).toBe(0);
    await pass(clock, 60_000);
    expect(part.readyCount).toBe(0);
    peer.there = true;
    const answer = client.write(2);
    await pass(clock, 0);
    expect(await answer).toBe(2);
  });

  it("C136 fails a call that was under way when the connection was lost", async () => {
    const { client, part } = rig();
    part.serve = () => {
      throw lost();
    };
    expect(await failure(client.read())).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(part.count).toBe(1);
  });

  it("refuses the surplus of waiting calls", async () => {
    const { client, clock, peer } = rig({ maxWaitingCalls: 2 });
    peer.there = false;
    const waiting = [client.write(1), client.write(2)];
    await settled();
    expect(await failure(client.write(3))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxWaitingCalls",
      delivered: "no",
    });
    peer.there = true;
    await pass(clock, 50);
    expect(await Promise.all(waiting)).toEqual([1, 2]);
  });

  it("tells everybody who waits when waiting cannot help", async () => {
    const { client, clock, part, peer } = rig();
    peer.there = false;
    const failed = [failure(client.write(1)), failure(client.write(2))];
    await settled();
    part.connect = () => Promise.reject(new RpcError("UNAUTHENTICATED", "wrong secret"));
    await pass(clock, 50);
    const expected = { code: "UNAUTHENTICATED", message: "test.Compose.write: wrong secret", delivered: "no" };
    expect(await Promise.all(failed)).toMatchObject([expected, expected]);
  });

  it("waits until it is ready, unless that cannot help", async () => {
    const { clock, part, peer, transport } = rig();
    await transport.ready();
    peer.there = false;
    const ready = transport.ready();
    await pass(clock, 120);
    peer.there = true;
    await pass(clock, 100);
    await ready;
    part.connect = () => Promise.reject(new RpcError("UNAUTHENTICATED", "wrong secret"));
    expect(await failure(transport.ready())).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("fails those who wait when it is closed", async () => {
    const { client, part, peer, transport } = rig();
    peer.there = false;
    const failed = [failure(client.write(1)), failure(all(client.watch(1))), failure(transport.ready())];
    await settled();
    await transport.close();
    await transport.close();
    const expected = { code: "UNAVAILABLE", reason: "CLOSED", delivered: "no" };
    expect(await Promise.all(failed)).toMatchObject([expected, expected, expected]);
    expect(await failure(client.write())).toMatchObject({ code: "FAILED_PRECONDITION", reason: "CLOSED" });
    expect(await failure(transport.ready())).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(part.closes).toEqual([{ drainMs: 0 }]);
  });

  it("lets those who wait go on while it drains, and gives its part the rest of the time", async () => {
    const { client, clock, part, peer, transport } = rig();
    peer.there = false;
    const answer = client.write(1);
    await settled();
    const closed = transport.close({ drainMs: 1_000 });
    expect(await failure(client.write())).toMatchObject({ code: "FAILED_PRECONDITION" });
    peer.there = true;
    await pass(clock, 50);
    expect(await answer).toBe(1);
    await closed;
    expect(part.closes).toEqual([{ drainMs: 950 }]);
  });

  it("gives up on those who wait when the time to drain is over", async () => {
    const { client, clock, part, peer, transport } = rig();
    peer.there = false;
    const failed = failure(client.write(1));
    await settled();
    const closed = transport.close({ drainMs: 1_000 });
    await pass(clock, 1_000);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "CLOSED" });
    await closed;
    expect(part.closes).toEqual([{ drainMs: 0 }]);
  });

  it("does not lose its backoff to calls that are cancelled while they dial", async () => {
    const { client, clock, part, peer } = rig();
    peer.there = false;
    const answer = client.write(1);
    await pass(clock, 150);
    part.serve = hang;
    const handle = client.write.start(2);
    await settled();
    await handle.cancel();
    await failure(handle);
    await pass(clock, 199);
    expect(part.readyCount).toBe(2);
    part.serve = (input) => input;
    peer.there = true;
    await pass(clock, 1);
    expect(await answer).toBe(1);
  });

  it("refuses options that cannot be", () => {
    expect(thrownBy(() => reconnecting(new Part(new FakeClock()), { maxWaitingCalls: -1 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("answers every call once, in order, or ends it at its deadline, however often the peer comes and goes", async () => {
    const step = fc.oneof(
      fc.constant("come" as const),
      fc.constant("go" as const),
      fc.record({ timeoutMs: fc.option(fc.integer({ min: 1, max: 2_000 })) }),
      fc.nat({ max: 500 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { client, clock, part, peer } = rig();
        const answered: number[] = [];
        part.serve = (input) => {
          if (!peer.there) throw refused();
          answered.push(input as number);
          return input;
        };
        const calls: Promise<unknown>[] = [];
        for (const each of steps) {
          if (each === "come" || each === "go") peer.there = each === "come";
          else if (typeof each === "number") await pass(clock, each);
          else {
            const number = calls.length;
            const options = each.timeoutMs === null ? {} : { timeoutMs: each.timeoutMs };
            calls.push(client.write(number, options).catch(({ code }: RpcError) => code));
            await settled();
          }
        }
        peer.there = true;
        await pass(clock, 60_000);
        const results = await Promise.all(calls);
        for (const [number, result] of results.entries()) expect([number, "DEADLINE_EXCEEDED"]).toContain(result);
        expect(answered).toEqual(results.filter((result) => typeof result === "number"));
        expect(clock.timerCount).toBe(0);
      }),
    );
  });
});

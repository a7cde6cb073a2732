import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { balance, type BalanceOptions, createClient, RpcError } from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, Gate, thrownBy } from "../rig.ts";
import { broken, clockWithoutRest, hang, lost, Part, pass, refused, Test } from "./part.ts";

/** Parts that answer with their number. Waits are half of their bounds: 50, 100, 200 ms and so on. */
function rig(count: number, options: BalanceOptions = {}) {
  const clock = clockWithoutRest();
  const parts = Array.from({ length: count }, (_, i) => new Part(clock, `part-${i}:`, () => i));
  const transport = balance(parts, { minMs: 100, random: () => 0.5, ...options });
  const part = (i: number): Part => parts[i] ?? parts[0] ?? new Part(clock);
  return { clock, parts, part, transport, client: createClient(Test, transport) };
}

function die(part: Part): void {
  part.serve = () => {
    throw refused(`${part.endpoint} is gone`);
  };
}

describe("balance by round robin", () => {
  it("calls one after the other", async () => {
    const { client } = rig(3);
    const answers: unknown[] = [];
    for (let i = 0; i < 7; i++) answers.push(await client.write());
    expect(answers).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  it("gives every server that is there the same share, within one call", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
        fc.nat({ max: 50 }),
        async (up, calls) => {
          const { client, part, parts } = rig(up.length);
          for (const [i, isUp] of up.entries()) if (!isUp) die(part(i));
          for (let i = 0; i < calls; i++) await client.write().catch(() => undefined);
          const shares = parts.filter((_part, i) => up[i]).map(({ count }) => count);
          if (shares.length === 0 || calls < up.length) return;
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(calls);
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
          // A dead one is called once, and not again before its time.
          const dead = parts.filter((_part, i) => !up[i]);
          expect(dead.map(({ count }) => count)).toEqual(dead.map(() => 1));
        },
      ),
    );
  });
});

describe("balance by least in flight", () => {
  it("calls the one with the fewest calls under way, and counts a stream until it has ended", async () => {
    const { client, part, parts } = rig(2, { strategy: "least-in-flight" });
    for (const each of parts) {
      each.serveStream = async function* () {
        for (let i = 0; ; i++) yield i;
      };
    }
    const stream = client.watch()[Symbol.asyncIterator]();
    await stream.next();
    expect(part(0).count).toBe(1);
    expect([await client.write(), await client.write(), await client.write()]).toEqual([1, 1, 1]);
    await stream.return?.();
    const answers = [await client.write(), await client.write()];
    expect(answers.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1]);
  });

  it("never calls one that has more under way than another", async () => {
    const step = fc.oneof(fc.constant("call" as const), fc.nat({ max: 20 }));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), async (count, steps) => {
        const { client, parts } = rig(count, { strategy: "least-in-flight" });
        const inFlight = parts.map(() => 0);
        const open: { readonly gate: Gate; readonly part: number }[] = [];
        for (const [i, part] of parts.entries()) {
          part.serve = () => {
            // Asked before it is counted: it must be among those with the fewest.
            expect(inFlight[i]).toBe(Math.min(...inFlight));
            inFlight[i] = (inFlight[i] ?? 0) + 1;
            const gate = new Gate();
            open.push({ gate, part: i });
            return gate.promise;
          };
        }
        const calls: Promise<unknown>[] = [];
        for (const each of steps) {
          if (each === "call") {
            calls.push(client.write());
            await settled();
            continue;
          }
          const [ended] = open.splice(each % Math.max(1, open.length), 1);
          if (ended === undefined) continue;
          ended.gate.open();
          await settled();
          inFlight[ended.part] = (inFlight[ended.part] ?? 0) - 1;
        }
        for (const { gate } of open) gate.open();
        await Promise.all(calls);
      }),
      { numRuns: 40 },
    );
  });
});

describe("balance by key", () => {
  const sticky = { sticky: (input: unknown) => input as string | undefined };

  it("sends calls of one key to one server, and the keys of a dead one to the others, for the time being", async () => {
    const { client, clock, part } = rig(4, { strategy: sticky });
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
    const placesOf = async (): Promise<unknown[]> => {
      const places: unknown[] = [];
      for (const key of keys) places.push(await client.write(key));
      return places;
    };
    const before = await placesOf();
    expect(await placesOf()).toEqual(before);
    die(part(2));
    const without = await placesOf();
    const others = (places: readonly unknown[]): unknown[] => places.filter((_place, i) => before[i] !== 2);
    expect(others(without)).toEqual(others(before));
    expect(without).not.toContain(2);
    expect(new Set(without.filter((_place, i) => before[i] === 2)).size).toBe(3);
    part(2).serve = () => 2;
    await pass(clock, 1_000);
    expect(await placesOf()).toEqual(before);
  });

  it("spreads keys evenly, and does not care about the order of the servers", async () => {
    const clock = new FakeClock();
    const counts = new Map<unknown, number>();
    const parts = Array.from({ length: 5 }, (_, i) => new Part(clock, `tcp://server-${i}:7000`, () => i));
    const client = createClient(Test, balance(parts, { strategy: sticky }));
    const other = createClient(Test, balance(parts.toReversed(), { strategy: sticky }));
    for (let i = 0; i < 5_000; i++) {
      const place = await client.write(`user-${i}`);
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    for (let i = 0; i < 100; i++) expect(await other.write(`user-${i}`)).toBe(await client.write(`user-${i}`));
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });

  it("takes any server without a key, and reads the key of a stream from its input", async () => {
    const { client, parts } = rig(2, { strategy: sticky });
    expect([await client.write(), await client.write()]).toEqual([0, 1]);
    for (const [i, part] of parts.entries()) {
      part.serveStream = async function* () {
        yield i;
      };
    }
    const place = await client.write("a");
    for (let i = 0; i < 3; i++) expect(await all(client.watch("a"))).toEqual([place]);
    const places = [await all(client.chat([1])), await all(client.chat([1]))];
    expect(places.toSorted((a, b) => Number(a) - Number(b))).toEqual([[0], [1]]);
  });

  it("fails the call whose key cannot be had", async () => {
    const { client } = rig(2, {
      strategy: {
        sticky: () => {
          throw new Error("no tenant");
        },
      },
    });
    const expected = { code: "INTERNAL", message: expect.stringContaining("no tenant") };
    expect(await failure(client.write())).toMatchObject(expected);
    expect(await failure(all(client.watch()))).toMatchObject(expected);
  });
});

describe("balance", () => {
  it("goes on to another server when a call did not arrive, and leaves the dead one out", async () => {
    const { client, part } = rig(2);
    die(part(0));
    expect([await client.write(), await client.write(), await client.write()]).toEqual([1, 1, 1]);
    expect(part(0).count).toBe(1);
  });

  it("does not repeat a call that may have run, but leaves the server out", async () => {
    const { client, part } = rig(2);
    part(0).serve = () => {
      throw lost();
    };
    expect(await failure(client.read())).toMatchObject({ delivered: "unknown" });
    expect([await client.write(), await client.write()]).toEqual([1, 1]);
  });

  it("fails UNAVAILABLE with the last error when no server is left", async () => {
    const { client, parts, part } = rig(2);
    for (const each of parts) die(each);
    const error = await failure(client.write());
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "NO_SERVER", delivered: "no" });
    expect(error.message).toContain("part-1: is gone");
    expect(error.message).toContain("in 50 ms");
    expect(await failure(client.write())).toMatchObject({ reason: "NO_SERVER" });
    expect([part(0).count, part(1).count]).toEqual([1, 1]);
  });

  it("lets one call find out whether a server is back, and waits longer each time that it is not", async () => {
    const { client, clock, part } = rig(2);
    die(part(0));
    await client.write();
    await pass(clock, 50);
    part(0).serve = hang;
    const probe = client.write.start();
    await settled();
    expect(part(0).count).toBe(2);
    expect([await client.write(), await client.write()]).toEqual([1, 1]);
    await probe.cancel();
    await failure(probe);
    await pass(clock, 99);
    expect([await client.write(), await client.write()]).toEqual([1, 1]);
    await pass(clock, 1);
    part(0).serve = () => 0;
    expect(
      [await client.write(), await client.write(), await client.write()].toSorted((a, b) => Number(a) - Number(b)),
    ).toEqual([0, 0, 1]);
  });

  it("leaves out a server that answers UNAVAILABLE itself only after several in a row", async () => {
    const { client, part } = rig(2, { failures: 2 });
    let answers = 0;
    part(0).serve = () => {
      answers++;
      if (answers === 2) return 0;
      throw new RpcError("UNAVAILABLE", "the database is away");
    };
    for (let i = 0; i < 10; i++) await client.write().catch(() => undefined);
    // Failed, answered, failed, failed: out.
    expect(part(0).count).toBe(4);
  });

  it("forgets what calls say that were made before a server was left out", async () => {
    const { client, clock, part } = rig(2);
    const gates = [new Gate(), new Gate()];
    const waiting = [...gates];
    part(0).serve = () => waiting.shift()?.promise;
    const calls = [client.write(), client.write(), client.write()];
    await settled();
    for (const gate of gates) gate.fail(lost());
    await Promise.allSettled(calls);
    // One failure, not two: its wait is the first one.
    await pass(clock, 50);
    part(0).serve = () => 0;
    expect([await client.write(), await client.write()].toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1]);
  });

  it("goes on to another server with a stream of which no item has come", async () => {
    const { client, part } = rig(2);
    part(0).serveStream = () => broken(refused());
    part(1).serveStream = (input) => input;
    expect(await all(client.chat([1, 2]))).toEqual([1, 2]);
  });

  it("connects all and is ready when one is; closes all", async () => {
    const { parts, part, transport } = rig(3);
    part(0).connect = () => Promise.reject(refused());
    await transport.ready();
    await transport.close();
    expect(parts.map(({ readyCount, closes }) => [readyCount, closes.length])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
  });

  it("refuses to balance nothing, and options that cannot be", () => {
    expect(thrownBy(() => balance([]))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => balance([new Part(new FakeClock())], { failures: 0 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});

describe("balance and servers that say they are down", () => {
  it("passes them over while there is another, connects them, and shares again when they are back", async () => {
    const { client, part } = rig(3);
    part(1).isDown = true;
    part(1).serve = hang;
    expect([await client.write(), await client.write(), await client.write()]).toEqual([0, 2, 0]);
    expect([part(1).count, part(1).readyCount]).toEqual([0, 1]);
    part(1).isDown = false;
    part(1).serve = () => 1;
    expect([await client.write(), await client.write(), await client.write()]).toEqual([1, 2, 0]);
  });

  it("calls one of them when there is no other", async () => {
    const { client, part, transport } = rig(2);
    part(0).isDown = true;
    part(1).isDown = true;
    expect(transport.isDown).toBe(true);
    expect([await client.write(), await client.write()]).toEqual([0, 1]);
  });

  it("moves the keys of one to others, and back", async () => {
    const { client, parts } = rig(3, { strategy: { sticky: String } });
    const home = await client.write("k");
    const server = parts[Number(home)];
    if (server === undefined) throw new Error("no such server");
    server.isDown = true;
    const elsewhere = await client.write("k");
    expect(elsewhere).not.toBe(home);
    expect(await client.write("k")).toBe(elsewhere);
    server.isDown = false;
    expect(await client.write("k")).toBe(home);
  });
});

describe("balance and a long stream", () => {
  it("that finds out whether a server is back tells it with its first item", async () => {
    const { client, clock, part, parts } = rig(2);
    die(part(0));
    expect([await client.write(), await client.write()]).toEqual([1, 1]);
    await pass(clock, 50);
    part(0).serve = () => 0;
    for (const each of parts) {
      each.serveStream = async function* () {
        for (let i = 0; ; i++) yield i;
      };
    }
    const streams = [client.watch()[Symbol.asyncIterator](), client.watch()[Symbol.asyncIterator]()];
    for (const stream of streams) await stream.next();
    expect(new Set([await client.write(), await client.write()])).toEqual(new Set([0, 1]));
    for (const stream of streams) await stream.return?.();
  });
});

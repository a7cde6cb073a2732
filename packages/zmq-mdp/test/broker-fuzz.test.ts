import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, VECTORS } from "./golden.ts";
import { byte, createRig, MDPC01, MDPC02, MDPW01, MDPW02 } from "./scripted-peers.ts";

const PEERS = ["p0", "p1", "p2", "p3"] as const;
const peer = fc.constantFrom(...PEERS);

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("", MDPC01, MDPC02, MDPW01, MDPW02, "s", "t", "mmi.service", "5", "{}") },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 7 }).map((value) => byte(value)) },
  { weight: 2, arbitrary: peer },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
);
type Step = { readonly say: readonly (string | Uint8Array)[]; readonly by: string } | { readonly pass: number };

const service = fc.constantFrom("s", "t");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ by: peer, say: fc.array(piece, { maxLength: 10 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ by: peer, say: service.map((name) => ["", MDPW01, byte(1), name]) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ by: peer, say: service.map((name) => ["", MDPC01, name, "a.do", "{}"]) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ by: peer, say: peer.map((client) => ["", MDPW01, byte(3), client, "", "r"]) }),
  },
  { weight: 1, arbitrary: fc.record({ by: peer, say: fc.constant(["", MDPW01, byte(5)]) }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 20_000 }) }) },
);

describe("whatever peers say", () => {
  it("the broker's books agree, and every request comes to one end", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, requeue) => {
        const rig = createRig({ maxQueue: 5, onWorkerLost: requeue ? "requeue" : "error" });
        const { dispatcher, counters } = rig.machine;
        for (const one of steps) {
          if ("pass" in one) rig.clock.advance(one.pass);
          else rig.say(one.by, ...one.say);
          const workers = rig.doors.flatMap((door) => [...door.workers.values()]);
          const services = [...dispatcher.services.values()];
          expect(rig.machine.workers).toBe(workers.length);
          expect(dispatcher.inFlight).toBe(workers.filter(({ request }) => request !== undefined).length);
          expect(dispatcher.waiting).toBe(services.reduce((sum, { waiting }) => sum + waiting.size, 0));
          for (const service of services) {
            const idle = service.idle();
            expect(service.workers).toBe(workers.filter((worker) => worker.service === service).length);
            expect(idle).toHaveLength(
              workers.filter((worker) => worker.service === service && worker.request === undefined).length,
            );
            // Nobody waits while somebody is idle, and nothing empty is kept.
            expect(idle.length === 0 || service.waiting.size === 0).toBe(true);
            expect(service.workers + service.waiting.size).toBeGreaterThan(0);
          }
        }
        const { requests, replies, lateReply, expired, queueFull, workerLost, cancelled } = counters;
        const ended = replies + lateReply + expired + queueFull + workerLost + cancelled;
        expect(requests).toBe(ended + dispatcher.inFlight + dispatcher.waiting);
        rig.machine.drain(1_000, () => undefined);
        rig.clock.advance(1_100);
        expect(dispatcher.inFlight + dispatcher.waiting + rig.machine.workers).toBe(0);
        expect(rig.clock.pendingCount).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("golden messages in any order and from anybody end nothing", () => {
    const messages = VECTORS.map(({ frames }) => bytesOf(frames));
    fc.assert(
      fc.property(fc.array(fc.tuple(peer, fc.constantFrom(...messages)), { maxLength: 40 }), (said) => {
        const rig = createRig();
        for (const [identity, frames] of said) rig.say(identity, ...frames);
        rig.machine.drain(0, () => undefined);
        rig.clock.advance(1);
        expect(rig.machine.workers).toBe(0);
      }),
    );
  });

  it("no message at all, and one without an identity, are counted", () => {
    const rig = createRig();
    const [door] = rig.doors;
    if (door === undefined) throw new Error("There is a door.");
    rig.machine.receive(door, []);
    rig.say("c");
    expect(rig.machine.counters).toMatchObject({ received: 2, malformed: 2 });
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RpcError } from "../src/index.ts";
import { scopedKey } from "../src/tools/job-key.ts";
import { ANYBODY } from "../src/tools/key-ring.ts";
import { settled } from "./fake-clock.ts";
import { cancelled, QueueRig, RETRY, type TestConsumer } from "./queue-rig.ts";
import { thrownBy } from "./rig.ts";

describe("JobQueue", () => {
  it("gives a job to a consumer that comes later, and its output to the submitter", () => {
    const rig = new QueueRig();
    const job = rig.submit("a");
    expect(job.id).toMatch(/^[0-9a-f]{12}-1$/);
    const consumer = rig.consume();
    expect(consumer.inputs).toEqual(["a"]);
    expect(job.outcomes).toEqual([]);
    consumer.settle();
    expect(job.outcomes).toEqual(["a"]);
    expect([rig.queue.waitingCount, rig.queue.runningCount]).toEqual([0, 0]);
  });

  it("C104 starts each of 10,000 jobs once, on eight consumers", () => {
    const rig = new QueueRig({ maxJobs: 10_000, maxJobsBytes: 1 << 30 });
    const consumers = Array.from({ length: 8 }, () => rig.consume(4));
    const jobs = Array.from({ length: 10_000 }, (_, i) => rig.submit(i));
    for (let busy = true; busy;) {
      busy = false;
      for (const consumer of consumers) {
        if (consumer.open.length === 0) continue;
        consumer.settle();
        busy = true;
      }
    }
    expect(new Set(consumers.flatMap(({ inputs }) => inputs)).size).toBe(10_000);
    expect(consumers.reduce((sum, { got }) => sum + got.length, 0)).toBe(10_000);
    expect(jobs.every(({ outcomes }, i) => outcomes.length === 1 && outcomes[0] === i)).toBe(true);
    // Least outstanding: nobody is left out.
    for (const { got } of consumers) expect(got.length).toBeGreaterThan(1_000);
  });

  it("C105 keeps to the concurrency of each consumer", () => {
    const rig = new QueueRig();
    const [one, three] = [rig.consume(1), rig.consume(3)];
    for (let i = 0; i < 10; i++) rig.submit(i);
    expect([one.open.length, three.open.length]).toEqual([1, 3]);
    one.settle();
    expect([one.open.length, three.open.length]).toEqual([1, 3]);
  });

  it("gives a job to the consumer with the fewest", () => {
    const rig = new QueueRig();
    const [a, b] = [rig.consume(10), rig.consume(10)];
    for (let i = 0; i < 4; i++) rig.submit(i);
    expect([a.inputs, b.inputs]).toEqual([
      [0, 2],
      [1, 3],
    ]);
    b.settle();
    b.settle();
    rig.submit(4);
    rig.submit(5);
    expect([a.got.length, b.got.length]).toEqual([2, 4]);
  });

  it("C108 takes the higher priority first, then the oldest", () => {
    const rig = new QueueRig();
    for (const [input, priority] of [
      ["a", 0],
      ["b", 5],
      ["c", 0],
      ["d", 5],
      ["e", -1],
    ] as const)
      rig.submit(input, { priority });
    const consumer = rig.consume();
    while (consumer.open.length > 0) consumer.settle();
    expect(consumer.inputs).toEqual(["b", "d", "a", "c", "e"]);
  });

  it("C109 makes one job of two with the same key while it waits", () => {
    const rig = new QueueRig();
    const [one, two] = [rig.submit("a", { key: "k" }), rig.submit("a", { key: "k" })];
    expect(two.id).toBe(one.id);
    const consumer = rig.consume();
    // It runs: another one with this key is another job.
    const three = rig.submit("c", { key: "k" });
    expect(three.id).not.toBe(one.id);
    consumer.settle();
    expect([one.outcomes, two.outcomes, three.outcomes]).toEqual([["a"], ["a"], []]);
  });

  it("refuses another input with the key of a job that waits", () => {
    const rig = new QueueRig();
    const [one, other] = [rig.submit("a", { key: "k" }), rig.submit("b", { key: "k" })];
    expect([one.outcomes, other.outcomes, rig.queue.waitingCount]).toEqual([[], ["ALREADY_EXISTS"], 1]);
  });

  it("keeps the keys of one submitter apart from those of another", () => {
    const filed = (identity: string | undefined, instanceId: string): string | undefined =>
      scopedKey("k", { peer: { identity, instanceId } } as never);
    const keys = [
      scopedKey("k", { peer: undefined } as never),
      filed("a", "1"),
      filed("b", "1"),
      filed(undefined, "1"),
      filed(undefined, "2"),
      filed(ANYBODY, "3"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(filed("a", "2")).toBe(filed("a", "1"));
    expect(filed(ANYBODY, "1")).toBe(filed(undefined, "1"));
    // Nothing says who it is: no key, rather than somebody else's.
    expect(filed(undefined, "")).toBe(undefined);
  });

  it("C118 keeps to the time of each who waits for one job, and starts it while anybody has some", async () => {
    const rig = new QueueRig();
    const key = "k";
    const waits = [20, 10, 30, 10].map((timeoutMs) => rig.submit("a", { key, timeoutMs }));
    expect(rig.submit("a", { key, timeoutMs: 0 }).outcomes).toEqual(["DEADLINE_EXCEEDED"]);
    await rig.clock.advance(10);
    expect(waits.map(({ outcomes }) => outcomes.length)).toEqual([0, 1, 0, 1]);
    await rig.clock.advance(10);
    expect(waits.map(({ outcomes }) => outcomes.length)).toEqual([1, 1, 0, 1]);
    const consumer = rig.consume();
    expect(consumer.inputs).toEqual(["a"]);
    await rig.clock.advance(10);
    expect(waits.map(({ outcomes }) => outcomes)).toEqual(waits.map(() => ["DEADLINE_EXCEEDED"]));
    expect([consumer.abandoned, rig.clock.timerCount]).toEqual([[1], 0]);
    const forEver = [rig.submit("b", { key, timeoutMs: 5 }), rig.submit("b", { key })];
    await rig.clock.advance(1_000);
    expect(forEver.map(({ outcomes }) => outcomes)).toEqual([["DEADLINE_EXCEEDED"], []]);
    expect([rig.queue.waitingCount, rig.clock.timerCount]).toEqual([1, 0]);
  });

  it("gives a submitter fewer tries than its own, and no more", () => {
    const rig = new QueueRig({ maxAttempts: 2 });
    const consumer = rig.consume();
    const [many, one] = [rig.submit(1, { maxAttempts: 1_000_000 }), rig.submit(2, { maxAttempts: 1 })];
    for (let i = 0; i < 3; i++) consumer.settle("retry");
    expect([many.outcomes, one.outcomes, consumer.got.length]).toEqual([["UNAVAILABLE"], ["UNAVAILABLE"], 3]);
  });

  it("keeps a job that only one of its two submitters gives up", () => {
    const rig = new QueueRig();
    const [one, two] = [rig.submit("a", { key: "k" }), rig.submit("a", { key: "k" })];
    one.give.cancelWith(cancelled());
    expect([one.outcomes, two.outcomes, rig.queue.waitingCount]).toEqual([["CANCELLED"], [], 1]);
    two.give.cancelWith(cancelled());
    expect([two.outcomes, rig.queue.waitingCount]).toEqual([["CANCELLED"], 0]);
  });

  it("C110 tries again on another consumer first, up to maxAttempts", () => {
    const rig = new QueueRig();
    const [a, b] = [rig.consume(), rig.consume()];
    const job = rig.submit("x");
    a.settle("retry");
    expect(b.open.map(({ attempt }) => attempt)).toEqual([2]);
    b.settle("retry");
    expect(a.open.map(({ attempt }) => attempt)).toEqual([3]);
    a.settle("retry");
    expect([job.outcomes, rig.dead]).toEqual([["UNAVAILABLE"], [[job.id, 3, "UNAVAILABLE"]]]);
  });

  it("tries again on the same consumer when there is no other", () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    rig.submit("x");
    consumer.settle("retry");
    expect(consumer.open.map(({ attempt }) => attempt)).toEqual([2]);
  });

  it("C110 ends a job at once that cannot succeed", () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    const job = rig.submit("x");
    consumer.settle("reject");
    expect([job.outcomes, rig.dead, consumer.open]).toEqual([
      ["INVALID_ARGUMENT"],
      [[job.id, 1, "INVALID_ARGUMENT"]],
      [],
    ]);
  });

  it("waits between tries, and as long as the handler asked for", async () => {
    const rig = new QueueRig({ retryDelayMs: (attempt) => 100 * attempt });
    const consumer = rig.consume();
    rig.submit("x");
    consumer.settle("retry");
    await rig.clock.advance(99);
    expect(consumer.got).toHaveLength(1);
    await rig.clock.advance(1);
    expect(consumer.got).toHaveLength(2);
    const soon = new RpcError("ABORTED", "later", { reason: "JOB_RETRY", details: { delayMs: 5 }, retryable: true });
    consumer.settle("retry", soon);
    await rig.clock.advance(5);
    expect(consumer.got).toHaveLength(3);
    consumer.settle();
    expect(rig.clock.timerCount).toBe(0);
  });

  it("gives the jobs of a lost consumer to another one, with the next attempt", () => {
    const rig = new QueueRig();
    const a = rig.consume(2);
    const jobs = [rig.submit(1), rig.submit(2)];
    const b = rig.consume(2);
    a.lose();
    expect(b.open.map(({ attempt }) => attempt)).toEqual([2, 2]);
    b.settle();
    b.settle();
    expect(jobs.map(({ outcomes }) => outcomes)).toEqual([[1], [2]]);
    expect(rig.queue.consumerCount).toBe(1);
  });

  it("C113 ignores what a consumer says of a job that was taken from it", () => {
    const rig = new QueueRig();
    const a = rig.consume();
    const job = rig.submit("x");
    const [delivery] = a.open;
    a.lose();
    const b = rig.consume();
    a.feed.settle({ delivery: delivery?.delivery ?? 0, outcome: "ack", output: "late", error: undefined });
    expect([job.outcomes, b.open.length]).toEqual([[], 1]);
    b.settle();
    b.feed.settle({ delivery: b.got[0]?.delivery ?? 0, outcome: "reject", output: undefined, error: RETRY });
    expect(job.outcomes).toEqual(["x"]);
  });

  it("does not start a job before its delay is over", async () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    rig.submit("x", { delayMs: 1_000 });
    await rig.clock.advance(999);
    expect(consumer.got).toEqual([]);
    await rig.clock.advance(1);
    expect(consumer.inputs).toEqual(["x"]);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("C115 C117 never starts a cancelled waiting job, and leaves a finished one as it is", () => {
    const rig = new QueueRig();
    const [waiting, other] = [rig.submit("x"), rig.submit("y")];
    waiting.give.cancelWith(cancelled());
    rig.queue.cancel(other.id ?? "", cancelled());
    const consumer = rig.consume();
    expect(consumer.got).toEqual([]);
    expect([waiting.outcomes, other.outcomes]).toEqual([["CANCELLED"], ["CANCELLED"]]);
    expect(() => rig.queue.cancel(other.id ?? "", cancelled())).not.toThrow();
    expect(thrownBy(() => rig.queue.cancel("nonsense", cancelled()))).toMatchObject({ code: "NOT_FOUND" });
    expect(thrownBy(() => rig.queue.cancel(`${other.id?.slice(0, -1)}7`, cancelled()))).toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("ends a running job that is cancelled, and keeps its place taken until the handler has settled", () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    const [job, next] = [rig.submit("x"), rig.submit("y")];
    job.give.cancelWith(cancelled());
    expect(job.outcomes).toEqual(["CANCELLED"]);
    expect(consumer.abandoned).toEqual([1]);
    expect(consumer.got).toHaveLength(1);
    consumer.settle();
    expect(consumer.inputs).toEqual(["x", "y"]);
    consumer.settle();
    expect(next.outcomes).toEqual(["y"]);
  });

  it("C118 does not start a job after its expiry, and ends one that runs", async () => {
    const rig = new QueueRig();
    const waiting = rig.submit("x", { timeoutMs: 50 });
    await rig.clock.advance(50);
    expect(waiting.outcomes).toEqual(["DEADLINE_EXCEEDED"]);
    const consumer = rig.consume();
    const running = rig.submit("y", { timeoutMs: 50 });
    await rig.clock.advance(50);
    expect([consumer.inputs, running.outcomes, consumer.abandoned]).toEqual([["y"], ["DEADLINE_EXCEEDED"], [1]]);
    expect(rig.submit("z", { timeoutMs: 0 }).outcomes).toEqual(["DEADLINE_EXCEEDED"]);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("C124 gives back what a finishing consumer had not started, without counting the attempt", () => {
    const rig = new QueueRig();
    const a = rig.consume(2);
    const [one, two] = [rig.submit(1), rig.submit(2)];
    a.feed.finish();
    a.settle();
    a.settle("retry", new RpcError("UNAVAILABLE", "closing", { delivered: "no" }));
    expect(a.ends).toEqual([undefined]);
    const b = rig.consume();
    expect(b.open.map(({ attempt }) => attempt)).toEqual([1]);
    b.settle();
    expect([one.outcomes, two.outcomes]).toEqual([[1], [2]]);
  });

  it("gives nothing to a consumer whose wire is full, until it says that it takes more", () => {
    const rig = new QueueRig();
    const [a, b] = [rig.consume(2), rig.consume(2)];
    a.writable = false;
    const jobs = [rig.submit(1), rig.submit(2), rig.submit(3)];
    expect([a.inputs, b.inputs, rig.queue.waitingCount]).toEqual([[], [1, 2], 1]);
    a.feed.resume();
    expect(a.inputs).toEqual([]);
    a.writable = true;
    a.feed.resume();
    expect(a.inputs).toEqual([3]);
    a.settle();
    b.settle();
    b.settle();
    expect(jobs.map(({ outcomes }) => outcomes)).toEqual([[1], [2], [3]]);
  });

  it("does not believe one that gives back for ever", () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    const job = rig.submit(1);
    for (let i = 0; i < 3; i++) consumer.settle("retry", new RpcError("UNAVAILABLE", "no", { delivered: "no" }));
    expect(job.outcomes).toEqual(["UNAVAILABLE"]);
  });

  it("C126 tells everybody who waits when it stops", () => {
    const rig = new QueueRig();
    const consumer = rig.consume();
    const jobs = [rig.submit(1), rig.submit(2, { delayMs: 100 }), rig.submit(3)];
    rig.queue.close(new RpcError("UNAVAILABLE", "stopped"));
    expect(jobs.map(({ outcomes }) => outcomes)).toEqual([["UNAVAILABLE"], ["UNAVAILABLE"], ["UNAVAILABLE"]]);
    expect(consumer.ends.map((error) => error?.code)).toEqual(["UNAVAILABLE"]);
    expect(rig.submit(4).outcomes).toEqual(["UNAVAILABLE"]);
    expect(thrownBy(() => rig.consume())).toMatchObject({ code: "UNAVAILABLE" });
    expect(rig.clock.timerCount).toBe(0);
  });

  it("refuses jobs beyond its limits", () => {
    const rig = new QueueRig({ maxJobs: 2, maxJobsBytes: 2_000 });
    expect(rig.submit("x".repeat(3_000)).outcomes).toEqual(["RESOURCE_EXHAUSTED"]);
    rig.submit(1);
    rig.submit(2);
    expect(rig.submit(3).outcomes).toEqual(["RESOURCE_EXHAUSTED"]);
    const consumer = rig.consume(2);
    consumer.settle();
    expect(rig.submit(3).outcomes).toEqual([]);
  });

  it("gives everybody else a turn when a consumer is always done at once", async () => {
    const rig = new QueueRig({ maxJobs: 5_000, maxJobsBytes: 1 << 30 });
    for (let i = 0; i < 3_000; i++) rig.submit(i);
    const consumer = rig.consume(0);
    consumer.job = (delivery) => {
      consumer.got.push(delivery);
      consumer.feed.settle({ delivery: delivery.delivery, outcome: "ack", output: 1, error: undefined });
    };
    const eager = rig.queue.consume(rig.submit(0, { delayMs: 1e6 }).give, consumer);
    consumer.feed = eager;
    eager.open(1);
    expect(consumer.got).toHaveLength(1_024);
    await settled();
    await settled();
    await settled();
    expect(consumer.got).toHaveLength(3_000);
  });
});

// ---- whatever consumers and submitters do

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("submit" as const),
      priority: fc.integer({ min: -1, max: 1 }),
      delayMs: fc.constantFrom(0, 0, 10),
      key: fc.constantFrom(undefined, undefined, "k"),
      timeoutMs: fc.constantFrom(undefined, undefined, 15),
      maxAttempts: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("consume" as const), credits: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      at: fc.nat(),
      outcome: fc.constantFrom("ack" as const, "retry" as const, "reject" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("finish" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fill" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("give up" as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 12 }) }) },
);

describe("JobQueue, whatever consumers do", () => {
  it("settles each job exactly once, within its attempts, with one consumer at a time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const rig = new QueueRig({ maxJobs: 1e6, maxJobsBytes: 1e9 });
        const submitters: ReturnType<QueueRig["submit"]>[] = [];
        const most = new Map<unknown, number>();
        const credits = new Map<TestConsumer, number>();
        const alive: TestConsumer[] = [];
        const all: TestConsumer[] = [];
        for (const move of steps) {
          const consumer = "at" in move ? alive[move.at % Math.max(1, alive.length)] : undefined;
          switch (move.do) {
            case "submit": {
              const { timeoutMs, ...request } = move;
              // Those with a key join one that waits.
              const input = move.key ?? submitters.length;
              most.set(input, move.key === undefined ? move.maxAttempts : 3);
              submitters.push(rig.submit(input, timeoutMs === undefined ? request : { ...request, timeoutMs }));
              break;
            }
            case "consume": {
              const added = rig.consume(move.credits);
              credits.set(added, move.credits);
              alive.push(added);
              all.push(added);
              break;
            }
            case "settle":
              if (consumer !== undefined && consumer.open.length > 0) consumer.settle(move.outcome);
              break;
            case "lose":
              if (consumer === undefined) break;
              alive.splice(alive.indexOf(consumer), 1);
              consumer.lose();
              break;
            case "fill":
              if (consumer === undefined) break;
              consumer.writable = !consumer.writable;
              if (consumer.writable) consumer.feed.resume();
              break;
            case "finish":
              consumer?.feed.finish();
              break;
            case "give up":
              submitters[move.at % Math.max(1, submitters.length)]?.give.cancelWith(cancelled());
              break;
            case "wait":
              await rig.clock.advance(move.ms);
              break;
          }
          const open = alive.flatMap((one) => one.open);
          expect(rig.queue.runningCount).toBeLessThanOrEqual(open.length);
          expect(new Set(open.map(({ delivery }) => delivery)).size).toBe(open.length);
        }
        for (const [consumer, limit] of credits) expect(consumer.mostOpen).toBeLessThanOrEqual(limit);
        // Work off what is left.
        const last = rig.consume(1_000);
        for (let rounds = 0; rounds < 100; rounds++) {
          for (const consumer of [...alive, last]) while (consumer.open.length > 0) consumer.settle();
          await rig.clock.advance(10);
        }
        expect([rig.queue.waitingCount, rig.queue.runningCount]).toEqual([0, 0]);
        for (const submitter of submitters) expect(submitter.outcomes).toHaveLength(1);
        for (const consumer of [...all, last]) {
          for (const [i, delivery] of consumer.got.entries())
            expect(delivery.attempt).toBeLessThanOrEqual(most.get(consumer.inputs[i]) ?? 0);
        }
        expect(rig.clock.timerCount).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

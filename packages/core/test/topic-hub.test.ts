import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RpcError } from "../src/index.ts";
import type { Peer } from "../src/words/peer.ts";
import {
  type CarriedEvent,
  type EventSink,
  type EventSource,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
  type SubscribeRequest,
} from "../src/words/topics.ts";
import { EncodedPayload, ValuePayload } from "../src/words/payload.ts";
import { decodePayload } from "../src/tools/payloads.ts";
import { dynamicCodec } from "../src/tools/json-message-codec.ts";
import { CallerContext } from "../src/face/caller-context.ts";
import { DEFAULT_TOPIC_LIMITS, type EventTopic, TopicHub } from "../src/machines/topic-hub.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { KEPT, STATES } from "./queue-rig.ts";
import { thrownBy } from "./rig.ts";

class TestSink implements EventSink {
  writable = true;
  isSubscribed = false;
  readonly got: unknown[] = [];
  readonly carried: CarriedEvent[] = [];
  readonly lost: number[] = [];
  readonly ends: (RpcError | undefined)[] = [];
  source!: EventSource;

  subscribed(): void {
    this.isSubscribed = true;
  }
  event(event: CarriedEvent, lost: number): void {
    const { value } = event;
    this.carried.push(event);
    this.got.push(value instanceof EncodedPayload ? decodePayload(dynamicCodec, value) : value);
    this.lost.push(lost);
  }
  ended(error: RpcError | undefined): void {
    this.ends.push(error);
  }
}

class HubRig {
  readonly clock = new FakeClock();
  readonly hub: TopicHub;
  readonly states: EventTopic;
  readonly kept: EventTopic;

  constructor(limits = {}) {
    this.hub = new TopicHub(this.clock, { ...DEFAULT_TOPIC_LIMITS, ...limits });
    this.states = this.hub.add(STATES);
    this.kept = this.hub.add(KEPT);
  }

  subscribe(request: Partial<SubscribeRequest> = {}, credits = 1_000, method = STATES, peer?: Peer): TestSink {
    const sink = new TestSink();
    const context = new CallerContext(method, undefined, this.clock, undefined);
    Object.defineProperty(context, "peer", { value: peer });
    sink.source = this.hub.subscribe(
      { pattern: undefined, lastValue: false, overflow: undefined, buffer: undefined, ...request },
      context,
      sink,
    );
    sink.source.open(credits);
    return sink;
  }

  publish(value: unknown, topic = "", on = this.states): Promise<{ readonly delivered: number }> {
    return on.publish(new ValuePayload(dynamicCodec, value), topic, undefined);
  }
}

describe("TopicHub", () => {
  it("C91 gives an event to each subscriber once, encoded once", async () => {
    const rig = new HubRig();
    const sinks = [rig.subscribe(), rig.subscribe(), rig.subscribe()];
    expect(await rig.publish({ a: 1 })).toEqual({ delivered: 3 });
    for (const sink of sinks) expect(sink.got).toEqual([{ a: 1 }]);
    expect(new Set(sinks.map(({ carried }) => carried[0]?.value)).size).toBe(1);
    // No promise of its own for each event.
    expect(rig.publish(1)).toBe(rig.publish(2));
  });

  it("C95 compares topics exactly, and patterns level by level", () => {
    const rig = new HubRig();
    const received = (pattern: string | undefined): TestSink => rig.subscribe({ pattern });
    const patterns = [undefined, "", "*", "**", "a", "a.*", "a.**", "*.b", "a.b", "a.b.c", "*.*.*"];
    const sinks = patterns.map((pattern) => received(pattern));
    for (const topic of ["", "a", "a.b", "a.b.c", "x", "x.b", "ab", "A"]) void rig.publish(topic, topic);
    const all = ["", "a", "a.b", "a.b.c", "x", "x.b", "ab", "A"];
    expect(sinks.map(({ got }) => got)).toEqual([
      all,
      [""],
      ["a", "x", "ab", "A"],
      all,
      ["a"],
      ["a.b"],
      ["a", "a.b", "a.b.c"],
      ["a.b", "x.b"],
      ["a.b"],
      ["a.b.c"],
      ["a.b.c"],
    ]);
    expect(sinks[8]?.carried.map(({ topic }) => topic)).toEqual(["test.Plain.states.a.b"]);
  });

  it("C93 tells nobody who has left", async () => {
    const rig = new HubRig();
    const [a, b] = [rig.subscribe(), rig.subscribe({ pattern: "a.b" })];
    a.source.close(new RpcError("CANCELLED", "left"));
    b.source.close(new RpcError("CANCELLED", "left"));
    expect(await rig.publish(1, "a.b")).toEqual({ delivered: 0 });
    expect([a.got, a.ends, rig.states.subscriberCount]).toEqual([[], [], 0]);
  });

  it("C99 succeeds with nobody there, and retains nothing unless the event is declared so", async () => {
    const rig = new HubRig();
    expect(await rig.publish(1)).toEqual({ delivered: 0 });
    expect(thrownBy(() => rig.subscribe({ lastValue: true }))).toMatchObject({ code: "FAILED_PRECONDITION" });
    void rig.publish(1, "a", rig.kept);
    void rig.publish(2, "b.c", rig.kept);
    void rig.publish(3, "a", rig.kept);
    expect(rig.subscribe({ lastValue: true }, 10, KEPT).got).toEqual([2, 3]);
    expect(rig.subscribe({ lastValue: true, pattern: "a" }, 10, KEPT).got).toEqual([3]);
    expect(rig.subscribe({}, 10, KEPT).got).toEqual([]);
  });

  it("keeps the last value of so many topics only", () => {
    const rig = new HubRig({ maxRetainedTopics: 2 });
    for (const topic of ["a", "b", "c"]) void rig.publish(topic, topic, rig.kept);
    expect(rig.subscribe({ lastValue: true }, 10, KEPT).got).toEqual(["b", "c"]);
  });

  it("keeps so many bytes of last values only, and the latest always", () => {
    const rig = new HubRig({ maxRetainedBytes: 3_000 });
    const kept = (): unknown[] =>
      rig.subscribe({ lastValue: true }, 100, KEPT).got.map((text) => String(text).slice(0, 1));
    for (const topic of ["a", "b", "c", "d"]) void rig.publish(topic.repeat(1_000), topic, rig.kept);
    expect(kept()).toEqual(["c", "d"]);
    for (let i = 0; i < 10; i++) void rig.publish("e".repeat(100), "d", rig.kept);
    expect(kept()).toEqual(["c", "e"]);
    void rig.publish("f".repeat(10_000), "f", rig.kept);
    expect(kept()).toEqual(["f"]);
  });

  it.each(OVERFLOW_POLICIES)(
    "C95 sends last values first, however many, and counts none of them (%s)",
    async (overflow) => {
      const rig = new HubRig({ maxBufferBytes: 500 });
      for (let i = 0; i < 50; i++) void rig.publish(i, `t${i}`, rig.kept);
      const sink = rig.subscribe({ lastValue: true, overflow, buffer: 2 }, 10, KEPT);
      expect(await rig.publish("new", "t0", rig.kept)).toEqual({ delivered: 1 });
      for (let i = 0; i < 20; i++) sink.source.grant(2);
      expect(sink.got).toEqual(Array.from({ length: 50 }, (_, i) => i));
      sink.source.grant(5);
      void rig.publish("newer", "t1", rig.kept);
      expect(sink.got.slice(50)).toEqual(["new", "newer"]);
      expect([sink.ends, sink.lost.filter((lost) => lost > 0)]).toEqual([[], []]);
    },
  );

  it("refuses last values to a peer that leaves too many of them unread", () => {
    const rig = new HubRig({ maxPeerBufferBytes: 1_000 });
    const peer = {} as Peer;
    const subscribe = (): TestSink => rig.subscribe({ lastValue: true }, 0, KEPT, peer);
    void rig.publish("x".repeat(2_000), "", rig.kept);
    const first = subscribe();
    expect(thrownBy(subscribe)).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxPeerBufferBytes" });
    expect(rig.kept.subscriberCount).toBe(1);
    first.source.grant(1);
    const second = subscribe();
    second.source.close(new RpcError("CANCELLED", "left"));
    subscribe();
  });

  it("names the event that cannot be sent, with nobody there as well", () => {
    const rig = new HubRig();
    const circular: unknown[] = [];
    circular.push(circular);
    const error = thrownBy(() => rig.publish(circular));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(error.message).toContain("test.Plain.states: the event cannot be sent");
  });

  it.each([
    ["a..b", "INVALID_ARGUMENT"],
    [".a", "INVALID_ARGUMENT"],
    ["a.**.b", "INVALID_ARGUMENT"],
    ["\ud800", "INVALID_ARGUMENT"],
    ["x".repeat(257), "RESOURCE_EXHAUSTED"],
    ["é".repeat(129), "RESOURCE_EXHAUSTED"],
    ["a.".repeat(16) + "a", "RESOURCE_EXHAUSTED"],
    ["x".repeat(64 * 1024), "RESOURCE_EXHAUSTED"],
  ])("H60 refuses the pattern %s", (pattern, code) => {
    const rig = new HubRig();
    expect(thrownBy(() => rig.subscribe({ pattern }))).toMatchObject({ code });
    expect(thrownBy(() => rig.publish(1, pattern))).toMatchObject({ code });
    expect(rig.states.subscriberCount).toBe(0);
  });

  it("refuses a wildcard as a topic, and options that cannot be", () => {
    const rig = new HubRig();
    expect(thrownBy(() => rig.publish(1, "a.*"))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => rig.subscribe({ overflow: "explode" as OverflowPolicy })).message).toContain("drop-oldest");
    expect(thrownBy(() => rig.subscribe({ buffer: 0 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => rig.subscribe({ buffer: 1e9 }))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("C96 H62 drops the oldest for one that does not read, and says how many", () => {
    const rig = new HubRig();
    const [slow, quick] = [rig.subscribe({ buffer: 2 }, 1), rig.subscribe()];
    for (let i = 0; i < 6; i++) void rig.publish(i);
    expect(quick.got).toEqual([0, 1, 2, 3, 4, 5]);
    slow.source.grant(10);
    expect([slow.got, slow.lost]).toEqual([
      [0, 4, 5],
      [0, 3, 0],
    ]);
  });

  it("drops the newest when asked to", () => {
    const rig = new HubRig();
    const slow = rig.subscribe({ buffer: 2, overflow: "drop-newest" }, 1);
    for (let i = 0; i < 6; i++) void rig.publish(i);
    slow.source.grant(10);
    void rig.publish(6);
    expect([slow.got, slow.lost]).toEqual([
      [0, 1, 2, 6],
      [0, 0, 0, 3],
    ]);
  });

  it("ends the subscription of one that does not keep up when asked to", async () => {
    const rig = new HubRig();
    const slow = rig.subscribe({ buffer: 1, overflow: "disconnect" }, 0);
    void rig.publish(1);
    expect(await rig.publish(2)).toEqual({ delivered: 0 });
    expect([slow.ends[0]?.code, rig.states.subscriberCount]).toEqual(["RESOURCE_EXHAUSTED", 0]);
  });

  it("lets a blocking subscriber hold up its publisher and nobody else", async () => {
    const rig = new HubRig();
    const [slow, quick] = [rig.subscribe({ buffer: 1, overflow: "block" }, 0), rig.subscribe()];
    await rig.publish(1);
    let done = false;
    const second = rig.publish(2).then((report) => {
      done = true;
      return report;
    });
    await settled();
    expect([done, quick.got]).toEqual([false, [1, 2]]);
    slow.source.grant(1);
    expect(await second).toEqual({ delivered: 2 });
    slow.source.grant(1);
    expect([slow.got, slow.lost]).toEqual([
      [1, 2],
      [0, 0],
    ]);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("ends one that blocks a publisher that does not wait, and fails no publication", async () => {
    const rig = new HubRig();
    const slow = rig.subscribe({ buffer: 2, overflow: "block" }, 0);
    const publications = [0, 1, 2, 3, 4, 5].map((i) => rig.publish(i));
    expect((await Promise.all(publications)).map(({ delivered }) => delivered)).toEqual([1, 1, 1, 1, 0, 0]);
    expect(slow.ends).toMatchObject([{ code: "RESOURCE_EXHAUSTED", reason: "overflow" }]);
    expect([slow.got, rig.states.subscriberCount, rig.clock.timerCount]).toEqual([[], 0, 0]);
  });

  it("ends one that blocks by the publication that waits longest, however much it takes meanwhile", async () => {
    const rig = new HubRig({ maxBlockMs: 1_000 });
    const slow = rig.subscribe({ buffer: 4, overflow: "block" }, 0);
    const publications = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => rig.publish(i));
    for (let i = 0; i < 3; i++) {
      await rig.clock.advance(300);
      slow.source.grant(1);
    }
    await rig.clock.advance(99);
    expect(slow.ends).toEqual([]);
    await rig.clock.advance(1);
    expect(slow.ends.map((error) => error?.reason)).toEqual(["maxBlockMs"]);
    await Promise.all(publications);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("lets a publisher say which policies there are", () => {
    const rig = new HubRig({ policies: ["disconnect", "drop-newest"] });
    const error = thrownBy(() => rig.subscribe({ overflow: "block" }));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "policies" });
    expect(error.message).toContain("disconnect, drop-newest");
    const plain = rig.subscribe({ buffer: 1 }, 0);
    void rig.publish(1);
    void rig.publish(2);
    expect(plain.ends.map((end) => end?.reason)).toEqual(["overflow"]);
  });

  it("lets go of a publisher when the one that blocks leaves, or is blocked for too long", async () => {
    const rig = new HubRig({ maxBlockMs: 1_000 });
    const left = rig.subscribe({ buffer: 1, overflow: "block" }, 0);
    await rig.publish(1);
    const waiting = rig.publish(2);
    left.source.close(new RpcError("CANCELLED", "left"));
    await waiting;
    expect(rig.clock.timerCount).toBe(0);
    const stuck = rig.subscribe({ buffer: 1, overflow: "block" }, 0);
    await rig.publish(3);
    const blocked = rig.publish(4);
    await rig.clock.advance(600);
    stuck.source.grant(1);
    void rig.publish(5);
    await rig.clock.advance(999);
    expect(stuck.ends).toEqual([]);
    await rig.clock.advance(1);
    expect(stuck.ends.map((error) => error?.reason)).toEqual(["maxBlockMs"]);
    await blocked;
    expect(rig.clock.timerCount).toBe(0);
  });

  it("waits for a wire that is full, and goes on where it was", () => {
    const rig = new HubRig();
    const sink = rig.subscribe();
    sink.writable = false;
    void rig.publish(1);
    void rig.publish(2);
    expect(sink.got).toEqual([]);
    sink.writable = true;
    sink.source.resume();
    expect(sink.got).toEqual([1, 2]);
  });

  it("bounds what waits in bytes too", () => {
    const rig = new HubRig({ maxBufferBytes: 3_000 });
    const slow = rig.subscribe({}, 0);
    for (let i = 0; i < 10; i++) void rig.publish(String(i).repeat(1_000));
    slow.source.grant(10);
    expect(slow.got.map((text) => String(text)[0])).toEqual(["8", "9"]);
    expect(slow.lost).toEqual([8, 0]);
    slow.source.close(new RpcError("CANCELLED", "left"));
    // One alone always fits.
    const other = rig.subscribe({}, 0);
    void rig.publish("x".repeat(10_000));
    other.source.grant(1);
    expect(other.got).toHaveLength(1);
  });

  it("bounds what waits for one peer over all its subscriptions, each by its own policy", async () => {
    const rig = new HubRig({ maxPeerBufferBytes: 5_000 });
    const peer = {} as Peer;
    const hoard = rig.subscribe({ pattern: "hoard", overflow: "drop-newest" }, 0, STATES, peer);
    for (let i = 0; i < 20; i++) void rig.publish("h".repeat(1_000), "hoard");
    const sinks = OVERFLOW_POLICIES.map((overflow) => rig.subscribe({ pattern: "x", overflow }, 0, STATES, peer));
    const other = rig.subscribe({ pattern: "x" }, 0, STATES, {} as Peer);
    for (let i = 0; i < 2; i++) expect(await rig.publish("x".repeat(1_000), "x")).toEqual({ delivered: 1 });
    expect(sinks.map(({ ends }) => ends.map((error) => error?.reason))).toEqual([[], [], ["overflow"], ["overflow"]]);
    other.source.grant(10);
    expect(other.got).toHaveLength(2);
    hoard.source.grant(100);
    expect(hoard.got).toHaveLength(4);
    expect(await rig.publish("y", "x")).toEqual({ delivered: 3 });
    for (const sink of sinks.slice(0, 2)) {
      sink.source.grant(10);
      expect([sink.got, sink.lost]).toEqual([["y"], [2]]);
    }
    // What one leaves behind is free for the others.
    const left = rig.subscribe({ pattern: "hoard" }, 0, STATES, peer);
    for (let i = 0; i < 20; i++) void rig.publish("h".repeat(1_000), "hoard");
    left.source.close(new RpcError("CANCELLED", "left"));
    const last = rig.subscribe({ pattern: "x" }, 0, STATES, peer);
    for (let i = 0; i < 4; i++) void rig.publish(String(i).repeat(1_000), "x");
    last.source.grant(10);
    expect(last.got).toHaveLength(4);
  });

  it("ends with its context", () => {
    const rig = new HubRig();
    const sink = new TestSink();
    const context = new CallerContext(STATES, undefined, rig.clock, undefined);
    sink.source = rig.hub.subscribe(
      { pattern: undefined, lastValue: false, overflow: undefined, buffer: undefined },
      context,
      sink,
    );
    context.cancelWith(new RpcError("CANCELLED", "enough"));
    expect([sink.ends[0]?.code, rig.states.subscriberCount]).toEqual(["CANCELLED", 0]);
  });
});

describe("TopicHub, whatever is published and read", () => {
  const move = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 8 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("grant" as const), count: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wire" as const), writable: fc.boolean() }) },
  );

  it.each(["drop-oldest", "drop-newest", "block"] as const)(
    "C94 keeps the order and accounts for each event (%s)",
    async (overflow) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 0, max: 3 }),
          fc.array(move, { maxLength: 40 }),
          async (buffer, credits, moves) => {
            const rig = new HubRig();
            const sink = rig.subscribe({ overflow, buffer }, credits);
            let published = 0;
            let granted = credits;
            const publications: Promise<unknown>[] = [];
            for (const next of moves) {
              if (next.do === "publish") {
                for (let i = 0; i < next.count; i++) publications.push(rig.publish(published++));
              } else if (next.do === "grant") {
                granted += next.count;
                sink.source.grant(next.count);
              } else {
                sink.writable = next.writable;
                if (next.writable) sink.source.resume();
              }
              expect(sink.got.length).toBeLessThanOrEqual(granted);
            }
            sink.writable = true;
            sink.source.grant(1_000);
            // A last one tells what was left out before it.
            void rig.publish(published++);
            let expected = 0;
            for (const [i, value] of sink.got.entries()) {
              expected += sink.lost[i] ?? 0;
              expect(value).toBe(expected);
              expected++;
            }
            // One that blocked a publisher that did not wait was ended.
            const wasEnded = overflow === "block" && sink.ends.length > 0;
            expect(wasEnded || expected === published).toBe(true);
            // Everybody who published is told.
            await Promise.all(publications);
            expect(rig.clock.timerCount).toBe(0);
          },
        ),
        { numRuns: 200 },
      );
    },
  );
});

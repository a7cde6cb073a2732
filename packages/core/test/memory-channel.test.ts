import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RpcError } from "../src/index.ts";
import { type Channel, type ChannelSink, createMemoryChannelPair } from "../src/transport.ts";
import { settled } from "./fake-clock.ts";

class Sink implements ChannelSink {
  readonly messages: Uint8Array[] = [];
  readonly ends: RpcError[] = [];
  drains = 0;
  onMessage: ((bytes: Uint8Array) => void) | undefined = undefined;

  message(bytes: Uint8Array): void {
    this.messages.push(bytes);
    this.onMessage?.(bytes);
  }

  drained(): void {
    this.drains++;
  }

  closed(reason: RpcError): void {
    this.ends.push(reason);
  }

  get numbers(): (number | undefined)[] {
    return this.messages.map((bytes) => bytes[0]);
  }
}

function pair(): { near: Channel; far: Channel; nearSink: Sink; farSink: Sink } {
  const [near, far] = createMemoryChannelPair();
  const nearSink = new Sink();
  const farSink = new Sink();
  near.open(nearSink);
  far.open(farSink);
  return { near, far, nearSink, farSink };
}

const MIB = 1024 * 1024;

describe("a memory channel", () => {
  it("C01 hands nothing over before open, and everything in order afterwards", async () => {
    const [near, far] = createMemoryChannelPair();
    near.open(new Sink());
    for (let i = 1; i <= 3; i++) near.send(Uint8Array.of(i));
    await settled();
    const sink = new Sink();
    far.open(sink);
    near.send(Uint8Array.of(4));
    await settled();
    expect(sink.numbers).toEqual([1, 2, 3, 4]);
  });

  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 4 * MIB])(
    "C02 delivers a message of %d bytes whole",
    async (size) => {
      const { near, farSink } = pair();
      const message = new Uint8Array(size).fill(7);
      near.send(message);
      await settled();
      expect(farSink.messages).toEqual([message]);
    },
  );

  it("C03 keeps the order, whatever the sizes and however both ends interleave", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 300 }), fc.boolean()), { maxLength: 100 }),
        async (steps) => {
          const { near, far, nearSink, farSink } = pair();
          const sent: [number[], number[]] = [[], []];
          for (const [fromNear, size, turn] of steps) {
            (fromNear ? near : far).send(new Uint8Array(size));
            sent[fromNear ? 0 : 1].push(size);
            if (turn) await settled();
          }
          await settled();
          expect(farSink.messages.map(({ length }) => length)).toEqual(sent[0]);
          expect(nearSink.messages.map(({ length }) => length)).toEqual(sent[1]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("C04 carries a megabyte both ways at once", async () => {
    const { near, far, nearSink, farSink } = pair();
    near.send(new Uint8Array(MIB));
    far.send(new Uint8Array(MIB));
    await settled();
    expect([nearSink.messages.length, farSink.messages.length]).toEqual([1, 1]);
    expect([nearSink.drains, farSink.drains]).toEqual([1, 1]);
  });

  it("C05 says when it is full, and once when there is room again; nothing is dropped", async () => {
    const { near, nearSink, far, farSink } = pair();
    far.pause?.();
    expect(near.send(new Uint8Array(MIB - 1))).toBe(true);
    expect(near.send(new Uint8Array(1))).toBe(false);
    expect(near.send(new Uint8Array(5))).toBe(false);
    await settled();
    expect(nearSink.drains).toBe(0);
    far.resume?.();
    await settled();
    expect(nearSink.drains).toBe(1);
    expect(farSink.messages.map(({ length }) => length)).toEqual([MIB - 1, 1, 5]);
    expect(near.send(new Uint8Array(1))).toBe(true);
  });

  it("C06 copies what is sent", async () => {
    const { near, farSink } = pair();
    const bytes = Uint8Array.of(1, 2, 3);
    near.send(bytes);
    bytes.fill(9);
    await settled();
    expect(farSink.messages).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  it("C06 H93 copies a view of a pooled Buffer, and nothing beside it", async () => {
    const { near, farSink } = pair();
    const pool = Buffer.from("abcdef");
    near.send(pool.subarray(2, 4));
    pool.fill(0);
    await settled();
    const [message] = farSink.messages;
    expect(message).toEqual(Uint8Array.from(Buffer.from("cd")));
    expect(message?.buffer.byteLength).toBe(2);
  });

  it("C06 keeps the very bytes that are handed over for good", async () => {
    const { near, farSink } = pair();
    const bytes = Uint8Array.of(1);
    near.send(bytes, true);
    await settled();
    expect(farSink.messages[0]).toBe(bytes);
  });

  it("C07 calls no sink inside open, send or close", () => {
    const [near, far] = createMemoryChannelPair();
    const nearSink = new Sink();
    const farSink = new Sink();
    far.send(Uint8Array.of(1));
    near.open(nearSink);
    far.open(farSink);
    near.send(Uint8Array.of(2));
    near.close();
    expect([nearSink.messages, farSink.messages, nearSink.ends, farSink.ends].flat()).toEqual([]);
  });

  it("C07 calls no sink inside resume and destroy", async () => {
    const { near, far, farSink } = pair();
    far.pause?.();
    near.send(Uint8Array.of(1));
    await settled();
    far.resume?.();
    expect(farSink.messages).toEqual([]);
    near.destroy?.();
    expect(farSink.ends).toEqual([]);
  });

  it("C08 delivers what was sent before the close", async () => {
    const { near, farSink } = pair();
    for (let i = 1; i <= 100; i++) near.send(Uint8Array.of(i));
    near.close();
    let endsAtLastMessage = -1;
    farSink.onMessage = () => (endsAtLastMessage = farSink.ends.length);
    await settled();
    expect(farSink.messages).toHaveLength(100);
    expect(endsAtLastMessage).toBe(0);
    expect(farSink.ends).toHaveLength(1);
  });

  it("C08 delivers what was sent before the close to a far end that opens or resumes later", async () => {
    const { near, far, farSink } = pair();
    far.pause?.();
    near.send(Uint8Array.of(1));
    near.close();
    await settled();
    expect(farSink.ends).toEqual([]);
    far.resume?.();
    await settled();
    expect(farSink.numbers).toEqual([1]);
    expect(farSink.ends).toHaveLength(1);
  });

  it("C09 closes once, with the reason here and an ordinary one there", async () => {
    const { near, far, nearSink, farSink } = pair();
    near.close(new RpcError("INTERNAL", "mine", { reason: "PROTOCOL" }));
    near.close(new RpcError("INTERNAL", "another"));
    near.destroy?.();
    await settled();
    far.close();
    far.destroy?.();
    await settled();
    expect(nearSink.ends).toEqual([expect.objectContaining({ message: "mine" })]);
    expect(farSink.ends).toEqual([expect.objectContaining({ code: "UNAVAILABLE", reason: "PEER_LOST" })]);
  });

  it("C10 closes on both ends at the same moment", async () => {
    const { near, far, nearSink, farSink } = pair();
    near.close();
    far.close();
    await settled();
    expect([nearSink.ends.length, farSink.ends.length]).toEqual([1, 1]);
  });

  it("C11 sends nothing on a closed channel, from either end", async () => {
    const { near, far, nearSink, farSink } = pair();
    near.close();
    expect(near.send(Uint8Array.of(1))).toBe(false);
    far.send(Uint8Array.of(2));
    await settled();
    expect(far.send(Uint8Array.of(3))).toBe(false);
    await settled();
    expect([...nearSink.messages, ...farSink.messages]).toEqual([]);
    expect([nearSink.drains, farSink.drains]).toEqual([0, 0]);
  });

  it("C11 delivers nothing to an end that has closed itself", async () => {
    const { near, far, nearSink } = pair();
    far.send(Uint8Array.of(1));
    near.close();
    await settled();
    expect(nearSink.messages).toEqual([]);
    expect(nearSink.ends).toHaveLength(1);
  });

  it("C11 delivers nothing more to an end that closes while it is being served", async () => {
    const { near, far, nearSink } = pair();
    nearSink.onMessage = () => near.close();
    far.send(Uint8Array.of(1));
    far.send(Uint8Array.of(2));
    await settled();
    expect(nearSink.numbers).toEqual([1]);
    expect(nearSink.ends).toHaveLength(1);
  });

  it("C12 stays closed", async () => {
    const { near, far, farSink } = pair();
    near.close();
    await settled();
    near.resume?.();
    near.send(Uint8Array.of(1));
    far.resume?.();
    await settled();
    expect(farSink.messages).toEqual([]);
    expect(farSink.ends).toHaveLength(1);
  });

  it("C13 tells the far end when one is destroyed, and drops what was under way", async () => {
    const { near, far, farSink } = pair();
    far.pause?.();
    near.send(Uint8Array.of(1));
    near.destroy?.();
    far.resume?.();
    await settled();
    expect(farSink.messages).toEqual([]);
    expect(farSink.ends).toEqual([expect.objectContaining({ code: "UNAVAILABLE" })]);
  });

  it("delivers nothing while it is paused, and the rest when a pause came in the middle", async () => {
    const { near, far, farSink } = pair();
    farSink.onMessage = (bytes) => {
      if (bytes[0] === 2) far.pause?.();
    };
    for (let i = 1; i <= 4; i++) near.send(Uint8Array.of(i));
    await settled();
    expect(farSink.numbers).toEqual([1, 2]);
    near.send(Uint8Array.of(5));
    far.resume?.();
    await settled();
    expect(farSink.numbers).toEqual([1, 2, 3, 4, 5]);
  });

  it("H05 closes at a message over its limit, and delivers one at the limit", async () => {
    const { near, far, farSink } = pair();
    far.limitMessageBytes?.(10);
    near.send(new Uint8Array(10));
    near.send(new Uint8Array(11));
    near.send(new Uint8Array(1));
    await settled();
    expect(farSink.messages).toHaveLength(1);
    expect(farSink.ends).toEqual([expect.objectContaining({ code: "RESOURCE_EXHAUSTED", reason: "maxMessageBytes" })]);
  });

  it("can be answered from inside a delivery", async () => {
    const { near, far, nearSink, farSink } = pair();
    farSink.onMessage = (bytes) => void far.send(bytes);
    for (let i = 1; i <= 3; i++) near.send(Uint8Array.of(i));
    await settled();
    expect(nearSink.numbers).toEqual([1, 2, 3]);
  });
});

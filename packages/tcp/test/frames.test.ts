import { array, assert, integer, nat, property, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, writeHeader } from "../src/frames.ts";
import { frame, header, text } from "./rig.ts";

const LIMIT = 4 * 1024 * 1024;

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message);
  }
  return messages;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.slice(places[i], end));
}

describe("FrameReader", () => {
  it("H02 gives the same messages however the stream is split", () => {
    const message = uint8Array({ minLength: 1, maxLength: 9_000 });
    const cuts = array(nat({ max: 60_000 }), { maxLength: 60 });
    assert(
      property(array(message, { maxLength: 8 }), cuts, (messages, places) => {
        const stream = Buffer.concat(messages.map((bytes) => frame(bytes)));
        const read = readAll(new FrameReader(LIMIT), split(stream, places));
        expect(read.map((bytes) => Buffer.from(bytes))).toEqual(messages.map((bytes) => Buffer.from(bytes)));
      }),
    );
  });

  it("H02 gives the same messages when the stream is cut at every single offset", () => {
    const stream = Buffer.concat([frame("a"), frame("second"), frame("x".repeat(300))]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const read = readAll(new FrameReader(LIMIT), [stream.subarray(0, cut), stream.subarray(cut)]);
      expect(read.map(text)).toEqual(["a", "second", "x".repeat(300)]);
    }
  });

  it("H02 gives two messages of two and a half frames in one chunk, and the third with the rest", () => {
    const reader = new FrameReader(LIMIT);
    const stream = Buffer.concat([frame("one"), frame("two"), frame("three")]);
    expect(readAll(reader, [stream.subarray(0, -3)]).map(text)).toEqual(["one", "two"]);
    expect(reader.isPartial).toBe(true);
    expect(reader.progress).toBe("2 of 5 bytes");
    expect(readAll(reader, [stream.subarray(-3)]).map(text)).toEqual(["three"]);
    expect(reader.isPartial).toBe(false);
  });

  it("H01 reads a stream that comes byte by byte and keeps no view for each byte", () => {
    const message = Buffer.alloc(300_000, 7);
    const stream = frame(message);
    const bytes = Array.from(stream, (byte) => Uint8Array.of(byte));
    const reader = new FrameReader(LIMIT);
    expect(readAll(reader, bytes.slice(0, -1))).toEqual([]);
    const [read] = readAll(reader, bytes.slice(-1));
    expect(Buffer.from(read ?? [])).toEqual(message);
  });

  it("H01 copies no byte of a message that is whole in its chunk", () => {
    const chunk = Buffer.concat([frame("one"), frame("two")]);
    for (const message of readAll(new FrameReader(LIMIT), [chunk])) {
      expect(message.buffer).toBe(chunk.buffer);
      expect(Buffer.isBuffer(message)).toBe(false);
    }
  });

  it("H03 reads 100,000 minimal frames of one chunk without recursion", () => {
    const chunk = Buffer.alloc(500_000);
    for (let i = 0; i < 100_000; i++) chunk[i * 5 + 3] = 1;
    expect(readAll(new FrameReader(LIMIT), [chunk])).toHaveLength(100_000);
  });

  it.each([
    ["whole", [4]],
    ["cut", [2, 2]],
  ])("H04 refuses a length of 0 in a %s header", (_name, sizes) => {
    const reader = new FrameReader(LIMIT);
    expect(
      readAll(
        reader,
        sizes.map((size) => new Uint8Array(size)),
      ),
    ).toEqual([]);
    expect(reader.broken).toMatch(/length 0/);
  });

  it("H05 takes a message of exactly the limit and refuses one byte more on the header", () => {
    const reader = new FrameReader(100);
    expect(readAll(reader, [frame(Buffer.alloc(100))])).toHaveLength(1);
    expect(readAll(reader, [header(101)])).toEqual([]);
    expect(reader.broken).toBe("a message of 101 bytes is announced and the limit is 100");
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])("H06 refuses an announced length of %d, whole or cut", (length) => {
    for (const chunks of [[header(length)], Array.from(header(length), (byte) => Uint8Array.of(byte))]) {
      const reader = new FrameReader(LIMIT);
      expect(readAll(reader, chunks)).toEqual([]);
      expect(reader.broken).toContain(String(length));
    }
  });

  it("H07 holds what came of a message and nothing for what was announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 200 }, () => new FrameReader(LIMIT));
    for (const reader of readers) readAll(reader, [Buffer.concat([header(LIMIT), Buffer.from("abc")])]);
    // Two hundred announcements of 4 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(LIMIT);
    expect(readers.every((reader) => reader.isPartial)).toBe(true);
  });

  it.each([
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /HTTP/],
    ["an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n", /SSH/],
    ["a TLS hello", "\u0016\u0003\u0001\u0002\u0000", /TLS/],
  ])("H09 knows %s by its first four bytes", (_name, bytes, expected) => {
    const reader = new FrameReader(LIMIT);
    readAll(reader, [Buffer.from(bytes, "latin1")]);
    expect(reader.broken).toMatch(expected);
  });

  it("reads nothing more after a broken header", () => {
    const reader = new FrameReader(LIMIT);
    readAll(reader, [header(0), frame("late")]);
    expect(readAll(reader, [frame("later")])).toEqual([]);
  });

  it("applies a new limit from the next header on", () => {
    const reader = new FrameReader(10);
    reader.feed(Buffer.concat([frame("short"), frame("x".repeat(50))]));
    expect(text(reader.next())).toBe("short");
    reader.limitBytes = 50;
    expect(text(reader.next())).toBe("x".repeat(50));
  });
});

describe("writeHeader", () => {
  it("writes what the reader reads", () => {
    assert(
      property(integer({ min: 1, max: 2 ** 32 - 1 }), (length) => {
        const bytes = new Uint8Array(6);
        writeHeader(bytes, 1, length);
        expect(Buffer.from(bytes).readUInt32BE(1)).toBe(length);
      }),
    );
  });
});

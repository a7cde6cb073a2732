import * as zlib from "node:zlib";
import { array, assert, integer, property, tuple, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { capabilitiesOf, compressionsOf, type CompressionOption } from "../src/compression.ts";

const HAS_ZSTD = typeof zlib.zstdCompressSync === "function";
/** What Node hands out at a time: at its multiples a reader is between two buffers. */
const CHUNK = zlib.constants.Z_DEFAULT_CHUNK;
const LIMIT = 10 * CHUNK;

const available = compressionsOf(true).map((compression) => [compression.name, compression] as const);

describe("the option compression", () => {
  it("is off by default, and everything that there is when it is true", () => {
    expect(compressionsOf()).toEqual([]);
    expect(compressionsOf(false)).toEqual([]);
    expect(compressionsOf(true).map(({ name }) => name)).toEqual(HAS_ZSTD ? ["zstd", "gzip"] : ["gzip"]);
  });

  it("keeps the order of names", () => {
    expect(compressionsOf(["gzip"]).map(({ name }) => name)).toEqual(["gzip"]);
    expect(compressionsOf(["gzip", "zstd"]).map(({ name }) => name)).toEqual(HAS_ZSTD ? ["gzip", "zstd"] : ["gzip"]);
  });

  it.each(["brotli", "GZIP", ""])("refuses the name %j", (name) => {
    expect(() => compressionsOf([name] as unknown as CompressionOption)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: `option compression knows "zstd" and "gzip", not "${name}"`,
      }),
    );
  });

  it("is a gap that names itself when nothing is compressed", () => {
    expect(capabilitiesOf(true)).toEqual({});
    for (const option of [false, []]) {
      expect(capabilitiesOf(option).compression).toEqual({ unsupported: expect.stringMatching(/option compression/) });
    }
  });
});

describe.each(available)("%s", (name, compression) => {
  it("gives back what it was given", () => {
    const piece = tuple(uint8Array({ maxLength: 50 }), integer({ min: 1, max: 2_000 }));
    assert(
      property(array(piece, { maxLength: 4 }), (pieces) => {
        const bytes = Buffer.concat(pieces.flatMap(([part, times]) => Array.from({ length: times }, () => part)));
        expect(bytes.equals(compression.decompress(compression.compress(bytes), bytes.length + 1))).toBe(true);
      }),
    );
  });

  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 8 * CHUNK, LIMIT])("gives back %i bytes", (length) => {
    for (const bytes of [Buffer.alloc(length, "a"), noise(length)]) {
      expect(bytes.equals(compression.decompress(compression.compress(bytes), LIMIT))).toBe(true);
    }
  });

  it("H12 stops at the limit", () => {
    const bomb = compression.compress(Buffer.alloc(50_000_000));
    for (const bytes of [bomb, compression.compress(Buffer.alloc(LIMIT + 1))]) {
      expect(() => compression.decompress(bytes, LIMIT)).toThrow(
        expect.objectContaining({
          code: "RESOURCE_EXHAUSTED",
          reason: "maxMessageBytes",
          message: `a compressed message grows beyond ${LIMIT} bytes`,
        }),
      );
    }
  });

  it("H13 refuses what was cut off, wherever", () => {
    const whole = compression.compress(Buffer.from("to be or not to be, that is the question, to be"));
    for (let length = 0; length < whole.length; length++)
      expect(() => compression.decompress(whole.subarray(0, length), LIMIT)).toThrow(refusal());
  });

  it.each([0, 1, 100, CHUNK, 2 * CHUNK])("H11 refuses bytes behind the data, which are %i", (length) => {
    const whole = compression.compress(noise(length));
    const empty = compression.compress(new Uint8Array(0));
    for (const more of [Buffer.alloc(1), Buffer.alloc(8), Buffer.from("junk"), whole, empty, whole.subarray(0, 5)]) {
      expect(() => compression.decompress(Buffer.concat([whole, more]), LIMIT)).toThrow(
        refusal(/bytes stand behind it/),
      );
    }
    expect(() => compression.decompress(Buffer.concat([empty, whole]), LIMIT)).toThrow(
      refusal(/bytes stand behind it/),
    );
  });

  it("H13 refuses any other bytes", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => compression.decompress(bytes, LIMIT)).toThrow(refusal());
      }),
    );
    expect(() => compression.decompress(Buffer.from("plain text"), LIMIT)).toThrow(refusal());
    for (const [, other] of available.filter(([otherName]) => otherName !== name)) {
      expect(() => compression.decompress(other.compress(noise(100)), LIMIT)).toThrow(refusal());
    }
  });

  it("leaves what it read as it was, in the middle of a buffer too", () => {
    const whole = compression.compress(Buffer.from("in the middle"));
    const around = Buffer.concat([Buffer.from("abc"), whole, Buffer.from("def")]);
    const before = Buffer.from(around);
    const bytes = compression.decompress(around.subarray(3, 3 + whole.length), LIMIT);
    expect(Buffer.from(bytes).toString()).toBe("in the middle");
    expect(around.equals(before)).toBe(true);
  });
});

describe.each(compressionsOf(["gzip"]))("$name of another implementation", (gzip) => {
  const plain = zlib.gzipSync("hello");
  const flagged = (flags: number, ...fields: Uint8Array[]): Buffer => {
    const header = Buffer.from(plain.subarray(0, 10));
    header[3] = flags;
    return Buffer.concat([header, ...fields, plain.subarray(10)]);
  };
  const extra = Buffer.from([3, 0, 1, 2, 3]);
  const name = Buffer.from("hello.txt\0");
  const comment = Buffer.from("a greeting\0");
  const checksum = Buffer.from([0, 0]);

  it.each([
    ["text", flagged(1)],
    ["a checksum of the header", flagged(2, checksum)],
    ["extra fields", flagged(4, extra)],
    ["a name", flagged(8, name)],
    ["a comment", flagged(16, comment)],
    ["all of it", flagged(31, extra, name, comment, checksum)],
  ])("is read with %s", (_name, bytes) => {
    expect(String(gzip.decompress(bytes, LIMIT))).toBe("hello");
  });

  it("is refused when a header goes beyond the bytes, or has flags that nobody knows", () => {
    const header = plain.subarray(0, 10);
    const endless = Buffer.from([...header.subarray(0, 3), 8, ...header.subarray(4), 65, 65, 65]);
    for (const bytes of [flagged(32), flagged(4, Buffer.from([255, 255])), endless])
      expect(() => gzip.decompress(bytes, LIMIT)).toThrow(refusal());
  });

  it("is refused with a wrong checksum or length", () => {
    for (const fromEnd of [1, 5]) {
      const bytes = Buffer.from(plain);
      bytes[bytes.length - fromEnd] = 0x5a;
      expect(() => gzip.decompress(bytes, LIMIT)).toThrow(refusal(/checksum or the length is wrong/));
    }
  });
});

describe.each(compressionsOf(["zstd"]))("$name of another implementation", (zstd) => {
  it("is read with a checksum, in many blocks, and without its size", async () => {
    const bytes = noise(5 * CHUNK);
    const params = { [zlib.constants.ZSTD_c_checksumFlag]: 1 };
    for (const data of [zlib.zstdCompressSync(bytes, { params }), await streamed(bytes, params)]) {
      expect(bytes.equals(zstd.decompress(data, LIMIT))).toBe(true);
    }
  });

  it("is refused when it asks for a window of more than 8 MiB", async () => {
    const allowed = await streamed(noise(100), { [zlib.constants.ZSTD_c_windowLog]: 23 });
    expect(zstd.decompress(allowed, LIMIT)).toHaveLength(100);
    const larger = await streamed(noise(100), { [zlib.constants.ZSTD_c_windowLog]: 24 });
    expect(() => zstd.decompress(larger, LIMIT)).toThrow(refusal(/too much memory/));
  });

  it("is refused when it is a frame to skip", () => {
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 65]);
    expect(() => zstd.decompress(skipped, LIMIT)).toThrow(refusal(/no zstd frame/));
    expect(() => zstd.decompress(Buffer.concat([skipped, zstd.compress(noise(10))]), LIMIT)).toThrow(
      refusal(/no zstd frame/),
    );
  });
});

function refusal(message = /^compressed data that cannot be read: /): unknown {
  return expect.objectContaining({ code: "INTERNAL", reason: "PROTOCOL", message: expect.stringMatching(message) });
}

/** The same bytes each time, of which about half can be compressed. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 2) bytes[i] = Math.imul(i + 1, 2_654_435_761) >>> 24;
  return bytes;
}

/** With two flushes, so that the header knows no size. */
async function streamed(bytes: Buffer, params: Record<number, number>): Promise<Buffer> {
  const stream = zlib.createZstdCompress({ params });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const half = bytes.length >> 1;
  stream.write(bytes.subarray(0, half));
  await new Promise<void>((resolve) => {
    stream.flush(resolve);
  });
  stream.end(bytes.subarray(half));
  await new Promise<void>((resolve) => {
    stream.once("end", resolve);
  });
  return Buffer.concat(chunks);
}

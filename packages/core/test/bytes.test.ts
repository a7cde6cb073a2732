import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shown } from "../src/transport.ts";
import { base64FromBytes, bytesFromBase64, hexFromBytes, randomBytes } from "../src/tools/bytes.ts";

describe("base64", () => {
  it("brings back any bytes, and is what every other program writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = base64FromBytes(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64"));
        expect(bytesFromBase64(text)).toEqual(bytes);
      }),
    );
  });

  it("takes more bytes than a function takes arguments", () => {
    const bytes = new Uint8Array(300_001).fill(200);
    expect(bytesFromBase64(base64FromBytes(bytes))).toEqual(bytes);
  });

  it.each(["A", "QQ", "QQ=", "QQ===", "Q Q=", "QQ==\n", "QQ_-", "=QQ=", "QQ==QQ=="])("refuses %j", (text) => {
    expect(bytesFromBase64(text)).toBeUndefined();
  });
});

describe("shown", () => {
  it("H74 leaves no control character and no line break in what it shows", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        expect(shown(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
    expect(shown("\u001b[31mred\r\n")).toBe("\\u001b[31mred\\u000d\\u000a");
  });

  it("H74 cuts long text", () => {
    expect(shown("x".repeat(10_000))).toBe(`${"x".repeat(100)}…`);
    expect(shown("abcdef", 3)).toBe("abc…");
  });
});

describe("hexFromBytes", () => {
  it("writes two digits for each byte", () => {
    expect(hexFromBytes(Uint8Array.of(0, 15, 255))).toBe("000fff");
  });
});

describe("random bytes", () => {
  it("are new ones each time, over many refills of the pool, and the taker's own", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i++) {
      const bytes = randomBytes(16);
      seen.add(hexFromBytes(bytes));
      bytes.fill(0);
    }
    expect(seen.size).toBe(1000);
    expect(randomBytes(1024)).toHaveLength(1024);
    expect(randomBytes(1)).toHaveLength(1);
  });

  it("are no part of a larger buffer that others could read", () => {
    expect(randomBytes(32).buffer.byteLength).toBe(32);
  });
});

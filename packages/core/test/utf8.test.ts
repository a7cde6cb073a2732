import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readUtf8, utf8Bytes } from "../src/tools/utf8.ts";
import { RpcError } from "../src/words/rpc-error.ts";

const wellFormed = fc.string({ unit: "binary" }).map((text) => text.toWellFormed());

describe("without Node's Buffer", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it("writes and reads the same text", async () => {
    vi.resetModules();
    vi.stubGlobal("Buffer", undefined);
    const browser = await import("../src/tools/utf8.ts");
    vi.unstubAllGlobals();
    const node = await import("../src/tools/utf8.ts");
    fc.assert(
      fc.property(wellFormed, (text) => {
        const bytes = browser.allocateBytes(text.length * 3 + 1);
        const end = browser.writeUtf8(text, bytes, 1) + 1;
        expect(end - 1).toBe(browser.utf8Length(text));
        expect(browser.readUtf8(bytes, 1, end)).toBe(text);
        expect(node.readUtf8(bytes, 1, end)).toBe(text);
      }),
    );
    expect(() => browser.writeUtf8("\ud800", new Uint8Array(8), 0)).toThrow(RpcError);
    expect(() => browser.readUtf8(Uint8Array.of(0xff), 0, 1)).toThrow("not valid UTF-8");
  });
});

describe("readUtf8", () => {
  it("brings back any text, byte order mark included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(readUtf8(utf8Bytes(`\ufeff${text}`))).toBe(`\ufeff${text}`);
      }),
    );
  });

  it.each([
    ["overlong", [0xc0, 0x80]],
    ["half a surrogate pair", [0xed, 0xa0, 0x80]],
    ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
    ["cut short", [0xe2, 0x82]],
    ["no UTF-8 at all", [0xff]],
  ])("H87 refuses bytes that are %s", (_what, bytes) => {
    expect(() => readUtf8(Uint8Array.from(bytes))).toThrow(RpcError);
  });
});

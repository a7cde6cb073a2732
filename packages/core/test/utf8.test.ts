import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
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

import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import { callOf, faultIn } from "./documents.ts";

const codec = createDocumentCodec();

function documentOf(text: string, encoding?: string): string {
  const declaration = encoding === undefined ? "" : `<?xml version="1.0" encoding="${encoding}"?>`;
  return `${declaration}${callOf(`<value>${text}</value>`)}`;
}

function utf16be(text: string): Uint8Array {
  return Buffer.from(text, "utf16le").swap16();
}

function read(bytes: Uint8Array, contentType?: string): unknown {
  return codec.decodeCall(bytes, contentType).params[0];
}

function code(bytes: Uint8Array, contentType?: string): number {
  return faultIn(() => read(bytes, contentType)).code;
}

describe("X23 charsets", () => {
  it("H120 the header wins over mark and declaration", () => {
    const latin = Buffer.from(documentOf("é", "utf-8"), "latin1");
    expect(read(latin, "text/xml; charset=iso-8859-1")).toBe("é");
    expect(read(latin, 'text/xml;CHARSET="ISO-8859-1"; x=y')).toBe("é");
    expect(code(latin, "text/xml; charset=utf-8")).toBe(-32_702);
    expect(read(Buffer.from(documentOf("é", "iso-8859-1")), "application/xml;charset=UTF-8")).toBe("é");
    expect(code(Buffer.from(`\ufeff${documentOf("x")}`), "text/xml; charset=us-ascii")).toBe(-32_702);
    expect(code(Buffer.from(`\ufeff${documentOf("x")}`, "utf16le"), "text/xml; charset=utf-8")).toBe(-32_702);
    expect(code(Buffer.from(`\ufeff${documentOf("x")}`), "text/xml; charset=utf-16")).toBe(-32_702);
  });

  it("H120 quotes and blanks around a charset are not part of it", () => {
    expect(read(Buffer.from(documentOf("é")), 'text/xml; charset="utf-8 "')).toBe("é");
  });

  it("H120 then the mark, then the declaration, then UTF-8", () => {
    expect(read(Buffer.from(`\ufeff${documentOf("é", "iso-8859-1")}`))).toBe("é");
    expect(read(Buffer.from(`\ufeff${documentOf("é😈", "iso-8859-1")}`, "utf16le"))).toBe("é😈");
    expect(read(utf16be(`\ufeff${documentOf("é😈", "utf-16")}`))).toBe("é😈");
    expect(read(Buffer.from(documentOf("é", "ISO-8859-1"), "latin1"), "text/xml")).toBe("é");
    expect(read(Buffer.from(documentOf("é")), "text/xml")).toBe("é");
    expect(read(Buffer.from(documentOf("é")))).toBe("é");
  });

  it("H120 UTF-16 without a mark is told by its first character", () => {
    expect(read(Buffer.from(documentOf("é", "utf-16"), "utf16le"))).toBe("é");
    expect(read(utf16be(documentOf("é", "utf-16")))).toBe("é");
    expect(read(Buffer.from(documentOf("é"), "utf16le"), "text/xml; charset=utf-16")).toBe("é");
    expect(read(utf16be(documentOf("é")), "text/xml; charset=utf-16")).toBe("é");
    expect(read(utf16be(documentOf("é")), "text/xml; charset=utf-16be")).toBe("é");
  });

  it("iso-8859-1 and us-ascii are themselves, not windows-1252", () => {
    const bytes = Buffer.from(documentOf("\u0085\u009f\u00a0ÿ"), "latin1");
    expect(read(bytes, "text/xml; charset=iso-8859-1")).toBe("\u0085\u009f\u00a0ÿ");
    expect(code(bytes, "text/xml; charset=us-ascii")).toBe(-32_702);
    expect(read(Buffer.from(documentOf("plain")), "text/xml; charset=us-ascii")).toBe("plain");
  });

  it("iso-8859-15 differs in eight characters", () => {
    const bytes = Buffer.from(documentOf("¤¦¨´¸¼½¾é"), "latin1");
    expect(read(bytes, "text/xml; charset=iso-8859-15")).toBe("€ŠšŽžŒœŸé");
  });

  it.for(["ansi", "utf-7", "utf-32", "windows-1252", "ebcdic-cp-us", "x-user-defined", "__proto__"])(
    "H120 an encoding outside the list is refused: %s",
    (name) => {
      expect(code(Buffer.from(documentOf("x")), `text/xml; charset=${name}`)).toBe(-32_701);
      expect(code(Buffer.from(documentOf("x", name)))).toBe(-32_701);
    },
  );

  it.for([
    ["overlong", [0xc0, 0xbc]],
    ["a lone continuation", [0x80]],
    ["cut off", [0xe2, 0x82]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
    ["0xff", [0xff]],
  ] as const)("H120 bytes that are no UTF-8 are refused: %s", ([, bad]) => {
    const [head = "", tail = ""] = documentOf("|").split("|");
    expect(code(Buffer.concat([Buffer.from(head), Buffer.from(bad), Buffer.from(tail)]))).toBe(-32_702);
  });

  it("H120 bytes that are no UTF-16 are refused", () => {
    const mark = "\ufeff";
    expect(code(Buffer.from(mark + documentOf("\ud800"), "utf16le"))).toBe(-32_702);
    expect(code(Buffer.from(mark + documentOf("x"), "utf16le").subarray(0, -1))).toBe(-32_702);
    expect(code(utf16be(mark + documentOf("x")).subarray(0, -1))).toBe(-32_702);
    expect(code(utf16be(mark + documentOf("\udc00")))).toBe(-32_702);
  });

  it("writes text that any reader takes for UTF-8", () => {
    const document = codec.encodeCall("têšt", ["grüße ☺ 😈"]);
    expect(document).toMatch(/^<\?xml version='1.0'\?>/);
    expect(codec.decodeCall(Buffer.from(document), undefined)).toEqual({ method: "têšt", params: ["grüße ☺ 😈"] });
  });
});

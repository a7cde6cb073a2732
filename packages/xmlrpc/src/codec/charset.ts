import { FaultCode, FaultError } from "../fault.ts";

type Charset = "utf-8" | "us-ascii" | "iso-8859-1" | "iso-8859-15" | "utf-16" | "utf-16le" | "utf-16be";

/** Names by which the accepted encodings go. UTF-7 and everything else that could hide markup is left out on purpose. */
const CHARSETS: ReadonlyMap<string, Charset> = new Map([
  ["utf-8", "utf-8"],
  ["utf8", "utf-8"],
  ["us-ascii", "us-ascii"],
  ["ascii", "us-ascii"],
  ["iso-8859-1", "iso-8859-1"],
  ["iso8859-1", "iso-8859-1"],
  ["latin1", "iso-8859-1"],
  ["iso-8859-15", "iso-8859-15"],
  ["iso8859-15", "iso-8859-15"],
  ["utf-16", "utf-16"],
  ["utf-16le", "utf-16le"],
  ["utf-16be", "utf-16be"],
]);

/** Bytes as text. The charset is the header's, else the byte order mark's, else the declaration's, else UTF-8 (RFC 7303). */
export function decodeDocument(bytes: Uint8Array, contentType: string | undefined): string {
  const header = contentType === undefined ? undefined : charsetOf(contentType);
  if (header !== undefined) return decodeAs(known(header), bytes);
  const mark = markOf(bytes);
  if (mark !== undefined) return decodeAs(mark, bytes);
  const declared = declaredIn(bytes);
  const charset = declared === undefined ? "utf-8" : known(declared);
  return decodeAs(charset, bytes);
}

/** The charset parameter of a media type, lower-case. */
function charsetOf(contentType: string): string | undefined {
  const found = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))/i.exec(contentType);
  return (found?.[1] ?? found?.[2])?.trim().toLowerCase();
}

function known(name: string): Charset {
  const charset = CHARSETS.get(name);
  if (charset === undefined) {
    throw new FaultError(FaultCode.UnsupportedEncoding, `LookupError: unknown encoding: ${name.slice(0, 40)}`);
  }
  return charset;
}

function markOf(bytes: Uint8Array): Charset | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

/** How far a declaration is looked for, in bytes. */
const DECLARATION = 256;

function declaredIn(bytes: Uint8Array): string | undefined {
  // "<?" in UTF-16 without a mark: only then can the declaration be read at all.
  if (bytes[0] === 0x3c && bytes[1] === 0 && bytes[2] === 0x3f && bytes[3] === 0) return "utf-16le";
  if (bytes[0] === 0 && bytes[1] === 0x3c && bytes[2] === 0 && bytes[3] === 0x3f) return "utf-16be";
  if (bytes[0] !== 0x3c || bytes[1] !== 0x3f) return undefined;
  const head = latin1(bytes.subarray(0, DECLARATION));
  const found = /^<\?xml\s[^>]*?\sencoding\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(head);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const utf16le = new TextDecoder("utf-16le", { fatal: true });

function decodeAs(charset: Charset, bytes: Uint8Array): string {
  try {
    switch (charset) {
      case "utf-8":
        return utf8.decode(bytes);
      case "us-ascii": {
        const at = bytes.findIndex((byte) => byte > 0x7f);
        if (at !== -1) throw new TypeError(`byte 0x${bytes[at]?.toString(16)} at ${at}`);
        return latin1(bytes);
      }
      case "iso-8859-1":
        return latin1(bytes);
      case "iso-8859-15":
        return latin9(latin1(bytes));
      case "utf-16":
        // Without a mark the first "<" tells; RFC 2781 says big-endian otherwise.
        return utf16(bytes, markOf(bytes) ?? (bytes[0] === 0x3c && bytes[1] === 0 ? "utf-16le" : "utf-16be"));
      default:
        return utf16(bytes, charset);
    }
  } catch (cause) {
    throw new FaultError(
      FaultCode.InvalidCharacter,
      `UnicodeDecodeError: the document is not valid ${charset}: ${cause instanceof Error ? cause.message : ""}`,
      { cause },
    );
  }
}

/** `order` is what mark or declaration said; anything but the two of UTF-16 contradicts the header and cannot be read. */
function utf16(bytes: Uint8Array, order: string): string {
  if (order === "utf-16le") return utf16le.decode(bytes);
  if (order !== "utf-16be" || bytes.byteLength % 2 !== 0) throw new TypeError("no whole UTF-16");
  // Node built with small ICU data has no utf-16be decoder.
  const swapped = new Uint8Array(bytes.byteLength);
  for (let i = 0; i < bytes.byteLength; i += 2) {
    swapped[i] = bytes[i + 1] ?? 0;
    swapped[i + 1] = bytes[i] ?? 0;
  }
  return utf16le.decode(swapped);
}

/** Each byte is the character of its number. The platform's decoder of this name means windows-1252 instead. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Where ISO 8859-15 differs from ISO 8859-1. */
const LATIN9: Readonly<Record<string, string>> = {
  "\u00a4": "\u20ac",
  "\u00a6": "\u0160",
  "\u00a8": "\u0161",
  "\u00b4": "\u017d",
  "\u00b8": "\u017e",
  "\u00bc": "\u0152",
  "\u00bd": "\u0153",
  "\u00be": "\u0178",
};

function latin9(text: string): string {
  return text.replace(
    /[\u00a4\u00a6\u00a8\u00b4\u00b8\u00bc\u00bd\u00be]/g,
    (character) => LATIN9[character] ?? character,
  );
}

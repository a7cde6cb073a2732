import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DecodedCall, DecodedReply, DocumentCodec } from "../src/codec/document-codec.ts";
import { FaultError } from "../src/fault.ts";
import { Decimal, Double, XmlRpcDateTime } from "../src/values.ts";

interface Refusal {
  readonly error: number;
  readonly why: string;
}

interface Expected {
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly value?: unknown;
  readonly fault?: { readonly code: number; readonly message: string; readonly legacyCode?: string | undefined };
  readonly error?: number;
}

interface Vector {
  readonly id: string;
  readonly title: string;
  readonly kind: "call" | "response";
  readonly xml?: string;
  readonly hex?: string;
  readonly contentType?: string;
  readonly expect: Expected;
  readonly strict?: Refusal;
  readonly emit?: boolean;
}

interface Vectors {
  readonly defaultContentType: string;
  readonly vectors: readonly Vector[];
}

const file = JSON.parse(readFileSync(new URL("vectors/xmlrpc.json", import.meta.url), "utf8")) as Vectors;

const lenient = createDocumentCodec("lenient");
const strict = createDocumentCodec("strict");

function bytesOf(vector: Vector): Uint8Array {
  return vector.hex === undefined ? Buffer.from(vector.xml ?? "") : Buffer.from(vector.hex, "hex");
}

type Found = DecodedCall | DecodedReply | { readonly error: number };

function decoded(codec: DocumentCodec, vector: Vector): Found {
  const contentType = vector.contentType ?? file.defaultContentType;
  try {
    const bytes = bytesOf(vector);
    return vector.kind === "call" ? codec.decodeCall(bytes, contentType) : codec.decodeReply(bytes, contentType);
  } catch (thrown) {
    if (!(thrown instanceof FaultError)) throw thrown;
    return { error: thrown.fault.code };
  }
}

/** A decoded value in the vectors' notation, by the types that the expected one names: `{"int": 1}`, `{"struct": [["a", …]]}`. */
function noted(value: unknown, notation: unknown): unknown {
  const [type = "", content] = Object.entries(notation as Record<string, unknown>)[0] ?? [];
  return { [type]: contentOf(type, value, content) };
}

function contentOf(type: string, value: unknown, wanted: unknown): unknown {
  switch (type) {
    case "i8":
    case "bigint":
      return String(value);
    case "double":
      return Object.is(value, -0) ? "-0" : String(value);
    case "decimal":
      return value instanceof Decimal ? value.text : value;
    case "base64":
      return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
    case "dateTime":
      return value instanceof XmlRpcDateTime ? partsOf(value) : value;
    case "array":
      return Array.isArray(value) ? value.map((item, i) => noted(item, at(wanted, i))) : value;
    case "struct": {
      if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== null) return value;
      return Object.entries(value).map(([name, member], i) => [name, noted(member, at(at(wanted, i), 1))]);
    }
    default:
      return value;
  }
}

function at(list: unknown, index: number): unknown {
  return (list as readonly unknown[])[index] ?? {};
}

function partsOf(date: XmlRpcDateTime): unknown {
  const { year: y, month: mo, day: d, hour: h, minute: mi, second: s, millisecond: ms, offset, dateOnly } = date;
  return { y, mo, d, h, mi, s, ms, offset: offset ?? null, ...(dateOnly ? { dateOnly } : {}) };
}

/** The value to emit for a notation. */
function valueOf(notation: unknown): unknown {
  const [type, content] = Object.entries(notation as Record<string, unknown>)[0] ?? [];
  switch (type) {
    case "i8":
      return BigInt(content as string);
    case "double":
      return new Double(Number(content));
    case "dateTime": {
      const { y, mo, d, h, mi, s } = content as Record<string, number>;
      return new XmlRpcDateTime({ year: y ?? 0, month: mo ?? 0, day: d ?? 0, hour: h, minute: mi, second: s });
    }
    case "array":
      return (content as readonly unknown[]).map(valueOf);
    case "struct":
      return Object.fromEntries((content as [string, unknown][]).map(([name, member]) => [name, valueOf(member)]));
    default:
      return content;
  }
}

/** What was found, as the vector would write it: alike when both are. */
function asWanted(found: Found, wanted: Expected): Expected {
  if ("error" in found || "fault" in found) return found;
  if ("value" in found) return { value: noted(found.value, wanted.value ?? {}) };
  return { method: found.method, params: found.params.map((param, i) => noted(param, at(wanted.params ?? [], i))) };
}

function withoutNotes({ error, fault, method, params, value }: Expected): Expected {
  if (error !== undefined) return { error };
  if (fault !== undefined) return { fault };
  return method === undefined ? { value } : { method, params: params ?? [] };
}

/** What strict makes of it. The vectors write the extensions' own names only in their values. */
function strictExpected(vector: Vector): Expected {
  if (vector.strict !== undefined) return { error: vector.strict.error };
  const isExtension = /"(?:i8|bigint|decimal)":/.test(JSON.stringify(vector.expect));
  return isExtension ? { error: -32_600 } : withoutNotes(vector.expect);
}

function emitted(codec: DocumentCodec, { expect: wanted }: Vector): string {
  if (wanted.method !== undefined) return codec.encodeCall(wanted.method, (wanted.params ?? []).map(valueOf));
  return wanted.fault === undefined ? codec.encodeReply(valueOf(wanted.value)) : codec.encodeFault(wanted.fault);
}

/** White space between elements and the spelling of an empty element are free. */
function withoutLayout(xml: string): string {
  return xml.replaceAll(/>\s+</g, "><").trim();
}

describe("X38 the vectors", () => {
  it("are all there", () => {
    expect(file.vectors).toHaveLength(95);
  });

  it.for(file.vectors.map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: reads %s as lenient expects",
    ([, , vector]) => {
      const wanted = withoutNotes(vector.expect);
      expect(asWanted(decoded(lenient, vector), wanted)).toEqual(wanted);
    },
  );

  it.for(file.vectors.map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: reads %s as strict expects",
    ([, , vector]) => {
      const wanted = strictExpected(vector);
      expect(asWanted(decoded(strict, vector), wanted)).toEqual(wanted);
    },
  );

  it.for(file.vectors.filter((vector) => vector.emit).map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: writes %s to the letter",
    ([, , vector]) => {
      const xml = emitted(lenient, vector);
      const wanted = withoutNotes(vector.expect);
      expect(withoutLayout(xml)).toBe(withoutLayout(vector.xml ?? ""));
      expect(asWanted(decoded(lenient, { ...vector, xml }), wanted)).toEqual(wanted);
    },
  );
});

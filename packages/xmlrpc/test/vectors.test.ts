import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DocumentCodec } from "../src/codec/document-codec.ts";
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

function decoded(codec: DocumentCodec, vector: Vector): Expected {
  const contentType = vector.contentType ?? file.defaultContentType;
  try {
    if (vector.kind === "call") return codec.decodeCall(bytesOf(vector), contentType);
    const reply = codec.decodeReply(bytesOf(vector), contentType);
    return "fault" in reply ? { fault: reply.fault } : { value: reply.value };
  } catch (thrown) {
    if (!(thrown instanceof FaultError)) throw thrown;
    return { error: thrown.fault.code };
  }
}

/** A decoded value beside the vector's notation: `{"int": 1}`, `{"struct": [["a", …]]}`. */
function matches(value: unknown, notation: unknown): void {
  const [type, content] = Object.entries(notation as Record<string, unknown>)[0] ?? [];
  switch (type) {
    case "i8":
    case "bigint":
      expect(String(value)).toBe(content);
      return;
    case "double":
      expect(value).toBe(Number(content));
      return;
    case "decimal":
      expect((value as Decimal).text).toBe(content);
      return;
    case "base64":
      expect(Buffer.from(value as Uint8Array).toString("base64")).toBe(content);
      return;
    case "dateTime": {
      const parts = content as Record<string, unknown>;
      const { year: y, month: mo, day: d, hour: h, minute: mi, second: s, millisecond: ms } = value as XmlRpcDateTime;
      const { offset, dateOnly } = value as XmlRpcDateTime;
      expect({ y, mo, d, h, mi, s, ms, offset: offset ?? null, dateOnly }).toEqual({ dateOnly: false, ...parts });
      return;
    }
    case "array": {
      const items = content as readonly unknown[];
      expect(value).toHaveLength(items.length);
      for (const [index, item] of items.entries()) matches((value as readonly unknown[])[index], item);
      return;
    }
    case "struct": {
      const members = content as readonly (readonly [string, unknown])[];
      expect(Object.getPrototypeOf(value)).toBeNull();
      expect(Object.keys(value as object)).toEqual(members.map(([name]) => name));
      for (const [name, member] of members) {
        matches(Object.getOwnPropertyDescriptor(value, name)?.value, member);
      }
      return;
    }
    default:
      expect(value).toStrictEqual(content);
  }
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

function agrees(found: Expected, expected: Expected): void {
  if (expected.error !== undefined || found.error !== undefined) {
    expect(found).toEqual({ error: expected.error });
    return;
  }
  if (expected.fault !== undefined) expect(found.fault).toEqual(expected.fault);
  if (expected.method !== undefined) expect(found.method).toBe(expected.method);
  if (expected.params !== undefined) {
    expect(found.params).toHaveLength(expected.params.length);
    for (const [index, param] of expected.params.entries()) matches(found.params?.[index], param);
  }
  if (expected.value !== undefined) matches(found.value, expected.value);
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
      agrees(decoded(lenient, vector), vector.expect);
    },
  );

  it.for(file.vectors.map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: reads %s as strict expects",
    ([, , vector]) => {
      const found = decoded(strict, vector);
      if (vector.strict !== undefined) expect(found).toEqual({ error: vector.strict.error });
      else if (/i8|bigint|decimal/.test(Object.keys((vector.expect.params?.[0] ?? {}) as object).join())) {
        // The extensions that vectors call by name are no part of the specification.
        expect(found).toEqual({ error: -32600 });
      } else agrees(found, vector.expect);
    },
  );

  it.for(file.vectors.filter((vector) => vector.emit).map((vector) => [vector.id, vector.title, vector] as const))(
    "%s: writes %s to the letter",
    ([, , vector]) => {
      expect(withoutLayout(emitted(lenient, vector))).toBe(withoutLayout(vector.xml ?? ""));
      agrees(decoded(lenient, { ...vector, xml: emitted(lenient, vector) }), vector.expect);
    },
  );
});

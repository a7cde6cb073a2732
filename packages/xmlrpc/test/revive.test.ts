import { dynamicCodec } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { revived } from "../src/revive.ts";

type Shape = Parameters<typeof revived>[0];

/** A shape that takes bytes alone. */
const bytes: Shape = {
  codec: dynamicCodec,
  validate: (value: unknown) =>
    value instanceof Uint8Array ? { value } : { issues: [{ message: "no bytes", path: [] }] },
  jsonSchema: undefined,
};

describe("reading text as the bytes that a contract means", () => {
  it("reads base64 of any size: a pattern of groups would overflow its stack", () => {
    const text = "A".repeat(32 * 1024 * 1024);
    expect(revived(bytes, text)).toHaveProperty("length", 24 * 1024 * 1024);
  });

  it("leaves alone what is none", () => {
    for (const text of ["A", "AA=A", "AAA", "A===", "=", "AA=", "A A ", "é"]) expect(revived(bytes, text)).toBe(text);
    expect(revived(bytes, "AA==")).toEqual(Uint8Array.of(0));
    expect(revived(bytes, "")).toEqual(new Uint8Array(0));
  });
});

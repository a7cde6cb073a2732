import { readFileSync } from "node:fs";
import { Body } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { createProtobufEnvelopeCodec } from "../src/index.ts";

const page = readFileSync(new URL("../../../docs/wire/envelope.md", import.meta.url), "utf8");
const definition = readFileSync(new URL("../proto/rpc/v1/envelope.proto", import.meta.url), "utf8");
const frames = [...page.matchAll(/^[IA] (\w+) +([0-9a-f]+)$/gm)].map(([, name = "", hex = ""]) => [name, hex] as const);

describe("docs/wire/envelope.md", () => {
  const codec = createProtobufEnvelopeCodec();

  it("has a whole session as example", () => {
    expect(frames.map(([name]) => name)).toEqual(
      expect.arrayContaining(["Hello", "Challenge", "Welcome", "Call", "Result", "Fail", "Goodbye"]),
    );
  });

  it.for(frames)("shows a %s of these very bytes: %s", ([name, hex]) => {
    const frame = Buffer.from(hex, "hex");
    const message = frame.subarray(4);
    expect(frame.readUInt32BE(0)).toBe(message.length);
    const envelope = codec.decode(message);
    expect(envelope.body).toBe((Body as Record<string, number>)[name]);
    expect(Buffer.from(codec.encode(envelope)).toString("hex")).toBe(message.toString("hex"));
  });

  it("names every body of the definition with its number", () => {
    const bodies = [...definition.matchAll(/^ {4}(\w+) (\w+) = (\d+);$/gm)];
    expect(bodies.length).toBeGreaterThan(15);
    for (const [, type, name, number] of bodies) {
      expect(page).toMatch(
        new RegExp(`^\\| (${number}|\\d+, ${number}|${number}, \\d+) \\| .*\`(${type}|${name})\``, "m"),
      );
    }
  });
});

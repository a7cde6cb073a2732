import { Body, type Envelope } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { createProtobufEnvelopeCodec } from "../src/index.ts";

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const numbered = (from: number, count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => from + i);
const json = (text: string): unknown =>
  expect.objectContaining({ format: "json", bytes: new TextEncoder().encode(text) });

const HELLO = {
  body: Body.Hello,
  versions: [1],
  nonce: numbered(0, 32),
  instanceId: new Uint8Array(16).fill(0x11),
  principal: "bot7",
  mechanisms: ["hmac-sha256"],
  limits: undefined,
  features: [],
  software: "",
};

/** Each as it stands in a frame, behind the four bytes of length; the last column: whether our encoder writes these very bytes. */
const VECTORS: readonly (readonly [string, string, unknown, boolean])[] = [
  [
    "Hello",
    "1a4a0a01011220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1a10111111111111111111111111111111112204626f74372a0b686d61632d736861323536",
    HELLO,
    true,
  ],
  [
    "Hello that asks to resume",
    "1a600a01011220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1a10111111111111111111111111111111112204626f74372a0b686d61632d7368613235364a140a10333333333333333333333333333333331001",
    HELLO,
    false,
  ],
  [
    "Challenge",
    "224308011220202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f1a1022222222222222222222222222222222220b686d61632d736861323536",
    {
      body: Body.Challenge,
      version: 1,
      nonce: numbered(0x20, 32),
      instanceId: new Uint8Array(16).fill(0x22),
      mechanism: "hmac-sha256",
      limits: undefined,
      features: [],
    },
    true,
  ],
  [
    "Proof",
    "2a220a20a3d29e39d4b789605e2ff7e367d08e53eda0e15b7b358a42f433a54784450be2",
    { body: Body.Proof, mac: bytesOf("a3d29e39d4b789605e2ff7e367d08e53eda0e15b7b358a42f433a54784450be2") },
    true,
  ],
  [
    "Welcome",
    "32380a209b8ce5ba26e8f001f25d067848344c6a697de032aca34a969de3d2add8b7e84312103333333333333333333333333333333330e0d403",
    {
      body: Body.Welcome,
      mac: bytesOf("9b8ce5ba26e8f001f25d067848344c6a697de032aca34a969de3d2add8b7e843"),
      sessionId: new Uint8Array(16).fill(0x33),
      resumed: false,
      resumeWindowMs: 60_000,
    },
    true,
  ],
  [
    "Call",
    "8201180801120864656d6f2e61646430013a055b312c325d408827",
    expect.objectContaining({
      body: Body.Call,
      id: 1,
      method: "demo.add",
      kind: "unary",
      payload: json("[1,2]"),
      deadlineMs: 5000,
    }),
    true,
  ],
  [
    "Result with an ack",
    "08018a0107080110011a0133",
    { body: Body.Result, id: 1, payload: json("3"), metadata: undefined },
    false,
  ],
  ["Result", "8a0107080110011a0133", { body: Body.Result, id: 1, payload: json("3"), metadata: undefined }, true],
  ["ack alone", "0801", { body: 0, number: 0 }, false],
  ["Ping", "3a020807", { body: Body.Ping, token: 7 }, true],
];

describe("the published bytes", () => {
  const codec = createProtobufEnvelopeCodec();

  it.for(VECTORS)("of %s decode", ([, hex, envelope]) => {
    expect(codec.decode(bytesOf(hex))).toEqual(envelope);
  });

  // The others carry acknowledgement and resumption, which this version only skips.
  it.for(VECTORS.filter(([, , , isWritten]) => isWritten))("of %s are what the encoder writes", ([, hex]) => {
    const decoded: Envelope = codec.decode(bytesOf(hex));
    expect(hexOf(codec.encode(decoded))).toBe(hex);
  });
});

import { createHash, createHmac } from "node:crypto";
import { Body, type Counts, type Envelope } from "@rpc/core/transport";
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
  binding: "none",
  limits: undefined,
  features: [],
  resume: undefined,
  software: "",
};

/** Each as it stands in a frame, behind the four bytes of length, and the ack that comes with it. */
const VECTORS: readonly (readonly [string, string, unknown, number])[] = [
  [
    "Hello",
    "1a4a0a01011220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1a10111111111111111111111111111111112204626f74372a0b686d61632d736861323536",
    HELLO,
    -1,
  ],
  [
    "Hello that asks to resume",
    "1a600a01011220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1a10111111111111111111111111111111112204626f74372a0b686d61632d7368613235364a140a10333333333333333333333333333333331001",
    { ...HELLO, resume: { sessionId: new Uint8Array(16).fill(0x33), received: 1 } },
    -1,
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
      binding: "none",
      limits: undefined,
      features: [],
    },
    -1,
  ],
  [
    "Proof",
    "2a220a20a3d29e39d4b789605e2ff7e367d08e53eda0e15b7b358a42f433a54784450be2",
    { body: Body.Proof, mac: bytesOf("a3d29e39d4b789605e2ff7e367d08e53eda0e15b7b358a42f433a54784450be2"), token: "" },
    -1,
  ],
  [
    "Welcome",
    "32380a209b8ce5ba26e8f001f25d067848344c6a697de032aca34a969de3d2add8b7e84312103333333333333333333333333333333330e0d403",
    {
      body: Body.Welcome,
      mac: bytesOf("9b8ce5ba26e8f001f25d067848344c6a697de032aca34a969de3d2add8b7e843"),
      sessionId: new Uint8Array(16).fill(0x33),
      resumed: false,
      received: undefined,
      refusal: "not-asked",
      resumeWindowMs: 60_000,
    },
    -1,
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
    -1,
  ],
  [
    "Result with an ack",
    "08018a0107080110011a0133",
    { body: Body.Result, id: 1, payload: json("3"), metadata: undefined },
    1,
  ],
  ["Result", "8a0107080110011a0133", { body: Body.Result, id: 1, payload: json("3"), metadata: undefined }, -1],
  ["ack alone", "0801", { body: 0, number: 0 }, 1],
  ["Ping", "3a020807", { body: Body.Ping, token: 7 }, -1],
];

const vector = (wanted: string): string => VECTORS.find(([name]) => name === wanted)?.[1] ?? "";

describe("the published bytes", () => {
  const codec = createProtobufEnvelopeCodec();

  it.for(VECTORS)("of %s decode", ([, hex, envelope, ack]) => {
    const counts: Counts = { ack: 99, ackRequested: true };
    expect(codec.decode(bytesOf(hex), counts)).toEqual(envelope);
    expect(counts).toEqual({ ack, ackRequested: false });
  });

  it.for(VECTORS)("of %s are what the encoder writes", ([, hex]) => {
    const counts: Counts = { ack: -1, ackRequested: false };
    const decoded: Envelope = codec.decode(bytesOf(hex), counts);
    expect(hexOf(codec.encode(decoded, counts))).toBe(hex);
  });
});

describe("the proofs in the published bytes", () => {
  const hello = bytesOf(vector("Hello"));
  const challenge = bytesOf(vector("Challenge"));
  // As docs/wire/envelope.md says it, so that the page is checked along with the bytes.
  const macOf = (roles: string, binding: Uint8Array): string =>
    createHmac("sha256", "correct horse battery staple")
      .update("rpc-peer-auth-v1")
      .update(roles)
      .update(numbered(0, 32))
      .update(numbered(0x20, 32))
      .update(createHash("sha256").update(hello).digest())
      .update(createHash("sha256").update(challenge).digest())
      .update(createHash("sha256").update(binding).digest())
      .digest("hex");
  const none = new Uint8Array(0);

  it("are HMACs over both roles, both nonces and both messages", () => {
    expect(vector("Proof")).toContain(macOf("IA", none));
    expect(vector("Welcome")).toContain(macOf("AI", none));
  });

  it("change with the channel under them", () => {
    expect(macOf("IA", new Uint8Array(32).fill(0x44))).toBe(
      "d29d8b86bae087dbb31e5cd18d531344776673b610ec757e5a0a4a480cb63aec",
    );
  });
});

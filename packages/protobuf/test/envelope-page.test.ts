import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Body, type Counts, type Envelope, jsonEnvelopeCodec } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { createProtobufEnvelopeCodec } from "../src/index.ts";
import "./payload-equality.ts";

const page = readFileSync(new URL("../../../docs/wire/envelope.md", import.meta.url), "utf8");
const definition = readFileSync(new URL("../proto/rpc/v1/envelope.proto", import.meta.url), "utf8");
const codec = createProtobufEnvelopeCodec();

interface Frame {
  readonly sender: string;
  readonly name: string;
  readonly hex: string;
}
/** The frames of each code block, in order. */
const examples: readonly (readonly Frame[])[] = [...page.matchAll(/^```text\n([^`]*)^```/gm)].map(([, block = ""]) =>
  [...block.matchAll(/^([IA]) (\w+) +([0-9a-f]+)$/gm)].map(([, sender = "", name = "", hex = ""]) => ({
    sender,
    name,
    hex,
  })),
);
const frames = examples.flat().map(({ name, hex }) => [name, hex] as const);
const numberOf = (name: string): number => (name === "ack" ? 0 : ((Body as Record<string, number>)[name] ?? -1));
const messageOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex").subarray(4));

function read(hex: string): { readonly envelope: Envelope; readonly counts: Counts } {
  const counts: Counts = { ack: -1, ackRequested: false };
  const envelope = codec.decode(messageOf(hex), counts);
  return { envelope, counts };
}

describe("docs/wire/envelope.md", () => {
  it("has a whole session as example", () => {
    expect(examples[0]?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["Hello", "Challenge", "Welcome", "Call", "Result", "Fail", "Goodbye"]),
    );
  });

  it.for(frames)("shows a %s of these very bytes: %s", ([name, hex]) => {
    const message = messageOf(hex);
    expect(Buffer.from(hex, "hex").readUInt32BE(0)).toBe(message.length);
    const { envelope, counts } = read(hex);
    expect(envelope.body).toBe(numberOf(name));
    expect(Uint8Array.from(codec.encode(envelope, counts))).toEqual(message);
  });

  it("shows JSON that the other codec writes", () => {
    const texts = [...page.matchAll(/^ {4}(\{"b":.*\})$/gm)].map(([, text = ""]) => text);
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) {
      const counts: Counts = { ack: -1, ackRequested: false };
      const envelope = jsonEnvelopeCodec.decode(Buffer.from(text), counts);
      expect(Buffer.from(jsonEnvelopeCodec.encode(envelope, counts)).toString()).toBe(text);
    }
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

describe("the session of the page that is cut and goes on", () => {
  const [, before = [], lost = [], after = []] = examples;

  function handshake(channel: readonly Frame[]): Record<"Hello" | "Challenge" | "Proof" | "Welcome", Uint8Array> {
    const [hello, challenge, proof, welcome] = channel.map(({ hex }) => messageOf(hex));
    const none = new Uint8Array(0);
    return { Hello: hello ?? none, Challenge: challenge ?? none, Proof: proof ?? none, Welcome: welcome ?? none };
  }

  it.for([
    ["first", before],
    ["second", after],
  ] as const)("proves who is there on its %s channel", ([, channel]) => {
    const said = handshake(channel);
    const hello = codec.decode(said.Hello);
    const challenge = codec.decode(said.Challenge);
    if (hello.body !== Body.Hello || challenge.body !== Body.Challenge) throw new Error("no handshake");
    const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    const macOf = (roles: string): Uint8Array => {
      const input = [hello.nonce, challenge.nonce, sha256(said.Hello), sha256(said.Challenge), sha256(Buffer.of())];
      const text = Buffer.concat([Buffer.from(`rpc-peer-auth-v1${roles}`), ...input]);
      expect(text.length).toBe(178);
      return Uint8Array.from(createHmac("sha256", "correct horse battery staple").update(text).digest());
    };
    expect(codec.decode(said.Proof)).toMatchObject({ mac: macOf("IA"), token: "" });
    expect(codec.decode(said.Welcome)).toMatchObject({ mac: macOf("AI") });
  });

  it("keeps its counts, and loses and repeats nothing", () => {
    const sent: Record<string, string[]> = { I: [], A: [] };
    const received: Record<string, string[]> = { I: [], A: [] };
    /** Each count that was told, beside the one that is due. */
    const told: [number, number | undefined][] = [];
    const arrive = ({ sender, hex }: Frame): void => {
      const { envelope, counts } = read(hex);
      if (counts.ack >= 0) told.push([counts.ack, received[sender]?.length]);
      if (envelope.body >= 16) received[sender === "I" ? "A" : "I"]?.push(hex);
    };
    for (const frame of before) arrive(frame);
    for (const { sender, hex } of [...before, ...lost]) if (read(hex).envelope.body >= 16) sent[sender]?.push(hex);

    const first = codec.decode(handshake(before).Welcome);
    const hello = codec.decode(handshake(after).Hello);
    const welcome = codec.decode(handshake(after).Welcome);
    if (welcome.body !== Body.Welcome || hello.body !== Body.Hello || first.body !== Body.Welcome)
      throw new Error("no handshake");
    expect(hello.resume).toEqual({ sessionId: first.sessionId, received: received["I"]?.length });
    expect(welcome).toMatchObject({ resumed: true, sessionId: first.sessionId, received: received["A"]?.length });

    const hexOf = (frames: readonly Frame[], from: string): string[] =>
      frames.filter(({ sender }) => sender === from).map(({ hex }) => hex);
    const due = { I: sent["I"]?.slice(welcome.received) ?? [], A: sent["A"]?.slice(hello.resume?.received) ?? [] };
    expect(due).toEqual({ I: hexOf(lost, "I"), A: hexOf(lost, "A") });
    const resent = after.slice(4);
    // The call has less time left than the first time; everything else is as it was.
    const call = { ...read(due.I[0] ?? "").envelope, deadlineMs: 4200 };
    expect(read(hexOf(resent, "I")[0] ?? "").envelope).toEqual(call);
    expect(hexOf(resent, "A")[0]).toBe(due.A[0]);
    for (const frame of resent) arrive(frame);
    expect(received).toMatchObject({ I: { length: 3 }, A: { length: 4 } });
    expect(told.map(([count]) => count)).toEqual([1, 1, 3, 4, 3]);
    expect(told.every(([count, wanted]) => count === wanted)).toBe(true);
  });

  it("is followed by an envelope that is compressed", () => {
    const { envelope } = read(examples[4]?.[0]?.hex ?? "");
    if (envelope.body !== Body.Compressed) throw new Error("not compressed");
    const counts: Counts = { ack: -1, ackRequested: false };
    const inner = codec.decode(Uint8Array.from(gunzipSync(envelope.data)), counts);
    if (inner.body !== Body.Result || inner.payload === undefined || !("bytes" in inner.payload)) throw new Error("?");
    expect(Buffer.from(inner.payload.bytes ?? []).toString()).toBe(JSON.stringify("a".repeat(200)));
    expect(counts).toEqual({ ack: 4, ackRequested: false });
  });
});

import { Body, type ChallengeBody, type HelloBody, type WelcomeBody } from "@rpc/core/transport";
import type { RawPeer } from "./raw-peer.ts";

const NO_LIMITS = { maxMessageBytes: 0, maxCalls: 0, heartbeatMs: 0, aliveMs: 0 };

/** A Hello that offers nothing and proves nothing. */
export function helloEnvelope(parts: Partial<HelloBody> = {}): HelloBody {
  return {
    body: Body.Hello,
    versions: [1],
    nonce: new Uint8Array(32).fill(7),
    instanceId: new Uint8Array(16).fill(8),
    principal: "",
    mechanisms: ["none"],
    binding: "none",
    limits: NO_LIMITS,
    features: [],
    resume: undefined,
    software: "@rpc/testkit raw peer",
    ...parts,
  };
}

/** A Challenge that asks for nothing. */
export function challengeEnvelope(parts: Partial<ChallengeBody> = {}): ChallengeBody {
  return {
    body: Body.Challenge,
    version: 1,
    nonce: new Uint8Array(32).fill(9),
    instanceId: new Uint8Array(16).fill(10),
    mechanism: "none",
    binding: "none",
    limits: NO_LIMITS,
    features: [],
    ...parts,
  };
}

/** A Welcome to a new session. */
export function welcomeEnvelope(parts: Partial<WelcomeBody> = {}): WelcomeBody {
  return {
    body: Body.Welcome,
    mac: new Uint8Array(0),
    sessionId: new Uint8Array(16).fill(11),
    resumed: false,
    received: undefined,
    refusal: "not-asked",
    resumeWindowMs: 0,
    ...parts,
  };
}

/** How a raw peer introduces itself. */
export interface Introduction extends Partial<Omit<HelloBody, "body">> {
  /** Proved when it is given. */
  readonly secret?: string | undefined;
}

/** A handshake that has come to the proof. */
export interface Challenged {
  readonly challenge: ChallengeBody;
  /** The proofs of both roles: the one that is asked for, and the one that the acceptor will give. */
  readonly proofs: { readonly initiator: Uint8Array; readonly acceptor: Uint8Array };
}

/** Says Hello to an acceptor that asks for the proof of a secret, and computes the proofs: once more and by itself, from what the wire page says. */
export async function challenged(raw: RawPeer, { secret = "", ...parts }: Introduction): Promise<Challenged> {
  const hello = helloEnvelope({ mechanisms: ["hmac-sha256"], ...parts });
  const helloBytes = raw.encode(hello);
  raw.send(hello);
  const challenge = await raw.next(Body.Challenge);
  const transcript = [
    hello.nonce,
    challenge.nonce,
    await sha256(helloBytes),
    await sha256(raw.bytesOf(challenge)),
    await sha256(new Uint8Array(0)),
  ];
  return {
    challenge,
    proofs: {
      initiator: await hmac(secret, [utf8("rpc-peer-auth-v1"), utf8("IA"), ...transcript]),
      acceptor: await hmac(secret, [utf8("rpc-peer-auth-v1"), utf8("AI"), ...transcript]),
    },
  };
}

/** Goes through the whole handshake as the one that dialed. */
export async function introduce(raw: RawPeer, introduction: Introduction = {}): Promise<WelcomeBody> {
  if (introduction.secret === undefined) {
    raw.send(helloEnvelope(introduction));
    await raw.next(Body.Challenge);
  } else {
    const { proofs } = await challenged(raw, introduction);
    raw.send({ body: Body.Proof, mac: proofs.initiator, token: "" });
  }
  return raw.next(Body.Welcome);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()));
}

async function hmac(secret: string, parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(secret).slice(), algorithm, false, ["sign"]);
  const signed = Uint8Array.from(parts.flatMap((part) => [...part]));
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
}

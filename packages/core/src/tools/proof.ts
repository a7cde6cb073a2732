import type { ProofCrypto } from "../words/proof-crypto.ts";
import type { Awaitable } from "../words/transport.ts";
import { allOf, chained } from "./promise-like.ts";
import { utf8Bytes } from "./utf8.ts";

/** What both ends have said so far: the proofs cover all of it, so that nobody on the way can change a word. */
export interface Transcript {
  readonly initiatorNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
  /** Hello and Challenge, byte for byte as sent. */
  readonly hello: Uint8Array;
  readonly challenge: Uint8Array;
  /** What ties the handshake to its TLS connection (RFC 9266); empty without. */
  readonly binding: Uint8Array;
}

/** Who proves to whom. Both are part of what is signed: a proof that is sent back proves nothing. */
export type Direction = "initiator" | "acceptor";

const LABEL = utf8Bytes("rpc-peer-auth-v1");
const ROLES = { initiator: utf8Bytes("IA"), acceptor: utf8Bytes("AI") };

/** The platform's own, in browsers and everywhere else. */
export const webCrypto: ProofCrypto = {
  sha256: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(data))),
  signer: (secret) => {
    const key = crypto.subtle.importKey("raw", new Uint8Array(secret), HMAC, false, ["sign"]);
    // Whoever signs sees the failure; a key that nobody uses must not end the process.
    key.catch(() => undefined);
    return async (data) => new Uint8Array(await crypto.subtle.sign("HMAC", await key, new Uint8Array(data)));
  },
};

const HMAC = { name: "HMAC", hash: "SHA-256" };

/** A shared secret that signs and is never shown. */
export class Key {
  readonly identity: string;
  readonly #sign: (data: Uint8Array) => Awaitable<Uint8Array>;

  constructor(identity: string, secret: Uint8Array, functions: ProofCrypto) {
    this.identity = identity;
    this.#sign = functions.signer(secret);
  }

  /** The proof of this secret, 32 bytes (docs/wire/envelope.md, Authentication). */
  prove(direction: Direction, transcript: Uint8Array): Awaitable<Uint8Array> {
    return this.#sign(joined([LABEL, ROLES[direction], transcript]));
  }
}

/** The part of what is signed that is the same in both directions. */
export function transcriptBytes(transcript: Transcript, functions: ProofCrypto): Awaitable<Uint8Array> {
  const { initiatorNonce, acceptorNonce, hello, challenge, binding } = transcript;
  const digests = allOf([hello, challenge, binding].map((bytes) => functions.sha256(bytes)));
  return chained(digests, (all) => joined([initiatorNonce, acceptorNonce, ...all]));
}

/** Takes the same time wherever two proofs differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

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

/** A shared secret that signs and is never shown. */
export class Key {
  readonly identity: string;
  readonly #key: Promise<ImportedKey>;

  constructor(identity: string, secret: Uint8Array) {
    this.identity = identity;
    this.#key = crypto.subtle.importKey("raw", new Uint8Array(secret), HMAC, false, ["sign"]);
    // Whoever signs sees the failure; a key that nobody uses must not end the process.
    this.#key.catch(() => undefined);
  }

  /** The proof of this secret, 32 bytes (docs/wire/envelope.md, Authentication). */
  async prove(direction: Direction, transcript: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const signed = joined([LABEL, ROLES[direction], transcript]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, signed));
  }
}

/** By another name, because not every set of types that this is compiled with knows `CryptoKey`. */
type ImportedKey = Parameters<typeof crypto.subtle.sign>[1];

const HMAC = { name: "HMAC", hash: "SHA-256" };

/** The part of what is signed that is the same in both directions. */
export async function transcriptBytes(transcript: Transcript): Promise<Uint8Array<ArrayBuffer>> {
  const { hello, challenge, binding } = transcript;
  const digests = await Promise.all([hello, challenge, binding].map(sha256));
  return joined([transcript.initiatorNonce, transcript.acceptorNonce, ...digests]);
}

/** Takes the same time wherever two proofs differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)));
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

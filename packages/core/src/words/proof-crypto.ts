import type { Awaitable } from "./transport.ts";

/**
 * The two functions that proofs are made with. The platform's WebCrypto is the default; a transport package for Node brings Node's own, which
 * needs no other thread and costs a tenth.
 */
export interface ProofCrypto {
  /** SHA-256, 32 bytes. */
  sha256(data: Uint8Array): Awaitable<Uint8Array>;
  /** HMAC-SHA-256 with this secret, 32 bytes. */
  signer(secret: Uint8Array): (data: Uint8Array) => Awaitable<Uint8Array>;
}

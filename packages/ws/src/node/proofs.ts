import { createHmac, createSecretKey, hash } from "node:crypto";
import type { ProofCrypto } from "@rpc/core/transport";

/** Node's own functions for the proofs of the handshake: a tenth of what WebCrypto costs, which goes through another thread. */
export const nodeCrypto: ProofCrypto = {
  sha256: (data) => hash("sha256", data, "buffer"),
  signer: (secret) => {
    // Made once: as bytes the secret would become a key anew for each proof, at five times the cost of the proof.
    const key = createSecretKey(secret);
    return (data) => createHmac("sha256", key).update(data).digest();
  },
};

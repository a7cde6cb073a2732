import { createHash, createHmac } from "node:crypto";
import type { ProofCrypto } from "@rpc/core/transport";

/** Node's own functions for the proofs of the handshake: a tenth of what WebCrypto costs, which goes through another thread. */
export const nodeCrypto: ProofCrypto = {
  sha256: (data) => createHash("sha256").update(data).digest(),
  signer: (secret) => (data) => createHmac("sha256", secret).update(data).digest(),
};

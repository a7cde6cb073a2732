import type { Envelope } from "./envelope.ts";

/** Envelopes to bytes and back. One instance may serve many sessions: it holds nothing but a buffer to write in. */
export interface EnvelopeCodec {
  /** The word that a WebSocket negotiates as `rpc.v1.<name>`. */
  readonly name: "protobuf" | "json";
  /** The bytes stand in the codec's own buffer until the next call of `encode`, unless {@link EnvelopeCodec.ownsLast} says otherwise. */
  encode(envelope: Envelope): Uint8Array;
  /** Whether the last encoded bytes are in a buffer of their own, which may be handed over instead of copied. */
  readonly ownsLast: boolean;
  /** Payloads inside the result are views into `bytes`. Throws RpcError INTERNAL with reason PROTOCOL for bytes that are no envelope. */
  decode(bytes: Uint8Array): Envelope;
}

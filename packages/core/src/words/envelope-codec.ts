import type { Envelope } from "./envelope.ts";

/** What an envelope says about acknowledgement, beside its body. */
export interface Counts {
  /** Counted envelopes that its sender has received; -1: it does not say. */
  ack: number;
  /** Its sender wants to be told at once how many of its envelopes have arrived. */
  ackRequested: boolean;
}

/** Envelopes to bytes and back. One instance may serve many sessions: it holds nothing but a buffer to write in. */
export interface EnvelopeCodec {
  /** The word that a WebSocket negotiates as `rpc.v1.<name>`. */
  readonly name: "protobuf" | "json";
  /**
   * The bytes stand in the codec's own buffer until the next call of `encode`, unless {@link EnvelopeCodec.ownsLast} says otherwise.
   * `counts` goes along with the envelope. Body 0 with number 0 is a bare acknowledgement.
   */
  encode(envelope: Envelope, counts?: Readonly<Counts>): Uint8Array;
  /** Whether the last encoded bytes are in a buffer of their own, which may be handed over instead of copied. */
  readonly ownsLast: boolean;
  /**
   * Payloads inside the result are views into `bytes`. `counts` is overwritten with what the envelope says. Throws RpcError INTERNAL with
   * reason PROTOCOL for bytes that are no envelope.
   */
  decode(bytes: Uint8Array, counts?: Counts): Envelope;
}

import type { MessageCodec, PayloadFormat } from "./message-codec.ts";

/**
 * The value inside an envelope. On its way out it is a value with its codec, so that an envelope codec can write it straight
 * into its own buffer. On its way in it is still encoded, because only the receiver knows the method's codec. A gateway
 * passes the encoded form on without looking inside.
 */
export type Payload = ValuePayload | EncodedPayload;

/** A value that is going out. */
export class ValuePayload {
  readonly codec: MessageCodec;
  readonly value: unknown;

  constructor(codec: MessageCodec, value: unknown) {
    this.codec = codec;
    this.value = value;
  }
}

/** A value that came in: `bytes` in `format`, or, inside an envelope that is JSON itself, a value that is parsed but not revived. */
export class EncodedPayload {
  readonly format: PayloadFormat;
  readonly bytes: Uint8Array | undefined;
  readonly json: unknown;

  constructor(format: PayloadFormat, bytes: Uint8Array | undefined, json?: unknown) {
    this.format = format;
    this.bytes = bytes;
    this.json = json;
  }
}

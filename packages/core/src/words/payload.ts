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

/**
 * A value that came in: bytes in `format`, or, inside an envelope that is JSON itself, a value that is parsed but not revived. The bytes are
 * a part of the message they came in, since a view of their own for each would cost as much as reading them.
 */
export class EncodedPayload {
  readonly format: PayloadFormat;
  /** The message; undefined for a JSON value. */
  readonly source: Uint8Array | undefined;
  readonly start: number;
  readonly end: number;
  readonly json: unknown;

  constructor(
    format: PayloadFormat,
    source: Uint8Array | undefined,
    json?: unknown,
    start = 0,
    end: number = source?.length ?? 0,
  ) {
    this.format = format;
    this.source = source;
    this.start = start;
    this.end = end;
    this.json = json;
  }

  /** The payload's own bytes: the message itself, or a view of it. */
  get bytes(): Uint8Array | undefined {
    const { source, start, end } = this;
    if (source === undefined || end - start === source.length) return source;
    return new Uint8Array(source.buffer, source.byteOffset + start, end - start);
  }
}

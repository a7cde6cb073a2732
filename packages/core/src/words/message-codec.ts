/**
 * How the value of one message becomes bytes and back. A method has one for its input, one for its output.
 * Both calls throw RpcError INVALID_ARGUMENT (or RESOURCE_EXHAUSTED for a limit) with the path of the bad part.
 */
export type MessageCodec<T = unknown> = JsonMessageCodec<T> | BinaryMessageCodec<T>;

/** Format of a payload on the wire: protobuf by the method's schema, or the tagged JSON of this package. */
export type PayloadFormat = "protobuf" | "json";

/** A codec over JSON text; an envelope that is JSON itself embeds the value instead of the text. */
export interface JsonMessageCodec<T = unknown> {
  readonly format: "json";
  stringify(value: T): string;
  parse(text: string): T;
  /** The second half of `parse`, for a value that JSON.parse has already seen. */
  revive(json: unknown): T;
}

/** A codec over bytes. */
export interface BinaryMessageCodec<T = unknown> {
  readonly format: "protobuf";
  /** Fresh bytes that nobody else holds. */
  encode(value: T): Uint8Array;
  /** Decodes bytes `start` to `end` (default: all). Must not keep a reference to `bytes`. */
  decode(bytes: Uint8Array, start?: number, end?: number): T;
  /** From a dynamic value (a caller without the contract) by names; the inverse of `toDynamic`. */
  fromDynamic(value: unknown): T;
  toDynamic(value: T): unknown;
}

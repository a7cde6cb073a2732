import type { ProtoReader } from "../reader.ts";
import type { ProtoWriter } from "../writer.ts";

/**
 * How one message is written and read inside another: generated functions, compiled closures and well-known types look alike.
 * The tag and the length around it are the business of whoever calls.
 */
export interface NestedCodec<T = unknown> {
  /** Writes the fields. Throws INVALID_ARGUMENT with the path of a field that does not hold what its type says. */
  readonly write: (value: T, writer: ProtoWriter, depth: number) => void;
  /** Reads fields up to `end`; `into` is what an earlier occurrence of the same field left, to be merged with. */
  readonly read: (reader: ProtoReader, end: number, depth: number, into?: T) => T;
}

import type { BinaryMessageCodec } from "@rpc/core/transport";
import { parseError } from "./parse-error.ts";
import { ProtoReader } from "./reader.ts";
import { ProtoWriter } from "./writer.ts";

/** What makes a message type: how its fields are written and read, and how it looks without its contract. */
export interface ProtobufMessageOptions<T> {
  /** Full protobuf name, such as `buildbot.BuildOrder`. */
  readonly typeName: string;
  /** Writes the fields; the length in front of them is the caller's. */
  write(value: T, writer: ProtoWriter): void;
  /** Reads fields from the reader's position to `end`. */
  read(reader: ProtoReader, end: number): T;
  fromDynamic(value: unknown): T;
  toDynamic(value: T): unknown;
}

// A codec may be called from inside another one's `read` or `write`, so the one at work is taken away while it is in use.
let idleWriter: ProtoWriter | undefined;
let idleReader: ProtoReader | undefined;

/** The codec of one protobuf message. The envelope codec knows this class and lets it write straight into its own buffer. */
export class ProtobufMessageCodec<T = unknown> implements BinaryMessageCodec<T> {
  readonly format = "protobuf";
  readonly typeName: string;
  readonly write: (value: T, writer: ProtoWriter) => void;
  readonly read: (reader: ProtoReader, end: number) => T;
  readonly fromDynamic: (value: unknown) => T;
  readonly toDynamic: (value: T) => unknown;

  constructor(options: ProtobufMessageOptions<T>) {
    this.typeName = options.typeName;
    this.write = (value, writer) => options.write(value, writer);
    this.read = (reader, end) => options.read(reader, end);
    this.fromDynamic = (value) => options.fromDynamic(value);
    this.toDynamic = (value) => options.toDynamic(value);
  }

  encode(value: T): Uint8Array {
    const writer = idleWriter ?? new ProtoWriter();
    idleWriter = undefined;
    try {
      this.write(value, writer.clear());
      return writer.finish();
    } finally {
      idleWriter = writer;
    }
  }

  decode(bytes: Uint8Array, start = 0, end: number = bytes.length): T {
    const reader = idleReader ?? new ProtoReader();
    idleReader = undefined;
    try {
      reader.reset(bytes, start, end);
      const value = this.read(reader, end);
      if (reader.pos !== end) throw parseError(`${this.typeName}: reading ended at byte ${reader.pos} of ${end}`);
      return value;
    } finally {
      // The reader must not keep the last message alive.
      reader.reset();
      idleReader = reader;
    }
  }
}

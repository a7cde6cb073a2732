import type { EncodedPayload, PayloadFormat, WireError } from "@rpc/core/transport";
import { payloadBetween, readFormat, writePayload } from "./envelope-parts.ts";
import type { ProtoReader } from "./reader.ts";
import type { ProtoWriter } from "./writer.ts";

/** In the order of the numbers of `enum Delivered`. */
const DELIVERED: readonly WireError["delivered"][] = [undefined, "no", "unknown"];

/** Writes a `message Error`. */
export function writeError(tag: number, error: WireError, writer: ProtoWriter): void {
  writer.uint32(tag).fork();
  if (error.code !== 0) writer.uint32(0x08).uint32(error.code);
  if (error.message !== "") writer.uint32(0x12).string(error.message);
  if (error.details !== undefined) writePayload(0x20, 0x2a, error.details, writer);
  if (error.retryable) writer.uint32(0x30).bool(true);
  if (error.delivered !== undefined) writer.uint32(0x38).uint32(DELIVERED.indexOf(error.delivered));
  if (error.stack !== "") writer.uint32(0x42).string(error.stack);
  if (error.reason !== "") writer.uint32(0x52).string(error.reason);
  writer.ldelim();
}

/** Reads a `message Error`. Codes stay the numbers they are: what they mean is the session's business. */
export function readError(reader: ProtoReader): WireError {
  const end = reader.lengthEnd();
  let code = 0;
  let message = "";
  let reason = "";
  let format: PayloadFormat = "protobuf";
  let details: EncodedPayload | undefined;
  let retryable = false;
  let delivered: WireError["delivered"];
  let stack = "";
  let dataStart = -1;
  let dataEnd = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        code = reader.uint32();
        break;
      case 0x12:
        message = reader.string();
        break;
      case 0x20:
        format = readFormat(reader);
        break;
      case 0x2a:
        dataEnd = reader.lengthEnd();
        dataStart = reader.pos;
        reader.pos = dataEnd;
        break;
      case 0x30:
        retryable = reader.bool();
        break;
      case 0x38:
        delivered = DELIVERED[reader.uint32()];
        break;
      case 0x42:
        stack = reader.string();
        break;
      case 0x52:
        reason = reader.string();
        break;
      default:
        reader.skipType(tag & 7, tag >>> 3);
    }
  }
  reader.checkEnd(end);
  if (dataStart >= 0) details = payloadBetween(format, reader, dataStart, dataEnd);
  return { code, message, reason, details, retryable, delivered, stack };
}

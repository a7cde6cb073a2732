import {
  Body,
  type ItemBody,
  type ItemExtra,
  type Outcome,
  OUTCOMES,
  type PayloadFormat,
  type SettleBody,
  type WireError,
} from "@rpc/core/transport";
import { checkBody, payloadBetween, readFormat, readMetadata, readWord } from "./envelope-parts.ts";
import { readUint32 } from "./handshake-decode.ts";
import type { ProtoReader } from "./reader.ts";
import { readError } from "./wire-error.ts";

type DraftExtra = { -readonly [Name in keyof ItemExtra]: ItemExtra[Name] };

/** Reads an item of a stream, of a topic or of a queue. */
export function readItem(reader: ProtoReader, end: number): ItemBody {
  let id = 0;
  let seq = 0;
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  let extra: DraftExtra | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x10) seq = reader.uint64Number();
    else if (tag === 0x22) {
      payloadEnd = reader.lengthEnd();
      payloadStart = reader.pos;
      reader.pos = payloadEnd;
    } else if (tag === 0x18) format = readFormat(reader);
    else extra = readExtra(tag, reader, extra);
  }
  checkBody(reader, end, id);
  const payload = payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd);
  return { body: Body.Item, id, seq, payload, extra };
}

/** Reads a field that items of a stream do not have. */
function readExtra(tag: number, reader: ProtoReader, into: DraftExtra | undefined): DraftExtra | undefined {
  const extra = into ?? { topic: "", lost: 0, delivery: 0, attempt: 0, metadata: undefined };
  if (tag === 0x28) extra.delivery = reader.uint64Number();
  else if (tag === 0x30) extra.attempt = readUint32(reader);
  else if (tag === 0x38) extra.lost = reader.uint64Number();
  else if (tag === 0x42) extra.topic = reader.string();
  else if (tag === 0x4a) extra.metadata = readMetadata(reader, extra.metadata as Map<string, string> | undefined);
  else {
    reader.skipType(tag & 7, tag >>> 3);
    return into;
  }
  return extra;
}

/** Reads what became of a job. */
export function readSettle(reader: ProtoReader, end: number): SettleBody {
  let id = 0;
  let delivery = 0;
  let outcome: Outcome = "ack";
  let error: WireError | undefined;
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x10) delivery = reader.uint64Number();
    else if (tag === 0x18) outcome = readWord(reader, OUTCOMES, "outcome");
    else if (tag === 0x22) error = readError(reader);
    else if (tag === 0x28) format = readFormat(reader);
    else if (tag === 0x32) {
      payloadEnd = reader.lengthEnd();
      payloadStart = reader.pos;
      reader.pos = payloadEnd;
    } else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  const payload = payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd);
  return { body: Body.Settle, id, delivery, outcome, payload, error };
}

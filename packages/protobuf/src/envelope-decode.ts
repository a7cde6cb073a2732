import {
  Body,
  CALL_KINDS,
  type CallBody,
  type CallKind,
  type CancelBody,
  type CreditBody,
  type DrainBody,
  type EncodedPayload,
  type EndBody,
  type Envelope,
  type FailBody,
  type LogLine,
  type NotifyBody,
  type PayloadFormat,
  type ProgressBody,
  type ResultBody,
  STATUS_NUMBERS,
  type WireError,
} from "@rpc/core/transport";
import { checkBody, payloadBetween, readFormat, readLog, readMetadata, readWord } from "./envelope-parts.ts";
import {
  readChallenge,
  readCompressed,
  readGoodbye,
  readHello,
  readPing,
  readProof,
  readUint32,
  readWelcome,
} from "./handshake-decode.ts";
import { readItem, readSettle } from "./item-decode.ts";
import type { NameReader } from "./method-names.ts";
import type { ProtoReader } from "./reader.ts";
import { readError } from "./wire-error.ts";

/*
 * One function per body of docs/wire/envelope.md. The numbers are tags as they stand on the wire: field number times 8 plus wire
 * type (0 varint, 2 length-delimited). A field of another wire type than the expected one counts as unknown, and is skipped.
 */

/** Reads the one body of an envelope from the reader's position to `end`. A body of an unknown number is given as such. */
export function readBody(number: number, reader: ProtoReader, end: number, names: NameReader): Envelope {
  switch (number) {
    case Body.Call:
      return readCall(reader, end, names);
    case Body.Result:
      return readResult(reader, end);
    case Body.Item:
      return readItem(reader, end);
    case Body.Settle:
      return readSettle(reader, end);
    case Body.Credit:
      return readCredit(reader, end);
    case Body.Notify:
      return readNotify(reader, end, names);
    case Body.Fail:
      return readFail(reader, end);
    case Body.End:
      return readEnd(reader, end);
    case Body.Cancel:
      return readCancel(reader, end);
    case Body.Progress:
      return readProgress(reader, end);
    case Body.Ping:
    case Body.Pong:
      return readPing(reader, end, number);
    case Body.Goodbye:
      return readGoodbye(reader, end);
    case Body.Drain:
      return readDrain(reader, end);
    case Body.Compressed:
      return readCompressed(reader, end);
    case Body.Hello:
      return readHello(reader, end);
    case Body.Challenge:
      return readChallenge(reader, end);
    case Body.Proof:
      return readProof(reader, end);
    case Body.Welcome:
      return readWelcome(reader, end);
    default:
      reader.pos = end;
      return { body: 0, number };
  }
}

function readCall(reader: ProtoReader, end: number, names: NameReader): CallBody {
  let id = 0;
  let method = "";
  let kind: CallKind = "unary";
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  let deadlineMs: number | undefined;
  let idempotencyKey: string | undefined;
  let metadata: Map<string, string> | undefined;
  let credits: number | undefined;
  let parentId = 0;
  let depth = 0;
  let observed = false;
  let handleId = "";
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        id = reader.uint64Number();
        break;
      case 0x12:
        method = readName(reader, names);
        break;
      case 0x28:
        kind = readWord(reader, CALL_KINDS, "call kind");
        break;
      case 0x30:
        format = readFormat(reader);
        break;
      case 0x3a:
        payloadEnd = reader.lengthEnd();
        payloadStart = reader.pos;
        reader.pos = payloadEnd;
        break;
      case 0x40:
        deadlineMs = readUint32(reader);
        break;
      case 0x4a:
        idempotencyKey = reader.string();
        break;
      case 0x52:
        metadata = readMetadata(reader, metadata);
        break;
      case 0x58:
        credits = readUint32(reader);
        break;
      case 0x60:
        parentId = reader.uint64Number();
        break;
      case 0x68:
        depth = readUint32(reader);
        break;
      case 0x70:
        observed = reader.bool();
        break;
      case 0x7a:
        handleId = reader.string();
        break;
      default:
        reader.skipType(tag & 7, tag >>> 3);
    }
  }
  checkBody(reader, end, id);
  return {
    body: Body.Call,
    id,
    method,
    kind,
    payload: payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd),
    deadlineMs,
    metadata,
    idempotencyKey: idempotencyKey === "" ? undefined : idempotencyKey,
    credits,
    depth,
    parentId,
    observed,
    handleId,
  };
}

function readResult(reader: ProtoReader, end: number): ResultBody {
  let id = 0;
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  let metadata: Map<string, string> | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x1a) {
      payloadEnd = reader.lengthEnd();
      payloadStart = reader.pos;
      reader.pos = payloadEnd;
    } else if (tag === 0x10) format = readFormat(reader);
    else if (tag === 0x22) metadata = readMetadata(reader, metadata);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  const payload = payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd);
  return { body: Body.Result, id, payload, metadata };
}

function readNotify(reader: ProtoReader, end: number, names: NameReader): NotifyBody {
  let method = "";
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  let metadata: Map<string, string> | undefined;
  let depth = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) method = readName(reader, names);
    else if (tag === 0x20) format = readFormat(reader);
    else if (tag === 0x2a) {
      payloadEnd = reader.lengthEnd();
      payloadStart = reader.pos;
      reader.pos = payloadEnd;
    } else if (tag === 0x32) metadata = readMetadata(reader, metadata);
    else if (tag === 0x38) depth = readUint32(reader);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  reader.checkEnd(end);
  const payload = payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd);
  return { body: Body.Notify, method, payload, metadata, depth };
}

function readCredit(reader: ProtoReader, end: number): CreditBody {
  let id = 0;
  let credits = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x10) credits = readUint32(reader);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  return { body: Body.Credit, id, credits };
}

/** What a Fail without an error means: it failed, nobody knows why. */
const NO_ERROR: WireError = Object.freeze({
  code: STATUS_NUMBERS.UNKNOWN,
  message: "",
  reason: "",
  details: undefined,
  retryable: false,
  delivered: undefined,
  stack: "",
});

function readFail(reader: ProtoReader, end: number): FailBody {
  let id = 0;
  let error = NO_ERROR;
  let metadata: Map<string, string> | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x12) error = readError(reader);
    else if (tag === 0x1a) metadata = readMetadata(reader, metadata);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  return { body: Body.Fail, id, error, metadata };
}

function readEnd(reader: ProtoReader, end: number): EndBody {
  let id = 0;
  let error: WireError | undefined;
  let metadata: Map<string, string> | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x12) error = readError(reader);
    else if (tag === 0x1a) metadata = readMetadata(reader, metadata);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  return { body: Body.End, id, error, metadata };
}

function readCancel(reader: ProtoReader, end: number): CancelBody {
  let id = 0;
  let reason = "";
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x12) reason = reader.string();
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  return { body: Body.Cancel, id, reason };
}

function readDrain(reader: ProtoReader, end: number): DrainBody {
  let reason = "";
  let deadlineMs = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) reason = reader.string();
    else if (tag === 0x10) deadlineMs = readUint32(reader);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  reader.checkEnd(end);
  return { body: Body.Drain, reason, deadlineMs };
}

function readProgress(reader: ProtoReader, end: number): ProgressBody {
  let id = 0;
  let format: PayloadFormat = "protobuf";
  let payloadStart = -1;
  let payloadEnd = 0;
  let log: LogLine | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) id = reader.uint64Number();
    else if (tag === 0x10) format = readFormat(reader);
    else if (tag === 0x1a) {
      payloadEnd = reader.lengthEnd();
      payloadStart = reader.pos;
      reader.pos = payloadEnd;
    } else if (tag === 0x22) log = readLog(reader);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkBody(reader, end, id);
  const payload: EncodedPayload | undefined =
    payloadStart < 0 ? undefined : payloadBetween(format, reader, payloadStart, payloadEnd);
  return { body: Body.Progress, id, payload, log };
}

function readName(reader: ProtoReader, names: NameReader): string {
  const end = reader.lengthEnd();
  const start = reader.pos;
  reader.pos = end;
  return names.read(reader.buf, start, end);
}

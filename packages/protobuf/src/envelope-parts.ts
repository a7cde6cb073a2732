import {
  EncodedPayload,
  type LogLevel,
  type LogLine,
  type MetadataEntries,
  type Payload,
  type PayloadFormat,
} from "@rpc/core/transport";
import { ProtobufMessageCodec } from "./message-codec.ts";
import { parseError, wrongValue } from "./parse-error.ts";
import type { ProtoReader } from "./reader.ts";
import type { ProtoWriter } from "./writer.ts";

/** Numbers of `enum Codec`. */
const JSON_CODEC = 1;
const FORMATS: readonly PayloadFormat[] = ["protobuf", "json"];
/** In the order of their numbers. */
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "notice", "warning", "error", "critical"];

/** Writes `codec` (when it is not protobuf) and `payload`, whose two tags are given. */
export function writePayload(codecTag: number, payloadTag: number, payload: Payload, writer: ProtoWriter): void {
  if (payload instanceof EncodedPayload) {
    if (payload.format === "json") writer.uint32(codecTag).uint32(JSON_CODEC);
    const { bytes } = payload;
    if (bytes !== undefined) writer.uint32(payloadTag).bytes(bytes);
    else if (payload.format === "json") writer.uint32(payloadTag).string(jsonText(payload.json));
    else throw wrongValue("a protobuf payload has no bytes");
    return;
  }
  const { codec } = payload;
  if (codec instanceof ProtobufMessageCodec) {
    writer.uint32(payloadTag).fork();
    codec.write(payload.value, writer);
    writer.ldelim();
  } else if (codec.format === "json") {
    writer.uint32(codecTag).uint32(JSON_CODEC).uint32(payloadTag).string(codec.stringify(payload.value));
  } else {
    writer.uint32(payloadTag).bytes(codec.encode(payload.value));
  }
}

/** "Nothing" is no text at all; see `dynamicCodec` in core. */
function jsonText(json: unknown): string {
  return json === undefined ? "" : JSON.stringify(json);
}

/** The payload between two positions. */
export function payloadBetween(format: PayloadFormat, reader: ProtoReader, start: number, end: number): EncodedPayload {
  return new EncodedPayload(format, reader.buf, undefined, start, end);
}

/** Reads the value of a `codec` field. */
export function readFormat(reader: ProtoReader): PayloadFormat {
  return readWord(reader, FORMATS, "payload codec");
}

/** Reads an enum whose words stand in the order of their numbers. A number without a word is refused. */
export function readWord<Word extends string>(reader: ProtoReader, words: readonly Word[], what: string): Word {
  const number = reader.uint64Number();
  const word = words[number];
  if (word === undefined) throw parseError(`${what} ${number} is not known`);
  return word;
}

/** The body ends where it should, and names a call. */
export function checkBody(reader: ProtoReader, end: number, id: number): void {
  reader.checkEnd(end);
  if (id === 0) throw parseError("the body names no call: its id is missing or 0");
}

/** Writes each pair as one entry of a `map<string, string>`. */
export function writeMetadata(tag: number, metadata: MetadataEntries, writer: ProtoWriter): void {
  for (const [key, value] of metadata) writeEntry(tag, key, value, writer);
}

/** Reads one entry into a map that is made at the first. A key that comes twice keeps its last value. */
export function readMetadata(reader: ProtoReader, into: Map<string, string> | undefined): Map<string, string> {
  const entries = into ?? new Map<string, string>();
  readEntry(reader, (key, value) => entries.set(key, value));
  return entries;
}

/** Writes a line of text that a handler logs to its caller. */
export function writeLog(tag: number, line: LogLine, writer: ProtoWriter): void {
  writer.uint32(tag).fork();
  const level = LOG_LEVELS.indexOf(line.level);
  if (level > 0) writer.uint32(0x08).uint32(level);
  if (line.message !== "") writer.uint32(0x12).string(line.message);
  for (const [key, value] of Object.entries(line.fields)) writeEntry(0x1a, key, value, writer);
  writer.ldelim();
}

/** Reads a line of text. A level of a later version counts as `info`. */
export function readLog(reader: ProtoReader): LogLine {
  const end = reader.lengthEnd();
  let level: LogLevel = "trace";
  let message = "";
  // Field names come from outside: the record inherits nothing, so that none of them means anything.
  const fields = Object.create(null) as Record<string, string>;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x08) level = LOG_LEVELS[reader.uint32()] ?? "info";
    else if (tag === 0x12) message = reader.string();
    else if (tag === 0x1a) readEntry(reader, (key, value) => (fields[key] = value));
    else reader.skipType(tag & 7, tag >>> 3);
  }
  reader.checkEnd(end);
  return { level, message, fields };
}

function writeEntry(tag: number, key: string, value: string, writer: ProtoWriter): void {
  writer.uint32(tag).fork().uint32(0x0a).string(key).uint32(0x12).string(value).ldelim();
}

function readEntry(reader: ProtoReader, take: (key: string, value: string) => void): void {
  reader.countElement();
  const end = reader.lengthEnd();
  let key = "";
  let value = "";
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) key = reader.string();
    else if (tag === 0x12) value = reader.string();
    else reader.skipType(tag & 7, tag >>> 3);
  }
  reader.checkEnd(end);
  take(key, value);
}

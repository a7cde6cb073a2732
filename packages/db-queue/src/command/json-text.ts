import { RpcError } from "@rpc/core";
import { decodePayload, dynamicCodec, EncodedPayload, type MessageCodec, readUtf8 } from "@rpc/core/transport";
import type { JsonText } from "../store/store-words.ts";

/**
 * The JSON text of a value, in core's tagged JSON, so that rows can be read without their contract; undefined for undefined. A protobuf
 * message is written by its names. What a gateway passes on is encoded already; protobuf of its is none of JSON's: see {@link protobufIn}.
 */
export function jsonText(codec: MessageCodec, value: unknown): JsonText | undefined {
  const text = textOf(codec, value);
  return text === "" ? undefined : text;
}

function textOf(codec: MessageCodec, value: unknown): string {
  if (value instanceof EncodedPayload) return textOfEncoded(value);
  if (codec.format === "json") return codec.stringify(value);
  return value === undefined ? "" : dynamicCodec.stringify(codec.toDynamic(value));
}

function textOfEncoded(payload: EncodedPayload): string {
  if (payload.format === "protobuf") throw new RpcError("INTERNAL", "protobuf is no JSON", { reason: "INTERNAL" });
  if (payload.source === undefined) return payload.json === undefined ? "" : JSON.stringify(payload.json);
  const text = readUtf8(payload.source, payload.start, payload.end);
  if (text === "") return "";
  try {
    // It came from somebody else: spaces and order of their liking, if it is JSON at all.
    return JSON.stringify(JSON.parse(text));
  } catch (thrown) {
    throw new RpcError("INVALID_ARGUMENT", "payload is not JSON", { reason: "PARSE", cause: thrown });
  }
}

/** The bytes of a protobuf message that a gateway passes on without knowing its contract. */
export function protobufIn(value: unknown): Uint8Array | undefined {
  return value instanceof EncodedPayload && value.format === "protobuf" ? value.bytes : undefined;
}

/** The value of parsed JSON; a gateway's codec gives it as it is, encoded. Throws INVALID_ARGUMENT or RESOURCE_EXHAUSTED. */
export function valueOfJson(codec: MessageCodec, json: unknown): unknown {
  return decodePayload(codec, new EncodedPayload("json", undefined, json));
}

/** The value of a message that a gateway wrote as protobuf. */
export function valueOfProtobuf(codec: MessageCodec, bytes: Uint8Array): unknown {
  return decodePayload(codec, new EncodedPayload("protobuf", bytes));
}

/** Parsed JSON that a row holds. Whoever can write to the table can write anything. */
export function parsedJson(text: JsonText, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new RpcError("INVALID_ARGUMENT", `${what} is not JSON`, { reason: "PARSE", cause: thrown });
  }
}

/** Text of what ought to be text: types are easily lost on the way from a handler. */
export function wellFormedText(value: unknown): string {
  return (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed();
}

/** A record that somebody else wrote: own members only. */
export type Json = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function memberOf(record: Json, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

export function textIn(record: Json, name: string): string | undefined {
  const value = memberOf(record, name);
  return typeof value === "string" ? value : undefined;
}

export function numberIn(record: Json, name: string): number | undefined {
  const value = memberOf(record, name);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

import { RpcError } from "@rpc/core";
import {
  decodePayload,
  dynamicCodec,
  EncodedPayload,
  type MessageCodec,
  type MessageShape,
  readUtf8,
} from "@rpc/core/transport";
import { parseDomogikJson } from "../frames/domogik-json.ts";
import type { Frames } from "../frames/words.ts";

/** A body of two frames: what is to be done, and one JSON object. Further frames are ignored. */
export interface ActionBody {
  readonly action: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** A third frame, which `$meta` may give a meaning. */
  readonly bytes?: Uint8Array | undefined;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads a body. Throws INVALID_ARGUMENT for one that is none. */
export function readBody(frames: Frames): ActionBody {
  const [action, data, bytes] = frames;
  if (action === undefined || data === undefined)
    throw unreadable(`a body has an action and a JSON object, this one has ${frames.length} frame(s)`);
  let text: string;
  try {
    text = strictUtf8.decode(action);
  } catch {
    throw unreadable("the action is not UTF-8");
  }
  return { action: text, data: readData(data), bytes };
}

/** The data of a body. Throws INVALID_ARGUMENT for what is no JSON object. */
export function readData(frame: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parsed(strictUtf8.decode(frame));
  } catch {
    throw unreadable("the data is not JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw unreadable("the data is not a JSON object");
}

/** JSON as core's codecs take it: numbers that only Python's JSON knows come as the records that stand for them. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return tagged(parseDomogikJson(text));
  }
}

function tagged(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(tagged);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, tagged(each)]));
}

function unreadable(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `the message cannot be read: ${what}`, { reason: "PARSE" });
}

/** A value as JSON text in the form that core's dynamic values have in JSON; "" for undefined. Throws as its codec does. */
export function textOf(codec: MessageCodec, value: unknown): string {
  if (value instanceof EncodedPayload) return encodedText(value);
  if (codec.format === "json") return codec.stringify(value);
  return dynamicCodec.stringify(codec.toDynamic(value));
}

/** What a gateway passes on was encoded by somebody else. */
function encodedText({ format, source, start, end, json }: EncodedPayload): string {
  if (format === "json") {
    if (source !== undefined) return readUtf8(source, start, end);
    return json === undefined ? "" : JSON.stringify(json);
  }
  const message = "a protobuf message needs its contract to become JSON; serve the contract instead of a bare gateway";
  throw new RpcError("INVALID_ARGUMENT", message, { reason: "UNSERIALIZABLE" });
}

/** The value of a member that came in; undefined: it was not there. Throws INVALID_ARGUMENT. */
export function valueOf({ codec }: MessageShape, json: unknown): unknown {
  if (codec.format === "protobuf") return codec.fromDynamic(json === undefined ? {} : dynamicCodec.revive(json));
  return decodePayload(codec, new EncodedPayload("json", undefined, json));
}

/** A message as protobuf bytes; undefined: its codec has none, or a gateway passes on what is JSON. */
export function bytesOf({ codec }: MessageShape, value: unknown): Uint8Array | undefined {
  if (value instanceof EncodedPayload) return value.format === "protobuf" ? value.bytes : undefined;
  return codec.format === "protobuf" ? codec.encode(value) : undefined;
}

/** The value of protobuf bytes that came in. Throws INVALID_ARGUMENT. */
export function valueOfBytes({ codec }: MessageShape, bytes: Uint8Array | undefined): unknown {
  return decodePayload(codec, new EncodedPayload("protobuf", bytes ?? NO_BYTES));
}

const NO_BYTES = new Uint8Array(0);

/** How long all frames are together. */
export function bytesIn(frames: Frames): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  return bytes;
}

/** The name that a reply has: `x.get` and `x.do` are answered by `x.result`. */
export function resultOf(action: string): string {
  return `${action.endsWith(".get") ? action.slice(0, -4) : action.endsWith(".do") ? action.slice(0, -3) : action}.result`;
}

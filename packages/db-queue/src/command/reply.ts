import type { Metadata } from "@rpc/core";
import { dynamicCodec, type MethodDescriptor } from "@rpc/core/transport";
import type { JsonText } from "../store/store-words.ts";
import { isRecord, jsonText, memberOf, protobufIn, valueOfJson, valueOfProtobuf } from "./json-text.ts";
import { readMetadata, recordOf } from "./meta.ts";

/**
 * A result is the value's tagged JSON. What that has no place for makes it `{"$reply": {"value": …, "metadata": {…}}}`: without `value` it
 * is undefined; `protobuf` instead, in base64's tag, is what a gateway passed on as it was. No value can look like it, as its own `$` would
 * be doubled.
 */
const REPLY = "$reply";

export interface Reply {
  readonly value: unknown;
  readonly metadata: Metadata | undefined;
}

/** Throws INVALID_ARGUMENT or RESOURCE_EXHAUSTED for what cannot travel. */
export function replyText(method: MethodDescriptor, value: unknown, metadata?: Metadata): JsonText {
  const said = recordOf(metadata);
  const bytes = protobufIn(value);
  const text = bytes === undefined ? jsonText(method.output.codec, value) : dynamicCodec.stringify(bytes);
  if (text !== undefined && bytes === undefined && said === undefined) return text;
  const members: string[] = [];
  if (text !== undefined) members.push(`"${bytes === undefined ? "value" : "protobuf"}":${text}`);
  if (said !== undefined) members.push(`"metadata":${JSON.stringify(said)}`);
  return `{"${REPLY}":{${members.join(",")}}}`;
}

/** The value and the metadata of a result, parsed. Throws INVALID_ARGUMENT for a value that is none of the method's. */
export function readReply(method: MethodDescriptor, json: unknown): Reply {
  const { codec } = method.output;
  const reply = isRecord(json) ? memberOf(json, REPLY) : undefined;
  if (!isRecord(reply)) return { value: valueOfJson(codec, json), metadata: undefined };
  const metadata = readMetadata(memberOf(reply, "metadata"));
  if (Object.hasOwn(reply, "protobuf")) {
    const bytes = dynamicCodec.revive(reply["protobuf"]);
    if (bytes instanceof Uint8Array) return { value: valueOfProtobuf(codec, bytes), metadata };
  }
  return { value: Object.hasOwn(reply, "value") ? valueOfJson(codec, reply["value"]) : undefined, metadata };
}

import type { JsonMessageCodec, MessageCodec } from "../words/message-codec.ts";
import { EncodedPayload, type Payload, ValuePayload } from "../words/payload.ts";
import { dynamicCodec } from "./json-message-codec.ts";
import { decodePayload, encodedNow, payloadBytes } from "./payloads.ts";
import { readUtf8 } from "./utf8.ts";

/** JSON that is text already. Memory for text is had and given back more cheaply than for bytes, so what waits in numbers waits as text. */
const TEXT_CODEC: JsonMessageCodec = {
  format: "json",
  stringify: (text) => String(text),
  parse: (text) => dynamicCodec.parse(text),
  revive: (json) => dynamicCodec.revive(json),
};

/**
 * A payload to keep: it does not depend on the value that it was made of, does not keep alive the block of bytes that it came in, and can
 * be sent and decoded more than once. Throws as its codec does.
 */
export function keptPayload(payload: Payload): Payload {
  if (payload instanceof ValuePayload) {
    const { codec, value } = payload;
    return codec.format === "json" ? new ValuePayload(TEXT_CODEC, codec.stringify(value)) : encodedNow(payload);
  }
  if (payload.format === "json") {
    const { source, start, end, json } = payload;
    if (source !== undefined) return new ValuePayload(TEXT_CODEC, readUtf8(source, start, end));
    return new ValuePayload(TEXT_CODEC, json === undefined ? "" : JSON.stringify(json));
  }
  return new EncodedPayload("protobuf", new Uint8Array(payloadBytes(payload)));
}

/** What a kept payload takes up; of text beyond ASCII less than its bytes. */
export function keptLength(payload: Payload): number {
  if (payload instanceof ValuePayload) return typeof payload.value === "string" ? payload.value.length : 0;
  return payload.end - payload.start;
}

/** The value of a payload, kept or not. */
export function decodeKept(codec: MessageCodec, payload: Payload | undefined): unknown {
  if (!(payload instanceof ValuePayload) || payload.codec !== TEXT_CODEC) return decodePayload(codec, payload);
  const text = String(payload.value);
  return codec.format === "json" ? codec.parse(text) : codec.fromDynamic(dynamicCodec.parse(text));
}

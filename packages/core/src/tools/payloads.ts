import type { MessageCodec } from "../words/message-codec.ts";
import { EncodedPayload, type Payload, ValuePayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { dynamicCodec } from "./json-message-codec.ts";
import { readUtf8, utf8Bytes } from "./utf8.ts";

/** A value on its way out. A gateway's value is encoded already and passes as it is. */
export function payloadOf(codec: MessageCodec, value: unknown): Payload {
  return value instanceof EncodedPayload ? value : new ValuePayload(codec, value);
}

/**
 * The value of a payload that came in. A dynamic caller may send JSON to a protobuf method and the other way is refused, since
 * protobuf bytes say nothing without their schema. Throws INVALID_ARGUMENT.
 */
export function decodePayload(codec: MessageCodec, payload: Payload | undefined): unknown {
  if (payload === undefined) {
    if (codec.format === "json") return undefined;
    throw new RpcError("INVALID_ARGUMENT", "the message is missing", { reason: "PARSE" });
  }
  if (payload instanceof ValuePayload) return payload.value;
  if (codec === OPAQUE_CODEC) return payload;
  if (codec.format === "protobuf") {
    if (payload.format === "protobuf") return codec.decode(payload.source ?? NO_BYTES, payload.start, payload.end);
    return codec.fromDynamic(decodeJson(dynamicCodec, payload));
  }
  if (payload.format === "protobuf") {
    throw new RpcError(
      "INVALID_ARGUMENT",
      "payload is protobuf, but the contract describes this message without protobuf",
      {
        reason: "PARSE",
      },
    );
  }
  return decodeJson(codec, payload);
}

function decodeJson(codec: MessageCodec & { readonly format: "json" }, payload: EncodedPayload): unknown {
  const { source, json } = payload;
  if (source === undefined) return json === undefined ? undefined : codec.revive(json);
  return codec.parse(readUtf8(source, payload.start, payload.end));
}

/** The bytes of a payload, for envelope codecs that carry bytes. */
export function payloadBytes(payload: Payload): Uint8Array {
  if (payload instanceof EncodedPayload)
    return payload.bytes ?? utf8Bytes(payload.json === undefined ? "" : JSON.stringify(payload.json));
  const { codec, value } = payload;
  return codec.format === "json" ? utf8Bytes(codec.stringify(value)) : codec.encode(value);
}

/** A payload that no longer depends on the value it was made of. Throws as its codec does. */
export function encodedNow(payload: Payload): EncodedPayload {
  return payload instanceof EncodedPayload ? payload : new EncodedPayload(payload.codec.format, payloadBytes(payload));
}

/** Passes payloads on without looking inside; what a gateway's methods are decoded with. */
export const OPAQUE_CODEC: MessageCodec = {
  format: "json",
  stringify: (value) => dynamicCodec.stringify(value),
  parse: (text) => dynamicCodec.parse(text),
  revive: (json) => json,
};

const NO_BYTES = new Uint8Array(0);

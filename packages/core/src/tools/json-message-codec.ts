import type { JsonMessageCodec } from "../words/message-codec.ts";
import { RpcError } from "../words/rpc-error.ts";
import { isPlainJson, reviveJson, toTaggedJson } from "./json-values.ts";

/** Dynamic values without a schema: records come out with a null prototype, since nothing rebuilds them. */
export const dynamicCodec: JsonMessageCodec = createJsonMessageCodec(false);

/** For values that a validator checks and rebuilds after decoding. */
export const validatedCodec: JsonMessageCodec = createJsonMessageCodec(true);

function createJsonMessageCodec(inherit: boolean): JsonMessageCodec {
  return {
    format: "json",
    // Undefined is no text at all: an empty input or output costs no byte.
    stringify: (value) => (value === undefined ? "" : stringify(value)),
    parse: (text) => (text === "" ? undefined : reviveJson(parse(text), inherit)),
    revive: (json) => reviveJson(json, inherit),
  };
}

function stringify(value: unknown): string {
  try {
    if (isPlainJson(value)) return JSON.stringify(value);
  } catch {
    // A throwing getter or a revoked proxy in the user's value (hostile inputs H89): the careful way says where.
  }
  return JSON.stringify(toTaggedJson(value));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new RpcError("INVALID_ARGUMENT", "payload is not JSON", { reason: "PARSE", cause: thrown });
  }
}

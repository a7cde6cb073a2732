import type { WireError } from "../words/envelope.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { EncodedPayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { STATUS_NUMBERS, statusFromNumber } from "../words/status.ts";
import { dynamicCodec } from "./json-message-codec.ts";
import { decodePayload, encodedNow, payloadOf } from "./payloads.ts";

/** Longest error text on the wire; a longer one is cut, so that an error always fits (hostile inputs H49). */
const MAX_MESSAGE_LENGTH = 64 * 1024;

/** An error as it travels. Details that cannot be encoded are left out: the error itself must arrive. */
export function wireErrorOf(error: RpcError, method: MethodDescriptor | undefined, exposeStacks: boolean): WireError {
  return {
    code: STATUS_NUMBERS[error.code],
    message: wellFormed(error.message),
    reason: wellFormed(error.reason ?? ""),
    details: error.details === undefined ? undefined : detailsPayload(error, method),
    retryable: error.retryable,
    delivered: error.delivered,
    stack: exposeStacks ? wellFormed(stackOf(error)) : "",
  };
}

function detailsPayload(error: RpcError, method: MethodDescriptor | undefined): EncodedPayload | undefined {
  if (error.details instanceof EncodedPayload) return error.details;
  const codec = method?.errors.get(error.reason ?? "")?.codec ?? dynamicCodec;
  try {
    // Encoded here and now: a failure inside the envelope would take the whole error with it.
    return encodedNow(payloadOf(codec, error.details));
  } catch {
    return undefined;
  }
}

/** An error that came in. Details that cannot be decoded are left out. */
export function errorFromWire(wire: WireError, method: MethodDescriptor | undefined): RpcError {
  const code = statusFromNumber(wire.code);
  const known = STATUS_NUMBERS[code] === wire.code;
  return new RpcError(code, wire.message, {
    reason: wire.reason === "" ? undefined : wire.reason,
    // A number outside the list becomes UNKNOWN; the original stays visible (hostile inputs H48).
    details: known ? decodeDetails(wire, method) : { code: wire.code },
    retryable: wire.retryable,
    delivered: wire.delivered,
    remoteStack: wire.stack === "" ? undefined : wire.stack,
  });
}

function decodeDetails(wire: WireError, method: MethodDescriptor | undefined): unknown {
  if (wire.details === undefined) return undefined;
  try {
    return decodePayload(method?.errors.get(wire.reason)?.codec ?? dynamicCodec, wire.details);
  } catch {
    return undefined;
  }
}

function wellFormed(text: string): string {
  return (text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…` : text).toWellFormed();
}

/** The stack of what the handler threw, not of the RpcError around it; causes further down are not followed (hostile inputs H91, H92). */
function stackOf(error: RpcError): string {
  try {
    const thrown = error.cause instanceof Error ? error.cause : error;
    return typeof thrown.stack === "string" ? thrown.stack : "";
  } catch {
    return "";
  }
}

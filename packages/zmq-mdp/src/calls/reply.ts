import { RpcError } from "@rpc/core";
import {
  EncodedPayload,
  errorFromWire,
  type Metadata,
  type MethodDescriptor,
  readUtf8,
  STATUS_NUMBERS,
  type StatusCode,
  wireErrorOf,
} from "@rpc/core/transport";
import { type ActionBody, textOf, valueOf, valueOfBytes } from "./body.ts";
import { entriesOf, ownMember } from "./meta.ts";

/*
 * The data of replies:
 *
 *   {"status":true,"result":…}                                              an output
 *   {"status":true,"$meta":{…}}                                             no output
 *   {"status":false,"reason":"text","error":{"code":"NOT_FOUND",…}}         an error
 *   {"status":false,"reason":"text"}                                        the same from a foreign worker
 *   {"status":false,"reason":"text","code":"NO_WORKER"}, action "error"     the same from the broker
 *   {…}                                                                     any other: the whole object is the output
 */

/** The data of a reply with an output. Throws as the method's codec does. */
export function outputText(
  method: MethodDescriptor,
  output: unknown,
  metadata: Metadata | undefined,
  maxMetadataBytes: number,
): string {
  const text = textOf(method.output.codec, output);
  const meta = metadata === undefined ? "" : `"metadata":${JSON.stringify(entriesOf(metadata, maxMetadataBytes))}`;
  if (text === "") return `{"status":true,"$meta":{${meta}}}`;
  return meta === "" ? `{"status":true,"result":${text}}` : `{"status":true,"result":${text},"$meta":{${meta}}}`;
}

/** The data of a reply whose output is protobuf, in the frame behind it. */
export function binaryText(metadata: Metadata | undefined, maxMetadataBytes: number): string {
  const meta = metadata === undefined ? "" : `,"metadata":${JSON.stringify(entriesOf(metadata, maxMetadataBytes))}`;
  return `{"status":true,"$meta":{"body":"protobuf"${meta}}}`;
}

/** The data of a reply with an error. */
export function errorText(
  error: RpcError,
  method: MethodDescriptor | undefined,
  metadata: Metadata | undefined,
  maxMetadataBytes: number,
  exposeStacks: boolean,
): string {
  const wire = wireErrorOf(error, method, exposeStacks);
  const { details } = wire;
  let data = "";
  if (details instanceof EncodedPayload) {
    const { format, bytes, json } = details;
    if (format === "protobuf")
      data = `,"dataBytes":${JSON.stringify(Buffer.from(bytes ?? NO_BYTES).toString("base64"))}`;
    else data = `,"data":${bytes === undefined ? JSON.stringify(json ?? null) : readUtf8(bytes)}`;
  }
  const body = JSON.stringify({
    code: error.code,
    message: wire.message,
    reason: wire.reason === "" ? undefined : wire.reason,
    retryable: wire.retryable,
    delivered: wire.delivered,
    stack: wire.stack === "" ? undefined : wire.stack,
  });
  let meta = "";
  if (metadata !== undefined) {
    try {
      meta = `,"$meta":{"metadata":${JSON.stringify(entriesOf(metadata, maxMetadataBytes))}}`;
    } catch {
      // Too much of it: the error itself must arrive.
    }
  }
  return `{"status":false,"reason":${JSON.stringify(wire.message)},"error":${body.slice(0, -1)}${data}}${meta}}`;
}

const NO_BYTES = new Uint8Array(0);

/** What the broker says by itself, with what a caller may make of it. */
const BROKER_CODES: Readonly<Record<string, readonly [StatusCode, "no" | "unknown"]>> = {
  NO_WORKER: ["UNAVAILABLE", "no"],
  EXPIRED: ["DEADLINE_EXCEEDED", "no"],
  QUEUE_FULL: ["RESOURCE_EXHAUSTED", "no"],
  WORKER_LOST: ["UNAVAILABLE", "unknown"],
  CANCELLED: ["CANCELLED", "no"],
  FORBIDDEN: ["PERMISSION_DENIED", "no"],
  UNSUPPORTED: ["UNIMPLEMENTED", "unknown"],
  OVERFLOW: ["RESOURCE_EXHAUSTED", "unknown"],
};

/** The error that a reply is; undefined: it is none. `label` names the call. */
export function errorIn(
  { action, data }: ActionBody,
  method: MethodDescriptor | undefined,
  label: string,
): RpcError | undefined {
  if (ownMember(data, "status") !== false) return undefined;
  const error = ownMember(data, "error");
  const text = ownMember(data, "reason");
  const reason = typeof text === "string" && text !== "" ? text : "the worker gives no reason";
  if (typeof error === "object" && error !== null) return errorOfWorker(error, reason, method);
  const code = ownMember(data, "code");
  if (action === "error" && typeof code === "string" && Object.hasOwn(BROKER_CODES, code)) {
    const [status, delivered] = BROKER_CODES[code] ?? ["UNKNOWN", "unknown"];
    return new RpcError(status, `${label}: the broker says: ${reason}`, { reason: code, delivered });
  }
  return new RpcError("UNKNOWN", reason, { reason: "COMMAND_FAILURE", details: data });
}

function errorOfWorker(error: object, reason: string, method: MethodDescriptor | undefined): RpcError {
  const code = ownMember(error, "code");
  const message = ownMember(error, "message");
  const word = ownMember(error, "reason");
  const bytes = ownMember(error, "dataBytes");
  const data = ownMember(error, "data");
  const delivered = ownMember(error, "delivered");
  const stack = ownMember(error, "stack");
  let details: EncodedPayload | undefined;
  if (typeof bytes === "string") details = new EncodedPayload("protobuf", Buffer.from(bytes, "base64"));
  else if (data !== undefined) details = new EncodedPayload("json", undefined, data);
  return errorFromWire(
    {
      code: typeof code === "string" && Object.hasOwn(STATUS_NUMBERS, code) ? STATUS_NUMBERS[code as StatusCode] : 2,
      message: typeof message === "string" ? message : reason,
      reason: typeof word === "string" ? word : "",
      details,
      retryable: ownMember(error, "retryable") === true,
      delivered: delivered === "no" || delivered === "unknown" ? delivered : undefined,
      stack: typeof stack === "string" ? stack : "",
    },
    method,
  );
}

/** The output that a reply without an error holds. Throws INVALID_ARGUMENT for one that cannot be decoded. */
export function outputIn({ data, bytes }: ActionBody, method: MethodDescriptor): unknown {
  const meta = ownMember(data, "$meta");
  if (typeof meta === "object" && meta !== null && ownMember(meta, "body") === "protobuf")
    return valueOfBytes(method.output, bytes);
  if (Object.hasOwn(data, "result")) return valueOf(method.output, data["result"]);
  return valueOf(method.output, Object.hasOwn(data, "$meta") ? undefined : data);
}

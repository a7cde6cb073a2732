import { RpcError } from "@rpc/core";
import { type MethodDescriptor, shown } from "@rpc/core/transport";
import type { Fault } from "../fault.ts";
import { errorOf, STATUS_HEADER } from "../fault-mapping.ts";
import type { HttpReply } from "./http-pool.ts";
import { codeOfStatus } from "./status.ts";

/** The error of a fault. The headers of the answer say more than a fault can, where they belong to this one call (`reply`). */
export function errorOfFault(fault: Fault, method: MethodDescriptor, reply: HttpReply | undefined): RpcError {
  return errorOf(fault, method, reply?.headers);
}

/** The error of a refusal of HTTP's by our own server, which says by its headers what it means. */
export function errorOfRefusal(method: MethodDescriptor, reply: HttpReply, text: string): RpcError {
  const { code, reason, delivered, retryable } = errorOf({ code: 0, message: text }, method, reply.headers);
  // The same words whoever asked, and wherever: they tell nobody which names exist.
  const message = `${shown(method.name)}: refused with HTTP ${reply.status}${text === "" ? "" : `: ${text}`}`;
  return new RpcError(code, message, { reason, delivered, retryable, details: { status: reply.status } });
}

/** The error that a JSON-2 answer tells: the status of HTTP says which one, `name` and `message` for whom it is. */
export function errorOfJson2(
  method: MethodDescriptor,
  reply: HttpReply,
  message: string,
  name: string | undefined,
): RpcError {
  const { headers, status } = reply;
  if (headers[STATUS_HEADER] !== undefined) return errorOf({ code: 0, message }, method, headers);
  // 404 and 422 are the model's own words here, and no wrong address.
  const code = status === 404 ? "NOT_FOUND" : status === 422 ? "INVALID_ARGUMENT" : codeOfStatus(status);
  return new RpcError(code, message, { reason: name, details: { status, name } });
}

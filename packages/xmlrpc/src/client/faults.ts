import { RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import type { Fault } from "../fault.ts";
import type { HttpReply } from "./http-pool.ts";
import { codeOfStatus } from "./status.ts";

/** The error of a fault; the headers of the answer, where they belong to this one call, say more than a fault can. */
export function errorOfFault(fault: Fault, method: MethodDescriptor, reply: HttpReply | undefined): RpcError {
  void reply;
  return new RpcError("UNKNOWN", fault.message, { details: { faultCode: fault.code }, reason: method.name });
}

/** The error that a JSON-2 answer tells: the status of HTTP says which one, `name` and `message` for whom it is. */
export function errorOfJson2(
  method: MethodDescriptor,
  reply: HttpReply,
  message: string,
  name: string | undefined,
): RpcError {
  // 404 and 422 are the model's own words here, and no wrong address.
  const code =
    reply.status === 404 ? "NOT_FOUND" : reply.status === 422 ? "INVALID_ARGUMENT" : codeOfStatus(reply.status);
  return new RpcError(code, `${method.name}: ${message}`, { reason: name, details: { status: reply.status, name } });
}

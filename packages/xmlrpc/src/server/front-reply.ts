import { RpcError } from "@rpc/core";
import { AccessDenied, MissingError } from "../exceptions.ts";
import { type Fault, FaultCode, FaultError } from "../fault.ts";
import { appendMetadata, Header } from "../headers.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { callIdOf } from "./call-id.ts";
import { HttpRefusal } from "./service.ts";

/** HTTP status of a document that cannot be read. */
export function documentStatus({ code }: Fault, faultStatus: "always200" | "rpc2"): number {
  if (faultStatus === "always200") return 200;
  return code === FaultCode.UnsupportedEncoding ? 415 : 400;
}

/** Headers of a reply beside those of its wire: metadata that the handler sent back, and whether there was an output. */
export function replyHeaders(
  base: Readonly<Record<string, string>>,
  exchange: HttpExchange,
  output: unknown,
): Readonly<Record<string, string>> {
  const { hasResponseMetadata } = exchange as HttpExchange & { readonly hasResponseMetadata?: boolean };
  const hasMetadata = hasResponseMetadata ?? exchange.responseMetadata.size > 0;
  if (!hasMetadata && output !== undefined) return base;
  const headers: Record<string, string> = { ...base };
  if (output === undefined) headers[Header.noOutput] = "1";
  if (hasMetadata) {
    const pairs: string[] = [];
    appendMetadata(pairs, exchange.responseMetadata);
    for (let i = 0; i + 1 < pairs.length; i += 2) headers[pairs[i] ?? ""] = pairs[i + 1] ?? "";
  }
  return headers;
}

/** A result that cannot be said on the wire: the handler's mistake, and the caller is told so. */
export function unmarshallable(thrown: unknown): unknown {
  if (thrown instanceof FaultError || thrown instanceof HttpRefusal) return thrown;
  const { message, code, reason } = RpcError.from(thrown);
  // Too large is the caller's business as well.
  if (code === "RESOURCE_EXHAUSTED") return new RpcError(code, message, { reason, cause: thrown });
  const text = message.startsWith("cannot marshal") ? message : `cannot marshal: ${message}`;
  return new FaultError(FaultCode.Internal, `TypeError: ${text}`, { cause: thrown });
}

/** HTTP can refuse a request, but no part of one: what it becomes in a batch or a multicall. */
export function inFault(thrown: unknown): unknown {
  if (!(thrown instanceof HttpRefusal)) return thrown;
  const { status, message } = thrown;
  if (status === 404) return new MissingError(message);
  if (status === 503) return new RpcError("UNAVAILABLE", message, { reason: "UNAVAILABLE" });
  return new AccessDenied(message);
}

/** Whether the server's own log should hear of it: what no contract has foreseen. */
export function isUnexpected(thrown: unknown): boolean {
  if (thrown instanceof FaultError) return thrown.fault.code === FaultCode.Internal;
  if (thrown instanceof HttpRefusal) return false;
  return !(thrown instanceof RpcError) || thrown.code === "INTERNAL" || thrown.code === "DATA_LOSS";
}

/** Tells the log of a failed call; gives the id by which the caller's reply and the log can be brought together. */
export function reported(
  thrown: unknown,
  method: string,
  exchange: HttpExchange,
  onError: (error: RpcError) => void,
): string {
  const id = callIdOf(exchange);
  const { code, message, reason } = RpcError.from(thrown);
  onError(new RpcError(code, `${method.slice(0, 200)} (call ${id}): ${message}`, { reason, cause: thrown }));
  return id;
}

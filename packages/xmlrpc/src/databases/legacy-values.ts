import { RpcError } from "@rpc/core";
import { namedText } from "../fault-mapping.ts";
import type { ServiceHost } from "../server/service.ts";
import { HttpRefusal } from "../server/service.ts";
import { XmlRpcDateTime } from "../values.ts";

/** A failed call as the old endpoints say it. */
export interface LegacyFault {
  /** 1 application · 2 warning · 3 access denied · 4 access error. */
  readonly code: number;
  /** For XML-RPC. */
  readonly message: string;
  /** The error's class and text, for JSON. */
  readonly name: string;
  readonly text: string;
  readonly notFound: boolean;
}

const CODES: ReadonlyMap<number, number> = new Map([
  [-32_100, 2],
  [-32_101, 3],
  [-32_102, 4],
  [-32_103, 2],
  [-32_104, 2],
  [-32_002, 3],
  [-32_003, 4],
]);

export function legacyFaultOf(thrown: unknown, host: ServiceHost): LegacyFault {
  if (thrown instanceof HttpRefusal) {
    const notFound = thrown.status === 404;
    const code = thrown.status === 401 || thrown.status === 403 ? 3 : 1;
    return { code, message: thrown.message, name: "AccessDenied", text: thrown.message, notFound };
  }
  const fault = host.faultOf(thrown);
  const code = CODES.get(fault.code) ?? 1;
  const { name = "Exception", text } = namedText(fault.message);
  // Warnings are read by people, who never saw the class's name there.
  return { code, message: code === 1 ? fault.message : text, name, text, notFound: false };
}

const MAX_DEPTH = 64;

/**
 * A result as it was before there were types for it: dates as text `YYYY-MM-DD HH:MM:SS`. XML-RPC there has no nil; members that are undefined are
 * left out. Throws INVALID_ARGUMENT.
 */
export function legacyValue(value: unknown, wire: "xml" | "json", depth = 0): unknown {
  if (value === null || value === undefined) {
    if (wire === "xml") throw unmarshallable("cannot marshal None unless allow_none is enabled");
    return null;
  }
  if (typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unmarshallable("cannot marshal a date that is none");
    return value.toISOString().slice(0, 19).replace("T", " ");
  }
  if (value instanceof XmlRpcDateTime) return value.toString().slice(0, 19).replace("T", " ");
  if (depth >= MAX_DEPTH) throw unmarshallable(`cannot marshal what is nested deeper than ${MAX_DEPTH} levels`);
  if ("toRpc" in value && typeof value.toRpc === "function") return legacyValue(value.toRpc(), wire, depth + 1);
  if (Array.isArray(value)) return value.map((item) => legacyValue(item, wire, depth + 1));
  if (value instanceof Set) return [...(value as Set<unknown>)].map((item) => legacyValue(item, wire, depth + 1));
  const isMap = value instanceof Map;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Whatever else it is, the codec knows what to say about it.
  if (!isMap && prototype !== null && prototype !== Object.prototype) return value;
  const record = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of isMap ? (value as Map<unknown, unknown>) : Object.entries(value))
    if (member !== undefined) record[String(key)] = legacyValue(member, wire, depth + 1);
  return record;
}

function unmarshallable(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `TypeError: ${message}`, { reason: "RESULT_UNSERIALIZABLE" });
}

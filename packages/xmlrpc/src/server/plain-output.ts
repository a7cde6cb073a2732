import type { CallContext, Handler } from "@rpc/core";
import { isPromiseLike } from "@rpc/core/transport";
import { Double, XmlRpcDateTime } from "../values.ts";

const MAX_DEPTH = 64;

/**
 * A handler whose outputs can be kept: for calls with an idempotency key it says records, maps, sets, generators and what has `toRpc()` as lists
 * and records, because a kept reply is encoded before any wire has seen it. Other calls pass as they are.
 */
export function withPlainOutputs(handler: Handler): Handler {
  const call = (input: unknown, context: CallContext): unknown => {
    const output = handler.call(input, context);
    if (context.idempotencyKey === undefined) return output;
    return isPromiseLike(output) ? Promise.resolve(output).then((value) => plain(value, [])) : plain(output, []);
  };
  return {
    topicPort: handler.topicPort,
    workQueue: handler.workQueue,
    // Asked each time: a dynamic router's contracts change.
    get contracts(): Handler["contracts"] {
      return handler.contracts;
    },
    method: (name, kind) => handler.method(name, kind),
    stream: (input, context) => handler.stream(input, context),
    call,
  };
}

/** What cannot be said plainly stays, for its encoder to refuse. */
function plain(value: unknown, ancestors: readonly object[]): unknown {
  if (typeof value !== "object" || value === null || ancestors.length > MAX_DEPTH) return value;
  // What holds itself twice at each level would be followed more often than can be waited for.
  if (ancestors.includes(value)) return value;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  if (value instanceof Double) return value.value;
  if (value instanceof XmlRpcDateTime) return value.toDate();
  const inside = [...ancestors, value];
  if ("toRpc" in value && typeof value.toRpc === "function") return plain(value.toRpc(), inside);
  if (value instanceof Map) return fromEntries(value as ReadonlyMap<unknown, unknown>, inside);
  if (Symbol.iterator in value) {
    const list: unknown[] = [];
    for (const item of value as Iterable<unknown>) list.push(plain(item, inside));
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ? fromEntries(Object.entries(value), inside) : value;
}

function fromEntries(entries: Iterable<readonly [unknown, unknown]>, inside: readonly object[]): unknown {
  const record = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of entries) {
    const key = String(name);
    if (Object.hasOwn(record, key))
      throw new TypeError(`cannot marshal two keys with the text ${JSON.stringify(key.slice(0, 80))}`);
    record[key] = plain(member, inside);
  }
  return record;
}

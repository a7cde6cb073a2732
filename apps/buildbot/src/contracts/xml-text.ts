// What XML has no place for: control characters, as the colours of a log are made of. Bots that come over XML-RPC say such a text as its UTF-8,
// `{"$utf8": bytes}`, wherever it stands, and so does the server to them.
import type { Handler, Transport } from "@rpc/core";
import { gapOf } from "@rpc/core/transport";

const MARK = "$utf8";
// oxlint-disable-next-line no-control-regex -- those it looks for
const ILLEGAL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;

/** A value that XML can say. What needs no change is not copied. */
export function sayable(value: unknown): unknown {
  if (typeof value === "string") return ILLEGAL.test(value) ? { [MARK]: new TextEncoder().encode(value) } : value;
  return changed(value, sayable);
}

/** The value that was meant. */
export function heard(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (MARK in value && value[MARK] instanceof Uint8Array && Object.keys(value).length === 1) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(value[MARK]);
  }
  return changed(value, heard);
}

/** Calls of a transport over XML-RPC. Contracts that have client streams besides can be bound to it. */
export function sayingAllTexts(transport: Transport): Transport {
  const { endpoint, capabilities, clock } = transport;
  const unsupported = gapOf(capabilities.clientStream);
  const clientStream = unsupported === undefined ? capabilities.clientStream : { unsupported, bindable: true };
  return {
    endpoint,
    capabilities: { ...capabilities, clientStream },
    clock,
    call: async (input, context) => heard(await transport.call(sayable(input), context)),
    stream: (input, context) => transport.stream(input, context),
    ready: () => transport.ready(),
    close: (options) => transport.close(options),
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

/** What is served to them. */
export function hearingAllTexts(handler: Handler): Handler {
  return {
    contracts: handler.contracts,
    method: (name, kind) => handler.method(name, kind),
    call: async (input, context) => sayable(await handler.call(heard(input), context)),
    stream: (input, context) => handler.stream(input, context),
  };
}

/** Lists and records of plain data; all else is what it is. */
function changed(value: unknown, change: (member: unknown) => unknown): unknown {
  if (Array.isArray(value)) {
    const list: unknown[] = value;
    const members = list.map(change);
    return members.some((member, at) => member !== list[at]) ? members : list;
  }
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value);
  const members = entries.map(([name, member]): [string, unknown] => [name, change(member)]);
  // Text in the place of a name is left to be refused.
  return members.some(([, member], at) => member !== entries[at]?.[1]) ? Object.fromEntries(members) : value;
}

import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DocumentCodec } from "../src/codec/document-codec.ts";
import { type Fault, FaultError } from "../src/fault.ts";

const lenient = createDocumentCodec();

/** A call of `t` with one parameter. */
export function callOf(value: string, root = "methodCall"): string {
  return `<${root}><methodName>t</methodName><params><param>${value}</param></params></methodCall>`;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The one parameter of a call. */
export function decodeValue(value: string, codec: DocumentCodec = lenient): unknown {
  return codec.decodeCall(bytesOf(callOf(value)), "text/xml; charset=utf-8").params[0];
}

/** The fault that reading gives; throws when there is none, or when something else was thrown. */
export function faultIn(read: () => unknown): Fault {
  let value: unknown;
  try {
    value = read();
  } catch (thrown) {
    if (thrown instanceof FaultError) return thrown.fault;
    throw thrown;
  }
  throw new Error(`no fault, but ${JSON.stringify(value)?.slice(0, 200)}`);
}

/** The code of the fault that a call with this document gets. */
export function callFault(document: string, codec: DocumentCodec = lenient): number {
  return faultIn(() => codec.decodeCall(bytesOf(document), "text/xml; charset=utf-8")).code;
}

export function valueFault(value: string, codec: DocumentCodec = lenient): number {
  return callFault(callOf(value), codec);
}

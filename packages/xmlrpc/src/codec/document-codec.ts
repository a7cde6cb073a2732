import type { Fault } from "../fault.ts";

/** What a request document asks for. */
export interface DecodedCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What a response document says: a value, or a fault. */
export type DecodedReply = { readonly value: unknown } | { readonly fault: Fault };

/**
 * Documents to values and back, in one dialect. Bytes come in with the Content-Type they came with (its charset wins over BOM and
 * declaration); text goes out, to be sent as UTF-8. Decoding throws {@link FaultError} with the reserved code that fits; encoding a value that
 * XML-RPC cannot say throws RpcError INVALID_ARGUMENT. Values are those of `values.ts`.
 */
export interface DocumentCodec {
  encodeCall(method: string, params: readonly unknown[]): string;
  encodeReply(value: unknown): string;
  encodeFault(fault: Fault): string;
  decodeCall(document: Uint8Array, contentType: string | undefined): DecodedCall;
  decodeReply(document: Uint8Array, contentType: string | undefined): DecodedReply;
}

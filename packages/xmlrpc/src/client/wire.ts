import type { MethodDescriptor } from "@rpc/core/transport";
import type { Params } from "../server/service.ts";
import type { HttpReply } from "./http-pool.ts";

/** A call as one request, or as a part of one, written when it is made: its values may change afterwards. */
export interface WrittenCall {
  readonly path: string;
  readonly text: string;
  /** Names the answer in a JSON-RPC batch; empty elsewhere. */
  readonly id: string;
}

/** What became of a call: a value, or an error that is its own. */
export type CallOutcome = { readonly value: unknown } | { readonly error: unknown };

/** How one protocol writes requests and reads answers. */
export interface ClientWire {
  readonly contentType: string;
  readonly accept: string;
  /** Whether the answer to a batch says for each call by itself what became of it. */
  readonly batches: boolean;
  /** Throws INVALID_ARGUMENT for what this protocol cannot say. */
  write(method: string, params: Params, oneWay: boolean): WrittenCall;
  /** Several calls as one request. */
  join(calls: readonly WrittenCall[]): WrittenCall;
  /** The value in an answer; throws the error that it tells. */
  read(reply: HttpReply, method: MethodDescriptor): unknown;
  /** The error that an answer of HTTP status 400 or more tells in the words of this protocol; undefined: it tells none. */
  readError(reply: HttpReply, method: MethodDescriptor): unknown;
  /**
   * What became of each call of a batch. Throws when the answer is none of a batch; `undefined` when the server knows no batches and has run
   * none of the calls.
   */
  readBatch(
    reply: HttpReply,
    calls: readonly { readonly method: MethodDescriptor; readonly written: WrittenCall }[],
  ): readonly CallOutcome[] | undefined;
}

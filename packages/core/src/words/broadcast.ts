import type { CallOptions } from "./call-context.ts";
import type { ContractMethod, MethodDefinition, ReceivedBy, SentBy } from "./contract.ts";
import type { MetadataInit } from "./metadata.ts";
import type { Peer } from "./peer.ts";
import type { RpcError } from "./rpc-error.ts";

export interface BroadcastOptions {
  /** Which peers. Default: all. */
  readonly filter?: ((peer: Peer) => boolean) | undefined;
  /** Whether `accepted` counts the peers at which the message has arrived, instead of those it was handed over for. Default: false. */
  readonly ack?: boolean | undefined;
  readonly metadata?: MetadataInit | undefined;
}

export interface PeerFailure {
  readonly peer: Peer;
  readonly error: RpcError;
}

export interface BroadcastReport {
  /** Peers that it was sent to, or will be as soon as their connection takes more. */
  readonly sent: number;
  /** Peers that it could not be sent to. Others may join it later, such as one that was lost before its turn. */
  readonly failed: readonly PeerFailure[];
  /**
   * For how many it was handed over to the connection, or with `ack` at how many it has arrived, whatever their handlers make of it; settles
   * once nothing is open. Never rejects.
   */
  readonly accepted: Promise<number>;
}

export interface CallAllOptions extends Omit<CallOptions, "ack" | "idempotencyKey"> {
  /** Which peers. Default: all. */
  readonly filter?: ((peer: Peer) => boolean) | undefined;
}

/** What one peer answered, or why it did not. */
export type PeerReply<Output> =
  | { readonly peer: Peer; readonly result: Output; readonly error?: undefined }
  | { readonly peer: Peer; readonly result?: undefined; readonly error: RpcError };

type InputOf<D> = D extends MethodDefinition<infer _K, infer I> ? SentBy<I> : never;
type OutputOf<D> = D extends MethodDefinition<infer _K, infer _I, infer O> ? ReceivedBy<O> : never;
type Arguments<Input, Options> = undefined extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/** The connected peers of a listener, in the order they came. */
export interface Peers extends Iterable<Peer> {
  readonly size: number;
  /** Sends a notification to every peer; a failing or slow one stops nobody else. The peers validate the input. Throws INVALID_ARGUMENT for one that cannot travel. */
  broadcast<D extends MethodDefinition<"notification">>(
    method: ContractMethod<D>,
    ...args: Arguments<InputOf<D>, BroadcastOptions>
  ): BroadcastReport;
  /**
   * Calls every peer now and yields the answers as they come, one per peer; who has not answered in time is named with DEADLINE_EXCEEDED.
   * Leaving the loop cancels what is open. The peers validate the input. Throws INVALID_ARGUMENT for one that cannot travel.
   */
  callAll<D extends MethodDefinition<"unary">>(
    method: ContractMethod<D>,
    ...args: Arguments<InputOf<D>, CallAllOptions>
  ): AsyncIterable<PeerReply<OutputOf<D>>>;
  /** Any of those that are connected now, or of the others when none is; undefined when there is none. */
  random(filter?: (peer: Peer) => boolean): Peer | undefined;
  /** Of the same the one with the fewest calls in flight, of several the one that came first. */
  leastBusy(filter?: (peer: Peer) => boolean): Peer | undefined;
}

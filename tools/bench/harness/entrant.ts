/**
 * What every entrant offers, so that one runner can measure all of them.
 *
 * entrant   one way to call a server: a floor, a peer or one of ours
 * floor     what the machine allows: a bare socket with nothing that an RPC library adds
 * peer      a library of somebody else, in its fast recommended configuration
 * gap       a figure that an entrant cannot give, with the reason as a sentence
 */
import type { FigureId } from "./figures.ts";

/** The small message of all workloads; `text` is 100 ASCII bytes. */
export interface EchoMessage {
  readonly id: number;
  readonly text: string;
}

export interface Entrant {
  /** Figures that this entrant cannot give, each with the reason. */
  readonly gaps?: Partial<Record<FigureId, string>>;
  /** True for floors that echo opaque bytes and do not decode the message. */
  readonly opaque?: boolean;
  serve(): Promise<EntrantServer>;
  /** Opens one connection of its own; two clients never share one. */
  connect(endpoint: string): Promise<EntrantClient>;
}

export interface EntrantServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

export interface EntrantClient {
  echo(message: EchoMessage): Promise<EchoMessage>;
  /** Asks for a server stream of `itemCount` small messages and counts what arrives. */
  countItems?(itemCount: number): Promise<number>;
  echoBytes?(payload: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

import type { Channel, Clock } from "@rpc/core/transport";
import type { FakeClock } from "./fake-clock.ts";
import type { SuiteCase, SuiteOptions } from "./suite.ts";

/** Two ends of one fresh connection, neither of them open yet. */
export interface ChannelPair {
  readonly dialed: Channel;
  readonly accepted: Channel;
  /** Frees everything, listener included; both ends may be closed already. */
  readonly close: () => Promise<void>;
}

/** What the suite asks a fresh pair to be. */
export interface ChannelPairOptions {
  readonly clock: Clock;
  /** Both ends accept messages up to here. */
  readonly maxMessageBytes: number;
}

/** A wire with addresses: what the suite needs to listen and dial by itself. */
export interface ChannelAddresses {
  /** Listens on a free address, or on a given one. */
  listen(endpoint: string | undefined): Promise<ChannelListener>;
  dial(endpoint: string, signal: AbortSignal): Promise<Channel>;
  /** An endpoint on which nobody listens. */
  unusedEndpoint(): Promise<string>;
  /** Creates a transport for an endpoint, without dialing; throws for an endpoint that cannot be. */
  checkEndpoint(endpoint: string): unknown;
  /** Endpoints that must be refused: another scheme, an unknown parameter. */
  readonly wrongEndpoints: readonly string[];
}

/** The accepting side of a wire with addresses. */
export interface ChannelListener {
  readonly endpoint: string;
  /** The next channel that somebody dialed. */
  accept(): Promise<Channel>;
  /** Stops accepting. */
  close(): Promise<void>;
}

/** A wire that puts frames on a byte stream: the suite talks to its channel in bytes. */
export interface Framing {
  open(options: FramedOptions): Promise<FramedEnd>;
  /** A whole frame around a message. */
  frame(message: Uint8Array): Uint8Array;
  /** The bytes that announce a message of this length. */
  header(length: number): Uint8Array;
}

/** What the suite asks the framed channel to be. */
export interface FramedOptions {
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly partialFrameTimeoutMs: number;
}

/** A channel, not open yet, and the raw bytes of its far end. */
export interface FramedEnd {
  readonly channel: Channel;
  readonly bytes: BytePipe;
  close(): Promise<void>;
}

/** The far end of a framed channel, as a stream of bytes. */
export interface BytePipe {
  /** Resolves once the bytes have been given to the network as a piece of their own. */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that no more bytes come, and goes on reading. */
  end(): void;
  /** Ends both directions at once, with a reset where the wire has one. */
  destroy(): void;
  /** Everything that has come back so far. */
  received(): Uint8Array;
  /** Resolves when the channel's side has ended the connection. */
  readonly ended: Promise<void>;
}

/** What `channelSuite` takes: a runner, a name and a factory; the rest is for wires that have it. */
export interface ChannelSuiteOptions extends SuiteOptions {
  readonly factory: (options: ChannelPairOptions) => Promise<ChannelPair>;
  readonly addresses?: ChannelAddresses | undefined;
  readonly framing?: Framing | undefined;
}

/** What a channel case works with. */
export interface ChannelBench {
  readonly clock: FakeClock;
  connect(): Promise<ChannelPair>;
  readonly addresses: ChannelAddresses | undefined;
  readonly framing: Framing | undefined;
  /** Runs at the end of the case, whatever comes of it. */
  defer(cleanUp: () => Promise<void> | void): void;
}

/** The largest message that the suite lets a pair accept. */
export const CHANNEL_MESSAGE_LIMIT: number = 4 * 1024 * 1024;

/** A case of the channel level. */
export type ChannelCase = SuiteCase<ChannelBench>;

/** A case of the channel level, cited by its requirement. */
export function provesChannel(id: string, behaviour: string, run: (bench: ChannelBench) => Promise<void>): ChannelCase {
  return { id, behaviour, run };
}

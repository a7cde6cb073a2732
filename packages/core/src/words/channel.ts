import type { RpcError } from "./rpc-error.ts";

/**
 * Level 1: a duplex, ordered message pipe with one life. Implement this for a wire on which both ends may send at any
 * time, and the session gives you all of level 2: calls both ways, streams, notifications, heartbeats, deadlines.
 *
 * Rules, each a row of the conformance suite:
 * nothing is handed over before `open` and nothing in it, in `send` or in `close` calls the sink (C01, C07) ·
 * messages arrive whole and in order (C02, C03) · `send` accepts always, and its false means "wait for drained" (C05) ·
 * what `send` accepted arrives before the far end sees `closed` (C08) · `closed` comes exactly once (C09) ·
 * a closed channel stays closed (C11, C12).
 */
export interface Channel {
  /** The far end as an endpoint, for messages and logs. */
  readonly remote: string;
  /** Why this channel may be trusted, if it may. */
  readonly security: ChannelSecurity;
  /** Gives the receiver, once, before anything else. */
  open(sink: ChannelSink): void;
  /**
   * Sends one message. The channel copies what it cannot hand to the wire at once, unless `transfer` is true: then the
   * caller will never touch the bytes again and the channel may keep them. Returns false when the wire is full: the message
   * is accepted all the same, but the next should wait for `drained`. On a closed channel: false, and nothing is sent.
   */
  send(message: Uint8Array, transfer?: boolean): boolean;
  /** Ends the channel after what was sent. Idempotent. The far end's reason need not be this one. */
  close(reason?: RpcError): void;
  /** Ends the channel at once, dropping what was not sent yet. Default: close. */
  destroy?(reason?: RpcError): void;
  /** Stops and starts reading from the wire, for back-pressure. A channel that cannot leaves both out. */
  pause?(): void;
  resume?(): void;
  /** Largest message accepted from now on; a larger one closes the channel before its body is buffered. */
  limitMessageBytes?(maxMessageBytes: number): void;
}

/** What a channel calls. Its members never throw. */
export interface ChannelSink {
  /** One whole message. The bytes belong to the receiver from here on. */
  message(bytes: Uint8Array): void;
  /** There is room again after `send` returned false. */
  drained(): void;
  /** The far end sends nothing more but may still read: what runs for it can be answered. Without this member that is the end. */
  ended?(): void;
  /** The end, once; nothing comes after it. An ordinary end has code UNAVAILABLE. */
  closed(reason: RpcError): void;
}

/** What the wire itself guarantees about the far end. */
export interface ChannelSecurity {
  /** `local`: the same process or a Unix socket; `encrypted`: TLS; `plain`: anybody on the way can read and write. */
  readonly kind: "local" | "encrypted" | "plain";
  /** Subject of the certificate that the far end proved, when the channel asked for one. */
  readonly certificateSubject?: string | undefined;
  /** What is known to both ends of this very TLS connection and to nobody else (RFC 9266); absent where there is nothing like it. */
  readonly binding?: (() => Uint8Array) | undefined;
}

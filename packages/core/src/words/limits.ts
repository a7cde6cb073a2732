import { MAX_TIMER_MS } from "./clock.ts";
import { RpcError } from "./rpc-error.ts";

/** What a session accepts. Every limit is on by default; 0 means zero, never "unlimited". */
export interface SessionLimits {
  /** Largest message accepted from the peer and sent to it, counted uncompressed. Default: 4 MiB. */
  readonly maxMessageBytes: number;
  /** Bytes of metadata per call and direction. Default: 16 KiB. */
  readonly maxMetadataBytes: number;
  /** Calls and streams that one peer may have in flight; the surplus is refused RESOURCE_EXHAUSTED. Default: 1,000. */
  readonly maxCallsInFlight: number;
  /** Streams among them. Default: 1,000. */
  readonly maxStreams: number;
  /** Subscriptions and consumers that one peer may have here; the surplus is refused RESOURCE_EXHAUSTED. Default: 1,000. */
  readonly maxSubscriptions: number;
  /** Own calls that wait because the connection is not up yet, is full, or the peer's `maxCallsInFlight` is reached. Default: 10,000. */
  readonly maxQueuedCalls: number;
  /**
   * Items of a stream that may be under way before the reader takes them. A stream starts with 64 at most, and gets more only while its
   * reader keeps up and its items are small. Default: 256.
   */
  readonly streamCredits: number;
  /**
   * Bytes of stream items and events that wait for their readers, over all streams and subscriptions of a peer. The stream that goes beyond
   * it fails; a subscription loses events and counts them, or fails with the policies `block` and `disconnect`. Default: 64 MiB.
   */
  readonly maxUnreadBytes: number;
  /** Bytes waiting for a peer that does not read. Beyond it the session ends. Default: 16 MiB. */
  readonly maxSendBufferBytes: number;
  /** Calls that call back: how deep. Default: 32. */
  readonly maxDepth: number;
  /** How long a session goes on without a connection, for its peer to come back; the shorter one of both ends holds. 0: not at all. Default: 30,000. */
  readonly resumeWindowMs: number;
  /** Messages that the peer has not acknowledged, kept to be sent again; nothing new is sent beyond it. Default: 4,096. */
  readonly maxReplayMessages: number;
  /** The same in bytes. One message always fits. Default: 16 MiB. */
  readonly maxReplayBytes: number;
  /** Sessions of a listener that wait for their peers to come back; of too many the one lost longest ago ends. Default: 10,000. */
  readonly maxSuspendedSessions: number;
  /** Time from connecting to the end of the handshake. Default: 10,000. */
  readonly unauthenticatedTimeoutMs: number;
  /** Largest message before the end of the handshake. Default: 1 KiB. */
  readonly maxUnauthenticatedBytes: number;
  /** Connections of a listener without a finished handshake; of too many the one that waits longest is closed. Default: 1,000. */
  readonly maxUnauthenticatedConnections: number;
  /** A sign of life is sent when nothing else was for this long; 0 switches heartbeats off. Default: 5,000. */
  readonly heartbeatMs: number;
  /** A peer that was silent for this long is lost. Default: 15,000. */
  readonly aliveMs: number;
}

export const DEFAULT_LIMITS: SessionLimits = Object.freeze({
  maxMessageBytes: 4 * 1024 * 1024,
  maxMetadataBytes: 16 * 1024,
  maxCallsInFlight: 1_000,
  maxStreams: 1_000,
  maxSubscriptions: 1_000,
  maxQueuedCalls: 10_000,
  streamCredits: 256,
  maxUnreadBytes: 64 * 1024 * 1024,
  maxSendBufferBytes: 16 * 1024 * 1024,
  maxDepth: 32,
  resumeWindowMs: 30_000,
  maxReplayMessages: 4_096,
  maxReplayBytes: 16 * 1024 * 1024,
  maxSuspendedSessions: 10_000,
  unauthenticatedTimeoutMs: 10_000,
  maxUnauthenticatedBytes: 1024,
  maxUnauthenticatedConnections: 1_000,
  heartbeatMs: 5_000,
  aliveMs: 15_000,
});

/** Fills in defaults. Throws INVALID_ARGUMENT for a limit that is negative, fractional or not a number. */
export function resolveLimits(options: { readonly [Name in keyof SessionLimits]?: number | undefined }): SessionLimits {
  const limits: Record<string, number> = { ...DEFAULT_LIMITS };
  let changed = false;
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof SessionLimits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 0) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        `option ${name} must be a whole number of at least 0, got ${String(value)}`,
        {
          reason: "INVALID_ARGUMENT",
        },
      );
    }
    // A timer keeps no longer than that; what is meant is "very long".
    limits[name] = name.endsWith("Ms") ? Math.min(value, MAX_TIMER_MS) : value;
    changed = true;
  }
  // Connections without limits of their own share one object: with ten thousand of them it counts.
  return changed ? (limits as unknown as SessionLimits) : DEFAULT_LIMITS;
}

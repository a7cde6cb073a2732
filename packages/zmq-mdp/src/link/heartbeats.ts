/**
 * How ZeroMQ itself watches a connection (37/ZMTP, from libzmq 4.2 on): the other end's own thread answers, also while its program is busy. Without
 * it a link that goes silent, as behind a firewall that forgot it, is found broken only when TCP gives up, and by who only listens never.
 */
export const LINK_HEARTBEAT_MS = 5_000;

interface SocketHeartbeats {
  heartbeatInterval: number;
  heartbeatTimeout: number;
}

/** The same as options of a socket: two signs of life may be missing. 0: nobody watches. */
export function heartbeatsOf(heartbeatMs: number): SocketHeartbeats {
  return { heartbeatInterval: heartbeatMs, heartbeatTimeout: heartbeatMs * 2 };
}

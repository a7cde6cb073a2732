import type { Session } from "../machines/session.ts";
import type { Traffic } from "../machines/connection.ts";
import type { Gauge } from "./observe/metrics.ts";

/** The numbers of a transport's or a listener's sessions, for {@link MetricsSource}. */
export function sessionGauges(
  endpoint: string,
  sessions: Iterable<Session>,
  traffic: Traffic,
  waitingConnections: number,
): readonly Gauge[] {
  let open = 0;
  let suspended = 0;
  let inFlight = 0;
  let queued = 0;
  let kept = 0;
  let keptBytes = 0;
  let unreadBytes = 0;
  for (const session of sessions) {
    if (session.suspended) suspended++;
    else if (session.ready) open++;
    inFlight += session.callsInFlight;
    queued += session.outgoing.queuedCount;
    kept += session.ledger?.replay?.count ?? 0;
    keptBytes += session.ledger?.replay?.bytes ?? 0;
    unreadBytes += session.unreadBytes;
  }
  const labels = { endpoint };
  const gauge = (name: string, value: number, help: string): Gauge => ({ name, value, help, labels });
  const counter = (name: string, value: number, help: string): Gauge => ({
    ...gauge(name, value, help),
    kind: "counter",
  });
  return [
    gauge("rpc_sessions_open", open, "Sessions with a connection."),
    gauge("rpc_sessions_suspended", suspended, "Sessions that wait for their connection to come back."),
    gauge("rpc_connections_waiting", waitingConnections, "Connections whose handshake is under way."),
    gauge("rpc_session_calls_in_flight", inFlight, "Calls on their way in either direction."),
    gauge("rpc_session_calls_queued", queued, "Own calls that wait for a connection or for room."),
    gauge("rpc_session_unacknowledged_messages", kept, "Messages kept to be sent again after a cut."),
    gauge("rpc_session_unacknowledged_bytes", keptBytes, "The same in bytes."),
    gauge("rpc_session_unread_bytes", unreadBytes, "Stream items and events that wait for their readers."),
    counter("rpc_session_sent_bytes_total", traffic.sentBytes, "Bytes of messages sent, before compression."),
    counter("rpc_session_received_bytes_total", traffic.receivedBytes, "Bytes of messages received, as they came."),
    counter("rpc_session_sent_messages_total", traffic.sentMessages, "Messages sent."),
    counter("rpc_session_received_messages_total", traffic.receivedMessages, "Messages received."),
  ];
}

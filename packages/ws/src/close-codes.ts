import { RpcError } from "@rpc/core";

/** Close codes of RFC 6455 that this package sends or understands. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  protocol: 1002,
  wrongType: 1003,
  badText: 1007,
  policy: 1008,
  tooLarge: 1009,
} as const;

/** Codes by which the far end says that we broke the protocol: dialing again would break it again. */
const BREACHES: ReadonlySet<number> = new Set([
  CLOSE.protocol,
  CLOSE.wrongType,
  CLOSE.badText,
  CLOSE.policy,
  CLOSE.tooLarge,
]);

/** What the far end's close frame, or the want of one, means. */
export function closedByPeer(remote: string, code: number, text: string): RpcError {
  if (code === 1006 || code === 1005) return peerLost(`${remote} closed the connection`);
  const said = text === "" ? String(code) : `${code} ${JSON.stringify(text)}`;
  if (!BREACHES.has(code)) return peerLost(`${remote} closed the connection: ${said}`);
  return protocolError(`${remote} says that we broke its protocol: ${said}`);
}

/** The code to close with for a reason of this end. */
export function codeOf(reason: RpcError | undefined): number {
  if (reason?.reason === "PROTOCOL") return CLOSE.protocol;
  return reason?.reason === "DRAINING" ? CLOSE.goingAway : CLOSE.normal;
}

/** A reason that fits into a close frame: its word, and no sentence that may say more than a stranger should know (H151). */
export function closeText(reason: RpcError | undefined): string {
  const word = reason?.reason ?? "";
  return /^[\w.-]{1,100}$/.test(word) ? word : "";
}

function peerLost(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "PEER_LOST" });
}

export function closedHere(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "CLOSED" });
}

export function protocolError(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "PROTOCOL" });
}

export function cancelled(signal: AbortSignal): RpcError {
  const reason: unknown = signal.reason;
  if (reason instanceof RpcError) return reason;
  return new RpcError("CANCELLED", "connecting was cancelled", { reason: "CANCELLED", delivered: "no", cause: reason });
}

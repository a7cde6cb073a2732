import { RpcError } from "@rpc/core";
import type { Channel, Clock, Dial } from "@rpc/core/transport";
import { cancelled } from "./close-codes.ts";
import { formatEndpoint, type WsEndpoint } from "./endpoint.ts";

/** One attempt at one endpoint. Rejects with an RpcError; whatever ends it but success leaves no socket and no timer. */
export type Connect = (endpoint: WsEndpoint, timeoutMs: number, signal: AbortSignal) => Promise<Channel>;

interface DialTime {
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
}

/** Connects to the first endpoint that answers, in the order given; each may take its share of the time that is left. */
export async function dialWs(
  endpoints: readonly WsEndpoint[],
  connect: Connect,
  { clock, connectTimeoutMs }: DialTime,
  signal: AbortSignal,
): Promise<Channel> {
  const end = clock.now() + connectTimeoutMs;
  const failures: RpcError[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    if (signal.aborted) throw cancelled(signal);
    try {
      const shareMs = Math.max(0, (end - clock.now()) / (endpoints.length - index));
      return await connect(endpoint, shareMs, signal);
    } catch (thrown) {
      if (signal.aborted) throw cancelled(signal);
      failures.push(RpcError.from(thrown));
    }
  }
  throw allFailed(failures);
}

/**
 * Dials of one transport, each with all endpoints, in a ring. It begins where the last channel led to, because only who is there can
 * have its session; or one behind when that channel was refused, so that an endpoint which takes connections and says nothing does not
 * hide those behind it.
 */
export function dialInTurn(endpoints: readonly WsEndpoint[], connect: Connect, time: DialTime): Dial {
  let reached = 0;
  return async (signal, previous) => {
    const first = previous === "refused" ? reached + 1 : reached;
    const order = endpoints.map((_, index) => endpoints[(first + index) % endpoints.length] as WsEndpoint);
    const channel = await dialWs(order, connect, time, signal);
    const index = order.findIndex((endpoint) => formatEndpoint(endpoint) === channel.remote);
    reached = (first + index) % endpoints.length;
    return channel;
  };
}

/** Only when all failed for the same kind of reason does that reason count; otherwise trying again may help. */
function allFailed(failures: readonly RpcError[]): RpcError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const same = first !== undefined && failures.every((failure) => failure.code === first.code);
  const message = `none of the ${failures.length} endpoints answered: ${failures.map((failure) => failure.message).join("; ")}`;
  return new RpcError(same ? first.code : "UNAVAILABLE", message, {
    reason: first?.reason,
    delivered: "no",
    cause: new AggregateError(failures, message),
  });
}

import { isIP, connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { RpcError } from "@rpc/core";
import type { DialOutcome } from "@rpc/core/transport";
import { TcpChannel } from "./channel.ts";
import { formatEndpoint, type InternetEndpoint, type TcpEndpoint } from "./endpoint.ts";
import type { DialSettings } from "./options.ts";
import { errorFromNode } from "./status.ts";

/**
 * Connects to the first endpoint that answers, in the order given; each may take its share of the time that is left. Rejects
 * CANCELLED when the signal aborts; a channel that got up in the same moment is not left behind.
 */
export async function dialTcp(
  endpoints: readonly TcpEndpoint[],
  settings: DialSettings,
  signal: AbortSignal,
): Promise<TcpChannel> {
  const { clock, connectTimeoutMs } = settings;
  const end = clock.now() + connectTimeoutMs;
  const failures: RpcError[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    try {
      const shareMs = Math.max(0, (end - clock.now()) / (endpoints.length - index));
      return await connect(endpoint, settings, shareMs, signal);
    } catch (thrown) {
      if (signal.aborted) throw cancelled(signal);
      failures.push(errorFromNode(thrown, "dial", formatEndpoint(endpoint)));
    }
  }
  throw allFailed(failures);
}

/**
 * Dials of one transport, each with all endpoints, in a ring. It begins where the last channel led to, because only who is there can
 * have its session; or one behind when that channel was refused, so that an endpoint which takes connections and says nothing does not
 * hide those behind it.
 */
export function dialInTurn(
  endpoints: readonly TcpEndpoint[],
  settings: DialSettings,
): (signal: AbortSignal, previous: DialOutcome) => Promise<TcpChannel> {
  let reached = 0;
  return async (signal, previous) => {
    const first = previous === "refused" ? reached + 1 : reached;
    const order = [...endpoints.slice(first), ...endpoints.slice(0, first)];
    const channel = await dialTcp(order, settings, signal);
    reached = (first + order.findIndex((endpoint) => formatEndpoint(endpoint) === channel.remote)) % endpoints.length;
    return channel;
  };
}

/** One attempt. Whatever ends it but success leaves no socket and no timer. */
function connect(
  endpoint: TcpEndpoint,
  settings: DialSettings,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<TcpChannel> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled(signal));
      return;
    }
    const remote = formatEndpoint(endpoint);
    let socket = openSocket(endpoint, settings);
    let settled = false;

    const settle = (): void => {
      settled = true;
      settings.clock.clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    // Stays a listener afterwards: a socket that was given up may still have an error to tell, and so may the one beneath TLS.
    const fail = (error: Error): void => {
      if (settled) return;
      settle();
      socket.destroy();
      reject(error);
    };
    const succeed = (): void => {
      if (settled) return;
      settle();
      resolve(new TcpChannel(socket, remote, settings));
    };
    const abort = (): void => fail(cancelled(signal));
    const closed = (): void => fail(unavailable(`${remote} closed the connection while it was being made`));
    const late = (): void => fail(unavailable(`${remote} did not answer in ${Math.round(timeoutMs)} ms`));
    const timer = settings.clock.setTimeout(late, timeoutMs);
    signal.addEventListener("abort", abort);

    socket.on("error", fail).on("close", closed);
    socket.once("connect", () => {
      if (endpoint.scheme !== "tcps") {
        succeed();
        return;
      }
      try {
        socket = startTls(socket, endpoint, settings);
      } catch (thrown) {
        fail(
          new RpcError("INVALID_ARGUMENT", `the tls options for ${remote} are not usable: ${String(thrown)}`, {
            cause: thrown,
          }),
        );
        return;
      }
      socket.on("error", fail).on("close", closed);
      socket.once("secureConnect", succeed);
    });
  });
}

function openSocket(endpoint: TcpEndpoint, { keepAliveMs }: DialSettings): Socket {
  if (endpoint.scheme === "unix") return connectSocket({ path: endpoint.path, allowHalfOpen: true });
  return connectSocket({
    host: endpoint.host,
    port: endpoint.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: keepAliveMs > 0,
    keepAliveInitialDelay: keepAliveMs,
  });
}

function startTls(socket: Socket, { host }: InternetEndpoint, { tls }: DialSettings): Socket {
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({ ...tls, socket, host, ...(servername === undefined ? {} : { servername }) });
}

function cancelled(signal: AbortSignal): RpcError {
  const reason: unknown = signal.reason;
  if (reason instanceof RpcError) return reason;
  return new RpcError("CANCELLED", "connecting was cancelled", { reason: "CANCELLED", delivered: "no", cause: reason });
}

function unavailable(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "UNAVAILABLE", delivered: "no" });
}

/** Only when all failed for the same kind of reason does that reason count; otherwise trying again may help. */
function allFailed(failures: readonly RpcError[]): RpcError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const code =
    first !== undefined && failures.every((failure) => failure.code === first.code) ? first.code : "UNAVAILABLE";
  const message = `none of the ${failures.length} endpoints answered: ${failures.map((failure) => failure.message).join("; ")}`;
  return new RpcError(code, message, {
    reason: first?.reason,
    delivered: "no",
    cause: new AggregateError(failures, message),
  });
}

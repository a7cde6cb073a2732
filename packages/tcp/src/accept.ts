import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { RpcError } from "@rpc/core";
import { TcpChannel } from "./channel.ts";
import { formatAddress, formatEndpoint, isLoopback, type TcpEndpoint } from "./endpoint.ts";
import type { ListenSettings } from "./options.ts";
import { bind, bindSocketFile } from "./socket-file.ts";
import { errorFromNode } from "./status.ts";

/** A place where channels come in. */
export interface Acceptor {
  /** What clients dial, with the real port. */
  readonly endpoint: string;
  /** Accepts no more. Channels that are open stay open (C18). Idempotent. */
  stop(): Promise<void>;
}

/**
 * Listens, and hands over each channel that comes in, once its TLS handshake is through. Rejects with a sentence for the user when
 * it cannot listen there, or when that would let strangers in.
 */
export async function acceptTcp(
  endpoint: TcpEndpoint,
  settings: ListenSettings,
  accept: (channel: TcpChannel) => void,
): Promise<Acceptor> {
  refuseExposure(endpoint, settings);
  const server = createSocketServer(endpoint, settings);
  server.maxConnections = settings.maxConnections;
  const entrance = new Entrance(endpoint, settings, accept);
  entrance.watch(server);
  try {
    if (endpoint.scheme === "unix") await bindSocketFile(server, endpoint.path, settings);
    else await bind(server, { host: endpoint.host, port: endpoint.port, backlog: settings.backlog });
  } catch (thrown) {
    throw errorFromNode(thrown, "listen", formatEndpoint(endpoint));
  }
  return {
    endpoint: endpointOf(server, endpoint),
    stop: async () => {
      entrance.close();
      // Its callback is not awaited: Node calls it when the last connection is gone, while the port is free at once.
      if (server.listening) server.close();
    },
  };
}

/** H40: nobody is exposed by forgetting an option, and nobody believes in an encryption that is not there. */
function refuseExposure(endpoint: TcpEndpoint, { tls, allowInsecure, asksForSecret }: ListenSettings): void {
  const text = formatEndpoint(endpoint);
  if (endpoint.scheme === "tcps" && tls === undefined) {
    throw new RpcError("INVALID_ARGUMENT", `${text} needs the option tls with key and cert`, {
      reason: "INVALID_ARGUMENT",
    });
  }
  if (endpoint.scheme !== "tcps" && tls !== undefined) {
    const message = `${text} is not encrypted although the option tls is set; write tcps:// or leave tls out`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  if (endpoint.scheme === "tcp" && !isLoopback(endpoint) && !asksForSecret && !allowInsecure) {
    const message =
      `listening on ${text} would let everybody who can reach it call, unencrypted and without proof of who it is; ` +
      "set secret or secrets, use tcps:// with the option tls, listen on 127.0.0.1, or say allowInsecure: true";
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION" });
  }
}

function createSocketServer(endpoint: TcpEndpoint, { tls, keepAliveMs }: ListenSettings): Server {
  const options = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: keepAliveMs > 0,
    keepAliveInitialDelay: keepAliveMs,
  };
  if (tls === undefined) return createServer(endpoint.scheme === "unix" ? { allowHalfOpen: true } : options);
  try {
    return createTlsServer({ ...tls, ...options });
  } catch (thrown) {
    const message = `the option tls for ${formatEndpoint(endpoint)} is not usable: ${RpcError.from(thrown).message}`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", cause: thrown });
  }
}

function endpointOf(server: Server, endpoint: TcpEndpoint): string {
  const address = server.address();
  if (endpoint.scheme === "unix" || address === null || typeof address === "string") return formatEndpoint(endpoint);
  return formatEndpoint({ ...endpoint, port: address.port });
}

/** What stands between a connection and a channel: the limit, the TLS handshake, and the errors of either. */
class Entrance {
  readonly #endpoint: TcpEndpoint;
  readonly #settings: ListenSettings;
  readonly #accept: (channel: TcpChannel) => void;
  /** TLS handshakes under way, by remote address: Node gives nothing else that both the bare and the encrypted socket have. */
  readonly #handshakes = new Map<string, Handshake>();
  #closed = false;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  constructor(endpoint: TcpEndpoint, settings: ListenSettings, accept: (channel: TcpChannel) => void) {
    this.#endpoint = endpoint;
    this.#settings = settings;
    this.#accept = accept;
  }

  watch(server: Server): void {
    // Out of file handles, say: this connection is lost, the others live on, and Node accepts again by itself (H18).
    server.on("error", (error) => {
      if (server.listening) this.#report(error);
    });
    server.on("drop", () => {
      const message = `${formatEndpoint(this.#endpoint)} refuses connections: there are ${this.#settings.maxConnections} already`;
      this.#report(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxConnections" }));
    });
    if (this.#endpoint.scheme !== "tcps") {
      server.on("connection", (socket: Socket) => this.#admit(socket));
      return;
    }
    server.prependListener("connection", (socket: Socket) => this.#beginHandshake(socket));
    server.on("secureConnection", (socket: Socket) => {
      this.#endHandshake(remoteOf(socket));
      this.#admit(socket);
    });
    server.on("tlsClientError", (error: Error) => {
      const message = `a connection to ${formatEndpoint(this.#endpoint)} failed its TLS handshake: ${error.message}`;
      this.#report(new RpcError("UNAUTHENTICATED", message, { reason: "TLS", cause: error }));
    });
  }

  close(): void {
    this.#closed = true;
    for (const { socket } of this.#handshakes.values()) socket.destroy();
  }

  #admit(socket: Socket): void {
    const { scheme } = this.#endpoint;
    const remote = scheme === "unix" ? formatEndpoint(this.#endpoint) : `${scheme}://${remoteOf(socket)}`;
    const channel = new TcpChannel(socket, remote, this.#settings);
    if (this.#closed) channel.destroy();
    else this.#accept(channel);
  }

  #beginHandshake(socket: Socket): void {
    const remote = remoteOf(socket);
    const { clock, handshakeTimeoutMs } = this.#settings;
    this.#endHandshake(remote);
    this.#handshakes.set(remote, { socket, timer: clock.setTimeout(() => socket.destroy(), handshakeTimeoutMs) });
    socket.once("close", () => {
      if (this.#handshakes.get(remote)?.socket === socket) this.#endHandshake(remote);
    });
  }

  #endHandshake(remote: string): void {
    const handshake = this.#handshakes.get(remote);
    if (handshake === undefined) return;
    this.#handshakes.delete(remote);
    this.#settings.clock.clearTimeout(handshake.timer);
  }

  /** At most one report per second: a peer must not fill the log. */
  #report(error: Error): void {
    const now = this.#settings.clock.now();
    if (now - this.#reportedAt < 1_000) {
      this.#unreported++;
      return;
    }
    const rpcError = errorFromNode(error, "listen", formatEndpoint(this.#endpoint));
    const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more since the last report)`;
    this.#reportedAt = now;
    this.#unreported = 0;
    this.#settings.onError(
      more === ""
        ? rpcError
        : new RpcError(rpcError.code, rpcError.message + more, { reason: rpcError.reason, cause: error }),
    );
  }
}

interface Handshake {
  readonly socket: Socket;
  readonly timer: unknown;
}

/** The other end as `host:port`; "?" when it has gone already. */
function remoteOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined || remotePort === undefined ? "?" : formatAddress(remoteAddress, remotePort);
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { RpcError } from "@rpc/core";
import { formatAddress, formatEndpoint, isLoopbackHost, type WsEndpoint } from "../endpoint.ts";
import type { ListenSettings } from "./options.ts";
import { Reports } from "./reports.ts";
import { errorFromNode } from "./status.ts";
import { type AcceptChannel, Upgrades } from "./upgrades.ts";

/** A place where channels come in. */
export interface Acceptor {
  /** What clients dial, with the real port. */
  readonly endpoint: string;
  /** Accepts no more. Channels that are open stay open (C18). Idempotent. */
  stop(): Promise<void>;
}

/**
 * Listens with a server of its own, and hands over each channel that comes in. Rejects with a sentence for the user when it cannot listen
 * there, or when that would let strangers in.
 */
export async function acceptWs(
  endpoint: WsEndpoint,
  settings: ListenSettings,
  accept: AcceptChannel,
): Promise<Acceptor> {
  checkTls(endpoint, settings);
  refuseExposure(formatEndpoint(endpoint), endpoint.scheme === "wss", endpoint.host, settings);
  const reports = new Reports(formatEndpoint(endpoint), settings.clock, settings.onError);
  const upgrades = new Upgrades(endpoint.path, settings, reports, accept);
  const entrance = new Entrance(endpoint, settings, reports);
  const server = createHttpServer(endpoint, settings);
  entrance.watch(server);
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    entrance.passed(socket as Socket);
    upgrades.handle(request, socket as Socket, head);
  });
  try {
    await bind(server, endpoint, settings.backlog);
  } catch (thrown) {
    throw errorFromNode(thrown, "listen", formatEndpoint(endpoint));
  }
  const address = server.address();
  const port = address === null || typeof address === "string" ? endpoint.port : address.port;
  return {
    endpoint: formatEndpoint({ ...endpoint, port }),
    stop: async () => {
      upgrades.close();
      entrance.close();
      // Its callback is not awaited: Node calls it when the last connection is gone, while the port is free at once.
      if (server.listening) server.close();
    },
  };
}

/** Takes the upgrades of one path from a server that belongs to somebody else and listens already. */
export function attachWs(
  server: Server,
  path: string,
  endpoint: string | undefined,
  settings: ListenSettings,
  accept: AcceptChannel,
): Acceptor {
  const address = server.address();
  if (address === null || typeof address === "string")
    throw precondition("the option server has no port: call its listen and wait for it before serveWs");
  if (settings.tls !== undefined) throw invalid("the option tls belongs to a server of our own; this one has its own");
  if (!path.startsWith("/") || /[?#]/.test(path))
    throw invalid(`option path must begin with a slash and hold no query, got ${JSON.stringify(path)}`);
  const scheme = "setSecureContext" in server ? "wss" : "ws";
  const host = ANY_ADDRESS.test(address.address) ? "localhost" : address.address;
  const own = formatEndpoint({ scheme, host, port: address.port, path });
  refuseExposure(
    `${scheme}://${formatAddress(address.address, address.port)}`,
    scheme === "wss",
    address.address,
    settings,
  );
  const taken = attached.get(server) ?? new Set();
  if (taken.has(path))
    throw new RpcError("ALREADY_EXISTS", `a listener takes the upgrades of ${own} already`, {
      reason: "ALREADY_EXISTS",
    });
  attached.set(server, taken.add(path));
  const upgrades = new Upgrades(path, settings, new Reports(own, settings.clock, settings.onError), accept);
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Others serve other paths; when there is nobody else, somebody has to answer.
    if (upgrades.isOurs(request) || server.listenerCount("upgrade") === 1)
      upgrades.handle(request, socket as Socket, head);
  };
  server.on("upgrade", upgrade);
  return {
    endpoint: endpoint ?? own,
    stop: async () => {
      upgrades.close();
      server.off("upgrade", upgrade);
      taken.delete(path);
    },
  };
}

/** Paths of servers of others that are taken. */
const attached = new WeakMap<Server, Set<string>>();

const ANY_ADDRESS = /^(0\.0\.0\.0|::)$/;

function checkTls(endpoint: WsEndpoint, { tls }: ListenSettings): void {
  const text = formatEndpoint(endpoint);
  if (endpoint.scheme === "wss" && tls === undefined) throw invalid(`${text} needs the option tls with key and cert`);
  if (endpoint.scheme === "ws" && tls !== undefined)
    throw invalid(`${text} is not encrypted although the option tls is set; write wss:// or leave tls out`);
}

/** H40: nobody is exposed by forgetting an option. */
function refuseExposure(text: string, secure: boolean, host: string, settings: ListenSettings): void {
  if (secure || isLoopbackHost(host) || settings.asksForSecret || settings.allowInsecure) return;
  throw precondition(
    `listening on ${text} would let everybody who can reach it call, unencrypted and without proof of who it is; ` +
      "set secret or secrets, use wss:// with the option tls, listen on 127.0.0.1, or say allowInsecure: true",
  );
}

function createHttpServer(endpoint: WsEndpoint, { tls, maxConnections }: ListenSettings): Server {
  const answer = (_request: IncomingMessage, response: ServerResponse): void => {
    const headers = { "content-type": "text/plain", connection: "close", upgrade: "websocket" };
    response.writeHead(426, headers).end("this server speaks WebSocket");
  };
  let server: Server;
  try {
    server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  } catch (thrown) {
    throw invalid(`the option tls for ${formatEndpoint(endpoint)} is not usable: ${RpcError.from(thrown).message}`);
  }
  server.maxConnections = maxConnections;
  return server;
}

function bind(server: Server, { host, port }: WsEndpoint, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** What stands between a connection and its upgrade: the limit, the time it may take, and the errors of both. */
class Entrance {
  readonly #endpoint: WsEndpoint;
  readonly #settings: ListenSettings;
  /** Connections without an upgrade, by remote address: Node gives nothing else that both the bare and the encrypted socket have. */
  readonly #waiting = new Map<string, { readonly socket: Socket; readonly timer: unknown }>();
  readonly #reports: Reports;

  constructor(endpoint: WsEndpoint, settings: ListenSettings, reports: Reports) {
    this.#endpoint = endpoint;
    this.#settings = settings;
    this.#reports = reports;
  }

  watch(server: Server): void {
    // Out of file handles, say: this connection is lost, the others live on, and Node accepts again by itself (H18).
    server.on("error", (error) => {
      if (server.listening) this.#reports.add(error);
    });
    server.on("drop", () => {
      const message = `${formatEndpoint(this.#endpoint)} refuses connections: there are ${this.#settings.maxConnections} already`;
      this.#reports.add(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxConnections" }));
    });
    server.on("connection", (socket: Socket) => this.#arrived(socket));
    server.on("tlsClientError", (error: Error) => {
      const message = `a connection to ${formatEndpoint(this.#endpoint)} failed its TLS handshake: ${error.message}`;
      this.#reports.add(new RpcError("UNAUTHENTICATED", message, { reason: "TLS", cause: error }));
    });
  }

  close(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
  }

  passed(socket: Socket): void {
    this.#forget(keyOf(socket));
  }

  #arrived(socket: Socket): void {
    const key = keyOf(socket);
    const { clock, handshakeTimeoutMs } = this.#settings;
    this.#forget(key);
    this.#waiting.set(key, { socket, timer: clock.setTimeout(() => socket.destroy(), handshakeTimeoutMs) });
    socket.once("close", () => {
      if (this.#waiting.get(key)?.socket === socket) this.#forget(key);
    });
  }

  #forget(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#settings.clock.clearTimeout(waiting.timer);
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

function precondition(message: string): RpcError {
  return new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION" });
}

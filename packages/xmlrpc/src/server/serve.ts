import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import {
  type Capabilities,
  type CloseOptions,
  type Listener,
  type ListenerEvents,
  type MetricsSource,
  type Peers,
  RpcError,
} from "@rpc/core";
import { capabilitiesOf } from "../capabilities.ts";
import { wholeNumber } from "../errors.ts";
import { BodyDeadlines } from "../http/body-deadlines.ts";
import { nodeAdapter } from "../http/node-adapter.ts";
import type { Desk } from "./desk.ts";
import { formatAddress, isLoopback, type ListenAddress, listenAddress } from "./listen-address.ts";
import { NO_PEERS } from "./no-peers.ts";
import { openDesk, type Served } from "./open-desk.ts";
import { DEFAULT_LISTEN_ENDPOINT, handlerSettings, type XmlRpcListenerOptions } from "./options.ts";

/**
 * Serves a handler, or databases, over XML-RPC and JSON-RPC 2.0 and resolves when it listens. With neither TLS nor `authenticate` only this
 * machine can connect, unless `allowInsecure` is set; another address is refused FAILED_PRECONDITION. An address that is taken is refused
 * ALREADY_EXISTS. Nobody can be called back over HTTP: `peers` is always empty.
 */
export async function serveXmlRpc(
  served: Served,
  options: XmlRpcListenerOptions = {},
): Promise<Listener & MetricsSource> {
  const address = listenAddress(options.endpoint ?? DEFAULT_LISTEN_ENDPOINT);
  refuseExposure(address, options);
  const settings = handlerSettings(options);
  const emitter = new RefusalEmitter(settings.onError);
  const desk = openDesk(served, { ...options, path: address.path }, settings, (endpoint, error) =>
    emitter.emit(endpoint, error),
  );
  const deadlines = new BodyDeadlines(settings.clock, settings.bodyTimeoutMs);
  const server = createHttpServer(address, options, settings.bodyTimeoutMs);
  const answer = nodeAdapter({ desk, deadlines, compression: options.compression ?? true });
  server.on("request", (request, response) => answer(request, response));
  // A client that asks first is told no before it has sent its body.
  server.on("checkContinue", (request, response) => answer(request, response, true));
  try {
    await listen(server, address);
  } catch (thrown) {
    throw listenError(thrown, address);
  }
  server.on("error", (error) => settings.onError(RpcError.from(error)));
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  return new HttpListener(
    formatAddress({ ...address, port }),
    capabilitiesOf(options.compression ?? true),
    server,
    desk,
    deadlines,
    emitter,
  );
}

class HttpListener implements Listener, MetricsSource {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly #server: Server;
  readonly #desk: Desk;
  readonly #deadlines: BodyDeadlines;
  readonly #emitter: RefusalEmitter;
  #closing: Promise<void> | undefined = undefined;

  constructor(
    endpoint: string,
    capabilities: Capabilities,
    server: Server,
    desk: Desk,
    deadlines: BodyDeadlines,
    emitter: RefusalEmitter,
  ) {
    this.endpoint = endpoint;
    this.capabilities = capabilities;
    this.#server = server;
    this.#desk = desk;
    this.#deadlines = deadlines;
    this.#emitter = emitter;
  }

  get peers(): Peers {
    return NO_PEERS;
  }

  read(): ReturnType<MetricsSource["read"]> {
    return [{ name: "rpc_http_calls_in_flight", value: this.#desk.callsInFlight, labels: { endpoint: this.endpoint } }];
  }

  on<Name extends keyof ListenerEvents>(event: Name, listen: (...values: ListenerEvents[Name]) => void): () => void {
    // Clients come and go with their requests; only that one was refused is news.
    if (event !== "client-refused") return () => undefined;
    return this.#emitter.on(listen as (...values: ListenerEvents["client-refused"]) => void);
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close({ drainMs = 0 }: CloseOptions): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#desk.close(drainMs);
    this.#deadlines.close();
    // The last replies are on their way: they end their connections themselves, and whatever does not is cut in the next turn.
    this.#server.closeIdleConnections();
    await new Promise((resolve) => setImmediate(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** The one event of this listener. */
class RefusalEmitter {
  readonly #listeners = new Set<(...values: ListenerEvents["client-refused"]) => void>();
  readonly #report: (error: RpcError) => void;

  constructor(report: (error: RpcError) => void) {
    this.#report = report;
  }

  on(listen: (...values: ListenerEvents["client-refused"]) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  emit(...values: ListenerEvents["client-refused"]): void {
    for (const listen of this.#listeners) {
      try {
        listen(...values);
      } catch (thrown) {
        this.#report(RpcError.from(thrown));
      }
    }
  }
}

/** Nobody is exposed by forgetting an option, and nobody believes in an encryption that is not there. */
function refuseExposure(address: ListenAddress, options: XmlRpcListenerOptions): void {
  const { tls, authenticate, allowInsecure = false, onWarning } = options;
  const text = formatAddress(address);
  if (address.scheme === "https") {
    if (tls === undefined) throw wrongOption(`${text} needs the option tls with key and cert`);
    return;
  }
  if (tls !== undefined)
    throw wrongOption(`${text} is not encrypted although the option tls is set; write https:// or leave tls out`);
  if (isLoopback(address) || allowInsecure) return;
  if (authenticate === undefined) {
    const message =
      `listening on ${text} would let everybody who can reach it call, unencrypted and without proof of who it is; ` +
      "set authenticate, use https:// with the option tls, listen on 127.0.0.1, or say allowInsecure: true";
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION" });
  }
  const warning = `${text} takes passwords over plain HTTP; use https://, or a TLS terminator in front of 127.0.0.1`;
  (onWarning ?? ((message) => process.emitWarning(message)))(warning);
}

function createHttpServer({ scheme }: ListenAddress, options: XmlRpcListenerOptions, bodyTimeoutMs: number): Server {
  const headersTimeout = wholeNumber("headersTimeoutMs", options.headersTimeoutMs, 10_000);
  const settings = {
    headersTimeout,
    // Behind the desk's own, which knows more about what to say.
    requestTimeout: headersTimeout + bodyTimeoutMs + 5_000,
    keepAliveTimeout: wholeNumber("idleTimeoutMs", options.idleTimeoutMs, 60_000),
    connectionsCheckingInterval: Math.max(1, Math.min(1_000, headersTimeout)),
    noDelay: true,
  };
  let server: Server;
  try {
    server = scheme === "http" ? createServer(settings) : createTlsServer({ ...options.tls, ...settings });
  } catch (thrown) {
    throw wrongOption(`the option tls is not usable: ${RpcError.from(thrown).message}`, thrown);
  }
  server.maxConnections = wholeNumber("maxConnections", options.maxConnections, 10_000);
  // All of them reach the desk, which refuses a flood; by default Node drops what is beyond 2,000 without a word.
  server.maxHeadersCount = 0;
  return server;
}

function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

const LISTEN_CODES: Readonly<Record<string, "ALREADY_EXISTS" | "PERMISSION_DENIED" | "NOT_FOUND">> = {
  EADDRINUSE: "ALREADY_EXISTS",
  EACCES: "PERMISSION_DENIED",
  EADDRNOTAVAIL: "NOT_FOUND",
  ENOTFOUND: "NOT_FOUND",
};

function listenError(thrown: unknown, address: ListenAddress): RpcError {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
  const status = LISTEN_CODES[code] ?? "UNAVAILABLE";
  const message = `cannot listen on ${formatAddress(address)}: ${RpcError.from(thrown).message}`;
  return new RpcError(status, message, { reason: code === "" ? status : code, cause: thrown });
}

function wrongOption(message: string, cause?: unknown): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", cause });
}

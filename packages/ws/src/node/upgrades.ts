import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { RpcError } from "@rpc/core";
import type { EnvelopeCodec } from "@rpc/core/transport";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { formatAddress } from "../endpoint.ts";
import { isBinary, subprotocolOf } from "../subprotocol.ts";
import { WsChannel } from "./channel.ts";
import type { ListenSettings } from "./options.ts";
import { mayConnect } from "./origin.ts";
import type { Reports } from "./reports.ts";
import { wsLimits } from "./ws-options.ts";

/** Takes a channel, and how its envelopes are written. */
export type AcceptChannel = (channel: WsChannel, codec: EnvelopeCodec) => void;

/** Turns upgrade requests of an HTTP server into channels, or refuses them with a sentence. */
export class Upgrades {
  readonly #settings: ListenSettings;
  readonly #reports: Reports;
  readonly #path: string;
  readonly #accept: AcceptChannel;
  readonly #server: WebSocketServer;
  #connections = 0;
  #closed = false;

  constructor(path: string, settings: ListenSettings, reports: Reports, accept: AcceptChannel) {
    this.#settings = settings;
    this.#reports = reports;
    this.#path = path;
    this.#accept = accept;
    const options: ServerOptions = {
      ...wsLimits(settings),
      noServer: true,
      clientTracking: false,
      handleProtocols: (offered) => this.#chosen(offered) ?? false,
    };
    this.#server = new WebSocketServer(options);
  }

  /** Whether the request is for this path; a query changes nothing. */
  isOurs(request: IncomingMessage): boolean {
    return request.url?.split("?", 1)[0] === this.#path;
  }

  handle(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const refused = this.#refusalOf(request);
    if (refused !== undefined) return refuse(socket, ...refused);
    try {
      this.#server.handleUpgrade(request, socket, head, (ws) => this.#admit(ws, socket));
    } catch (thrown) {
      // Somebody else took it first: a program that has two of them for one path must not end by its first visitor.
      this.#reports.add(RpcError.from(thrown));
    }
  }

  close(): void {
    this.#closed = true;
  }

  #refusalOf(request: IncomingMessage): readonly [status: number, sentence: string] | undefined {
    const { codecs, origins, maxConnections } = this.#settings;
    if (this.#closed) return [503, "this server is closing"];
    if (!this.isOurs(request)) return [404, "nothing is served at this path"];
    if (!mayConnect(request, origins)) {
      const { origin } = request.headers;
      const message = `a page of ${JSON.stringify(origin?.slice(0, 200))} was refused: its origin is not among the option origins, or of another host`;
      this.#reports.add(new RpcError("PERMISSION_DENIED", message, { reason: "ORIGIN" }));
      return [403, "pages of this origin may not connect; see the option origins of the server"];
    }
    const header = request.headers["sec-websocket-protocol"] ?? "";
    if (header.length > MOST_PROTOCOL_CHARACTERS) return [400, "too many subprotocols"];
    if (this.#chosen(new Set(header.split(",").map((word) => word.trim()))) === undefined)
      return [400, `the subprotocol must be ${codecs.map(subprotocolOf).join(" or ")}`];
    if (this.#connections < maxConnections) return undefined;
    this.#reports.add(
      new RpcError("RESOURCE_EXHAUSTED", `connections are refused: there are ${maxConnections} already`, {
        reason: "maxConnections",
      }),
    );
    return [503, "there are too many connections already"];
  }

  /** The client's order counts. */
  #chosen(offered: ReadonlySet<string>): string | undefined {
    const served = this.#settings.codecs.map(subprotocolOf);
    for (const word of offered) if (served.includes(word)) return word;
    return undefined;
  }

  #admit(ws: WebSocket, socket: Socket): void {
    const { codecs, deflateFromBytes } = this.#settings;
    const codec = codecs.find((each) => subprotocolOf(each) === ws.protocol);
    if (codec === undefined) return ws.terminate();
    this.#connections++;
    ws.once("close", () => this.#connections--);
    const deflates = ws.extensions.includes("permessage-deflate");
    const link = { ws, socket, remote: remoteOf(socket), binary: isBinary(codec), masks: false };
    const channel = new WsChannel(
      { ...link, deflateFromBytes: deflates ? deflateFromBytes : undefined },
      this.#settings,
    );
    if (this.#closed) channel.destroy();
    else this.#accept(channel, codec);
  }
}

const MOST_PROTOCOL_CHARACTERS = 1024;

/** Answers an upgrade that is not wanted, and ends the connection. */
function refuse(socket: Socket, status: number, sentence: string): void {
  socket.on("error", () => undefined);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(sentence)}\r\n\r\n${sentence}`,
    () => socket.destroy(),
  );
}

/** The other end as an endpoint; "?" when it has gone already. */
function remoteOf(socket: Socket): string {
  const scheme = socket instanceof TLSSocket ? "wss" : "ws";
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return `${scheme}://?`;
  return `${scheme}://${formatAddress(remoteAddress, remotePort)}`;
}

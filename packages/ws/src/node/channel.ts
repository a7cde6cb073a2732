import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { RpcError } from "@rpc/core";
import type { Channel, ChannelSecurity, ChannelSink } from "@rpc/core/transport";
import type { WebSocket } from "ws";
import { CLOSE, closedByPeer, closedHere, closeText, codeOf, protocolError } from "../close-codes.ts";
import type { ChannelSettings } from "../options.ts";
import { HandshakeGuard } from "./handshake-guard.ts";
import { PingAllowance } from "./ping-allowance.ts";
import { errorFromNode } from "./status.ts";
import { FrameBatch } from "./frame-batch.ts";

/** What belongs to one connection, beside what all of them have in common. */
export interface WsLink {
  readonly ws: WebSocket;
  /** The connection beneath `ws`. */
  readonly socket: Socket;
  readonly remote: string;
  /** Messages are bytes, or else text. */
  readonly binary: boolean;
  /** A dialing end masks what it sends. */
  readonly masks: boolean;
  /** permessage-deflate was agreed; messages from so many bytes on are compressed. */
  readonly deflateFromBytes: number | undefined;
}

/**
 * A channel over an open WebSocket of `ws`, which it owns from here on. Frames that come in, control frames and the closing handshake are the
 * business of `ws`; outgoing messages are framed here, so that what one tick sends leaves in one write. With permessage-deflate `ws`
 * sends them as well.
 */
export class WsChannel implements Channel {
  readonly remote: string;
  readonly security: ChannelSecurity;

  readonly #link: WsLink;
  readonly #settings: ChannelSettings;
  readonly #batch: FrameBatch;
  #sink: ChannelSink | undefined = undefined;
  #state: "open" | "closing" | "closed" = "open";
  /** Why this end closed, or what was wrong with the far end; the socket's own error counts only without it. */
  #reason: RpcError | undefined = undefined;
  #error: unknown = undefined;
  #told = false;

  #flushScheduled = false;
  /** The wire takes no more; `send` says so. */
  #full = false;
  /** A `send` has returned false and waits for `drained`. */
  #senderWaits = false;
  #awaitsDrain = false;

  #paused = false;
  /** Messages of a chunk that was read before reading stopped. */
  #held: Uint8Array[] = [];
  #limitBytes: number;
  #guard: HandshakeGuard | undefined = undefined;
  #pings: PingAllowance | undefined = undefined;
  #closeTimer: unknown = undefined;

  constructor(link: WsLink, settings: ChannelSettings) {
    const { ws, socket } = link;
    this.remote = link.remote;
    this.security = securityOf(socket);
    this.#link = link;
    this.#settings = settings;
    this.#batch = new FrameBatch(link.binary, link.masks);
    this.#limitBytes = settings.maxMessageBytes;
    // Nothing is read before somebody listens.
    ws.pause();
    socket.on("error", (error: Error) => (this.#error ??= error));
    ws.on("error", (error: Error) => this.#fail(undefined, `${this.remote}: ${error.message}`));
    ws.on("message", (data: Buffer, binary: boolean) => this.#receive(data, binary));
    ws.on("ping", (data: Buffer) => this.#answerPing(data));
    ws.on("close", (code: number, text: Buffer) => {
      if (this.#error === undefined) this.#reason ??= closedByPeer(this.remote, code, text.toString());
      this.#reportClosed();
    });
  }

  open(sink: ChannelSink): void {
    this.#sink = sink;
    if (this.#state === "closed") process.nextTick(() => this.#tellClosed());
    else if (!this.#paused) this.#link.ws.resume();
  }

  send(message: Uint8Array, transfer = false): boolean {
    if (this.#state !== "open") return false;
    if (this.#link.deflateFromBytes !== undefined) return this.#sendDeflated(message, this.#link.deflateFromBytes);
    const { socket } = this.#link;
    this.#batch.add(message, transfer);
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      process.nextTick(WsChannel.#flushTick, this);
    }
    if (this.#batch.bytes >= EARLY_BYTES && socket.writableLength === 0) this.#flush();
    if (this.#batch.bytes >= FULL_BYTES) this.#full = true;
    if (this.#full) this.#senderWaits = true;
    return !this.#full;
  }

  close(reason?: RpcError): void {
    if (this.#state !== "open") return;
    this.#reason = reason ?? closedHere(`the channel to ${this.remote} was closed here`);
    this.#batch.flush(this.#link.socket);
    this.#beginClose(codeOf(reason), closeText(reason));
  }

  destroy(reason?: RpcError): void {
    if (this.#state === "closed") return;
    this.#state = "closing";
    this.#reason ??= reason ?? closedHere(`the channel to ${this.remote} was cut here`);
    this.#batch.drop();
    this.#stopTimer();
    this.#link.ws.terminate();
  }

  pause(): void {
    if (this.#paused || this.#state !== "open") return;
    this.#paused = true;
    if (this.#sink !== undefined) this.#link.ws.pause();
  }

  resume(): void {
    if (!this.#paused || this.#state !== "open") return;
    this.#paused = false;
    if (this.#sink === undefined) return;
    if (this.#held.length > 0) process.nextTick(() => this.#release());
    else this.#link.ws.resume();
  }

  limitMessageBytes(maxMessageBytes: number): void {
    this.#limitBytes = maxMessageBytes;
    this.#guard?.stop();
    // `ws` knows the larger limit alone, and would collect up to that for somebody whom nobody knows yet (H21).
    if (maxMessageBytes >= this.#settings.maxMessageBytes) this.#guard = undefined;
    else
      this.#guard = new HandshakeGuard(this.#link.socket, maxMessageBytes, () =>
        this.#fail(CLOSE.tooLarge, `${this.remote}: a message of more than ${maxMessageBytes} bytes`),
      );
  }

  // Static, so that scheduling costs no closure for each tick.
  static #flushTick(this: void, channel: WsChannel): void {
    channel.#flushScheduled = false;
    if (channel.#state !== "open") return;
    channel.#flush();
    if (!channel.#full) channel.#reportRoom();
  }

  #flush(): void {
    const { socket } = this.#link;
    this.#batch.flush(socket);
    this.#full = socket.writableNeedDrain;
    if (!this.#full || this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    socket.once("drain", () => {
      this.#awaitsDrain = false;
      this.#full = this.#batch.bytes >= FULL_BYTES;
      if (!this.#full) this.#reportRoom();
    });
  }

  /** Compression takes its time, so the bytes are copied whoever owns them. */
  #sendDeflated(message: Uint8Array, fromBytes: number): boolean {
    const { ws, binary } = this.#link;
    ws.send(new Uint8Array(message), { binary, compress: message.length >= fromBytes }, () => {
      if (!this.#senderWaits || ws.bufferedAmount >= FULL_BYTES) return;
      this.#full = false;
      this.#reportRoom();
    });
    this.#full = ws.bufferedAmount >= FULL_BYTES;
    if (this.#full) this.#senderWaits = true;
    return !this.#full;
  }

  #reportRoom(): void {
    if (!this.#senderWaits || this.#state !== "open") return;
    this.#senderWaits = false;
    this.#sink?.drained();
  }

  #receive(message: Buffer, binary: boolean): void {
    if (this.#state !== "open") return;
    this.#guard?.messageEnded();
    if (binary !== this.#link.binary) {
      const [got, wanted] = binary ? ["bytes", "text"] : ["text", "bytes"];
      return this.#fail(CLOSE.wrongType, `${this.remote} sent ${got} where ${wanted} was agreed`);
    }
    if (message.length > this.#limitBytes) {
      const what = `a message of ${message.length} bytes, and the limit is ${this.#limitBytes}`;
      return this.#fail(CLOSE.tooLarge, `${this.remote}: ${what}`);
    }
    if (this.#paused) this.#held.push(message);
    else this.#sink?.message(message);
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const [i, message] of held.entries()) {
      if (this.#state !== "open") return;
      if (this.#paused) {
        this.#held = held.slice(i);
        return;
      }
      this.#sink?.message(message);
    }
    if (!this.#paused && this.#state === "open") this.#link.ws.resume();
  }

  #answerPing(data: Buffer): void {
    if (this.#state !== "open") return;
    this.#pings ??= new PingAllowance(this.#settings.clock);
    if (this.#pings.spend()) this.#link.ws.pong(data);
    else this.#fail(CLOSE.policy, `${this.remote} sent more pings than any proxy needs`);
  }

  /** The far end broke the rules: it is told by a close frame, and this end has nothing more to do with it. */
  #fail(code: number | undefined, message: string): void {
    if (this.#state !== "open") return;
    this.#reason = protocolError(message);
    this.#batch.drop();
    this.#beginClose(code, "");
    process.nextTick(() => this.#reportClosed());
  }

  /** Without a code `ws` has begun to close by itself. */
  #beginClose(code: number | undefined, text: string): void {
    const { ws } = this.#link;
    this.#state = "closing";
    this.#guard?.stop();
    this.#held = [];
    if (code !== undefined) ws.close(code, text);
    // The far end's close frame stands behind what it has sent: all of that is read and thrown away.
    ws.resume();
    this.#stopTimer();
    this.#closeTimer = this.#settings.clock.setTimeout(() => ws.terminate(), this.#settings.closeTimeoutMs);
    ws.once("close", () => this.#stopTimer());
  }

  #stopTimer(): void {
    if (this.#closeTimer !== undefined) this.#settings.clock.clearTimeout(this.#closeTimer);
    this.#closeTimer = undefined;
  }

  #reportClosed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#guard?.stop();
    this.#batch.drop();
    this.#tellClosed();
  }

  #tellClosed(): void {
    const sink = this.#sink;
    if (sink === undefined || this.#told) return;
    this.#told = true;
    this.#reason ??=
      this.#error === undefined
        ? closedByPeer(this.remote, 1006, "")
        : errorFromNode(this.#error, "exchange", this.remote);
    sink.closed(this.#reason);
  }
}

/** From here on a tick's messages do not wait for its end, so that the far end works on the first of them while this one makes the rest. */
const EARLY_BYTES = 4 * 1024;

/** With more waiting than this, `send` returns false. */
const FULL_BYTES = 64 * 1024;

const PLAIN: ChannelSecurity = Object.freeze({ kind: "plain" });

function securityOf(socket: Socket): ChannelSecurity {
  if (!(socket instanceof TLSSocket)) return PLAIN;
  // A certificate that was shown but not verified (`rejectUnauthorized: false`) proves nothing.
  const subject = socket.authorized ? socket.getPeerX509Certificate()?.subject : undefined;
  // Before TLS 1.3 the exporter is unique to the connection only with an extension of which Node does not tell whether it is in use (RFC 9266 §4).
  const binding = socket.getProtocol() === "TLSv1.3" ? (): Uint8Array => exported(socket) : undefined;
  return { kind: "encrypted", certificateSubject: subject?.replaceAll("\n", ", "), binding };
}

/** RFC 9266: 32 bytes that only the two ends of this very connection know. */
function exported(socket: TLSSocket): Uint8Array {
  return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
}

import type { RpcError } from "@rpc/core";
import type { Channel, ChannelSecurity, ChannelSink } from "@rpc/core/transport";
import { closedByPeer, closedHere, closeText, protocolError } from "../close-codes.ts";
import type { ChannelSettings } from "../options.ts";

/**
 * A channel over an open WebSocket of the platform, which it owns from here on. That class can neither stop reading nor tell when there is
 * room again: so this channel has no `pause`, and looks at `bufferedAmount` while a sender waits.
 */
export class BrowserChannel implements Channel {
  readonly remote: string;
  readonly security: ChannelSecurity;
  readonly #socket: WebSocket;
  readonly #binary: boolean;
  readonly #settings: ChannelSettings;
  #sink: ChannelSink | undefined = undefined;
  #state: "open" | "closing" | "closed" = "open";
  #reason: RpcError | undefined = undefined;
  /** The sink knows of the end. */
  #told = false;
  /** What came before somebody listened. */
  #early: Uint8Array[] = [];
  #roomTimer: ReturnType<typeof setTimeout> | undefined = undefined;
  #closeTimer: unknown = undefined;

  constructor(socket: WebSocket, remote: string, binary: boolean, settings: ChannelSettings) {
    this.remote = remote;
    this.security = { kind: remote.startsWith("wss:") ? "encrypted" : "plain" };
    this.#socket = socket;
    this.#binary = binary;
    this.#settings = settings;
    socket.binaryType = "arraybuffer";
    // Properties instead of listeners: those of the dial are replaced.
    socket.onopen = null;
    socket.onerror = null;
    socket.onmessage = ({ data }: { readonly data: unknown }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      this.#reason ??= closedByPeer(this.remote, code, reason);
      this.#reportClosed();
    };
  }

  open(sink: ChannelSink): void {
    this.#sink = sink;
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = [];
      for (const message of early) sink.message(message);
      if (this.#state === "closed") this.#tellClosed();
    });
  }

  send(message: Uint8Array): boolean {
    if (this.#state !== "open") return false;
    // The platform copies before it returns.
    this.#socket.send(this.#binary ? message : decoder.decode(message));
    if (this.#socket.bufferedAmount < FULL_BYTES) return true;
    if (this.#roomTimer === undefined) this.#awaitRoom();
    return false;
  }

  close(reason?: RpcError): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#reason = reason ?? closedHere(`the channel to ${this.remote} was closed here`);
    this.#stopTimers();
    this.#socket.close(1000, closeText(reason));
    // Browsers wait long for the far end's answer, and have no way to cut the connection.
    this.#closeTimer = this.#settings.clock.setTimeout(() => this.#reportClosed(), this.#settings.closeTimeoutMs);
  }

  destroy(reason?: RpcError): void {
    if (this.#state === "closed") return;
    this.#reason ??= reason ?? closedHere(`the channel to ${this.remote} was cut here`);
    this.#state = "closing";
    this.#socket.close();
    queueMicrotask(() => this.#reportClosed());
  }

  #receive(data: unknown): void {
    if (this.#state !== "open") return;
    const isText = typeof data === "string";
    if (isText === this.#binary) {
      // Code 1003 belongs to the browser; 4003 is the application's word for it.
      const got = isText ? "text" : "bytes";
      this.#reason = protocolError(`${this.remote} sent ${got}, and the other was agreed`);
      this.#state = "closing";
      this.#socket.close(4003);
      this.#reportClosed();
      return;
    }
    const message = isText ? encoder.encode(data) : new Uint8Array(data as ArrayBuffer);
    if (this.#sink === undefined || this.#early.length > 0) this.#early.push(message);
    else this.#sink.message(message);
  }

  #awaitRoom(): void {
    // The platform's own time: it is the platform that empties the buffer.
    this.#roomTimer = setTimeout(() => {
      this.#roomTimer = undefined;
      if (this.#state !== "open") return;
      if (this.#socket.bufferedAmount >= FULL_BYTES) this.#awaitRoom();
      else this.#sink?.drained();
    }, LOOK_AGAIN_MS);
  }

  #stopTimers(): void {
    clearTimeout(this.#roomTimer);
    if (this.#closeTimer !== undefined) this.#settings.clock.clearTimeout(this.#closeTimer);
    this.#roomTimer = undefined;
    this.#closeTimer = undefined;
  }

  #reportClosed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopTimers();
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#tellClosed();
  }

  #tellClosed(): void {
    const sink = this.#sink;
    if (sink === undefined || this.#told) return;
    this.#told = true;
    sink.closed(this.#closeReason());
  }

  #closeReason(): RpcError {
    return this.#reason ?? closedByPeer(this.remote, 1006, "");
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** With more waiting than this, `send` returns false. */
const FULL_BYTES = 256 * 1024;
/** The platform tells nobody that there is room again. */
const LOOK_AGAIN_MS = 20;

import type { Frames } from "../frames/words.ts";
import { Dealer } from "zeromq";
import { type MdpCredentials, securityOf } from "./credentials.ts";
import { heartbeatsOf } from "./heartbeats.ts";
import { isIpv6 } from "./ipv6.ts";

export interface DealerLinkOptions {
  readonly credentials?: MdpCredentials | undefined;
  /** Largest message, of all frames together. Far more than that ends the connection. */
  readonly maxMessageBytes: number;
  /** Of the connection itself; 0: nobody watches it. */
  readonly linkHeartbeatMs: number;
}

/** What is told of a link. */
export interface DealerLinkSink {
  message(frames: Frames): void;
  /** Both ends have shaken hands. */
  connected(): void;
  /** Nobody answers there; libzmq goes on trying. */
  unreachable(): void;
  /** The connection is gone, and what was on its way with it. The broker would see a stranger if libzmq connected again. */
  lost(): void;
  /** The broker does not let us in. */
  refused(): void;
}

/**
 * One DEALER socket for one life: when its connection is lost it is over, and a new one is made by whoever needs it. Sending never waits: what
 * is not sent yet is kept by the socket, and bounded by those who send.
 */
export class DealerLink {
  readonly endpoint: string;
  readonly #socket: Dealer;
  readonly #sink: DealerLinkSink;
  #open = true;

  constructor(endpoint: string, options: DealerLinkOptions, sink: DealerLinkSink) {
    this.endpoint = endpoint;
    this.#sink = sink;
    this.#socket = new Dealer({
      linger: 0,
      // A send that need not wait is over when it returns: sends need no queue of our own, as long as the socket has no limit either.
      sendTimeout: 0,
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      maxMessageSize: Math.max(options.maxMessageBytes * 2, LEAST_FRAME_BYTES),
      ipv6: isIpv6(endpoint),
      ...heartbeatsOf(options.linkHeartbeatMs),
      ...securityOf(options.credentials),
    });
    try {
      this.#listen();
      this.#socket.connect(endpoint);
    } catch (thrown) {
      // Listening takes a socket too, and there may be none.
      this.#socket.close();
      throw thrown;
    }
    void this.#read();
  }

  #listen(): void {
    const { events } = this.#socket;
    const tell = (what: "connected" | "unreachable" | "lost" | "refused") => (): void => {
      if (this.#open) this.#sink[what]();
    };
    events.on("handshake", tell("connected"));
    events.on("connect:retry", tell("unreachable"));
    events.on("disconnect", tell("lost"));
    events.on("handshake:error:auth", tell("refused"));
    events.on("handshake:error:protocol", tell("refused"));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  send(frames: Frames): void {
    // It fails only when the socket is closed at the same moment.
    if (this.#open) this.#socket.send(frames as Uint8Array[]).catch(nothing);
  }

  /** Idempotent. `lingerMs`: how long libzmq may still try to send what it was given. */
  close(lingerMs = 0): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.linger = lingerMs;
    this.#socket.close();
  }

  async #read(): Promise<void> {
    const socket = this.#socket;
    try {
      while (this.#open) {
        const frames = await socket.receive();
        if (this.#open) this.#sink.message(frames);
      }
    } catch (thrown) {
      // The socket was closed while it was read.
      if (this.#open) throw thrown;
    }
  }
}

/** Below it libzmq refuses what its own commands and small messages need. */
const LEAST_FRAME_BYTES = 1024 * 1024;

function nothing(): void {
  return undefined;
}

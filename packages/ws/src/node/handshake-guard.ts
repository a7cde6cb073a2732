import type { Socket } from "node:net";

/**
 * Counts what comes before the handshake is done: `ws` takes a message of the full size from anybody, and gives no word before it is
 * complete. Whatever is no end of a message counts, pings and empty fragments too.
 */
export class HandshakeGuard {
  readonly #socket: Socket;
  readonly #limitBytes: number;
  readonly #exceeded: () => void;
  #bytes = 0;
  /** A message ended in the chunk that is being read. */
  #ended = false;

  constructor(socket: Socket, maxMessageBytes: number, exceeded: () => void) {
    this.#socket = socket;
    this.#limitBytes = maxMessageBytes + OVERHEAD_BYTES;
    this.#exceeded = exceeded;
    // Behind the listener of `ws`, which has handed over by then what the chunk held.
    socket.on("data", this.#count);
  }

  messageEnded(): void {
    this.#ended = true;
  }

  stop(): void {
    this.#socket.off("data", this.#count);
  }

  readonly #count = (chunk: Buffer): void => {
    this.#bytes = this.#ended ? 0 : this.#bytes + chunk.length;
    this.#ended = false;
    if (this.#bytes > this.#limitBytes) this.#exceeded();
  };
}

/** Headers of a few fragments and a ping or two. */
const OVERHEAD_BYTES = 512;

import type { Channel, ChannelSecurity, ChannelSink } from "../words/channel.ts";
import { RpcError } from "../words/rpc-error.ts";
import { nextTurn } from "../tools/next-turn.ts";

/** Undelivered bytes above which `send` says that the wire is full. */
const HIGH_WATER_BYTES = 1024 * 1024;

const DELIVERIES_PER_TURN = 256;

/** Two ends of a pipe inside this process: the reference for every other channel. */
export function createMemoryChannelPair(): [Channel, Channel] {
  const near = new MemoryChannel();
  const far = new MemoryChannel();
  near.connect(far);
  far.connect(near);
  return [near, far];
}

class MemoryChannel implements Channel {
  readonly remote = "memory:";
  readonly security: ChannelSecurity = { kind: "local" };
  #far: MemoryChannel | undefined = undefined;
  #sink: ChannelSink | undefined = undefined;
  /** What has arrived and was not delivered yet. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #paused = false;
  #scheduled = false;
  #deliveries = 0;
  /** `send` has returned false and `drained` is owed. */
  #owesDrained = false;
  #closedHere = false;
  /** The end that arrived behind the messages. */
  #ending: RpcError | undefined = undefined;
  #dead = false;
  #maxMessageBytes = Number.POSITIVE_INFINITY;

  connect(far: MemoryChannel): void {
    this.#far = far;
  }

  open(sink: ChannelSink): void {
    this.#sink = sink;
    this.#schedule();
  }

  send(message: Uint8Array, transfer = false): boolean {
    const far = this.#far;
    if (far === undefined || this.#closedHere || this.#dead) return false;
    // Not `slice`: on a Buffer that would be a view, not a copy.
    far.#arrive(transfer ? message : new Uint8Array(message));
    if (far.#inboxBytes < HIGH_WATER_BYTES) return true;
    this.#owesDrained = true;
    return false;
  }

  close(reason = new RpcError("UNAVAILABLE", "channel closed", { reason: "PEER_LOST" })): void {
    if (this.#closedHere) return;
    this.#closedHere = true;
    const far = this.#far;
    if (far !== undefined)
      far.#end(new RpcError("UNAVAILABLE", "the peer has closed the channel", { reason: "PEER_LOST" }));
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#end(reason);
  }

  destroy(reason?: RpcError): void {
    const far = this.#far;
    if (far !== undefined && !this.#closedHere) {
      far.#inbox = [];
      far.#inboxBytes = 0;
    }
    this.close(reason);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  limitMessageBytes(maxMessageBytes: number): void {
    this.#maxMessageBytes = maxMessageBytes;
  }

  #arrive(message: Uint8Array): void {
    if (this.#ending !== undefined) return;
    this.#inbox.push(message);
    this.#inboxBytes += message.byteLength;
    this.#schedule();
  }

  #end(reason: RpcError): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    this.#schedule();
  }

  /** Deliveries run on their own, never inside a call of the channel. */
  #schedule(): void {
    if (this.#scheduled || this.#sink === undefined || this.#dead) return;
    if (this.#ending === undefined && (this.#paused || this.#inbox.length === 0)) return;
    this.#scheduled = true;
    const deliver = (): void => {
      this.#scheduled = false;
      this.#deliver();
    };
    // Microtasks alone would keep timers and everybody else from their turn for as long as two ends have something to say.
    if (++this.#deliveries % DELIVERIES_PER_TURN === 0) nextTurn(deliver);
    else queueMicrotask(deliver);
  }

  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined || this.#dead) return;
    while (this.#inbox.length > 0 && !this.#paused) {
      const messages = this.#inbox;
      this.#inbox = [];
      for (const [i, message] of messages.entries()) {
        if (this.#closedHere) break;
        if (this.#paused) {
          this.#inbox = [...messages.slice(i), ...this.#inbox];
          break;
        }
        this.#inboxBytes -= message.byteLength;
        if (message.byteLength > this.#maxMessageBytes) {
          this.destroy(
            new RpcError("RESOURCE_EXHAUSTED", `message of ${message.byteLength} bytes is over the limit`, {
              reason: "maxMessageBytes",
            }),
          );
          break;
        }
        sink.message(message);
      }
      const far = this.#far;
      if (far !== undefined) far.#room(this.#inboxBytes);
    }
    if (this.#ending !== undefined && (this.#inbox.length === 0 || this.#closedHere)) {
      this.#dead = true;
      sink.closed(this.#ending);
    }
  }

  #room(undeliveredBytes: number): void {
    if (!this.#owesDrained || undeliveredBytes >= HIGH_WATER_BYTES) return;
    this.#owesDrained = false;
    if (this.#closedHere || this.#dead) return;
    this.#sink?.drained();
  }
}

import type { SessionLimits } from "../words/limits.ts";
import { ReplayBuffer } from "../tools/replay-buffer.ts";

/** Bodies from this number on are counted. */
export const FIRST_COUNTED = 16;

/** Counted messages received, after which they are acknowledged without waiting for something to send. */
const ACK_MESSAGES = 256;
/** The same in bytes. */
const ACK_BYTES = 256 * 1024;

/**
 * What both ends have counted in a session (docs/wire/envelope.md, Counting): messages have no number on the wire, both ends count
 * them. With a window to resume in, what the far end has not acknowledged is kept.
 */
export class Ledger {
  /** Counted messages sent, and how many of them the far end says it has. */
  sent = 0;
  acked = 0;
  /** Counted messages received, and how many of them the far end was told of. */
  received = 0;
  told = 0;
  /** Undefined: nothing is kept, because there is no window to resume in. */
  readonly replay: ReplayBuffer | undefined;
  readonly #limits: SessionLimits;
  #untoldBytes = 0;
  #askedAt = 0;
  /** What had got across when the session went on last with something new, and when that was. */
  #progress = -1;
  #progressAt = 0;

  constructor(limits: SessionLimits, keeps: boolean) {
    this.#limits = limits;
    this.replay = keeps ? new ReplayBuffer() : undefined;
  }

  /** The window is full: nothing new is to be sent. */
  get full(): boolean {
    const { replay } = this;
    if (replay === undefined) return false;
    return replay.count >= this.#limits.maxReplayMessages || replay.bytes >= this.#limits.maxReplayBytes;
  }

  /** The window is half full, and the far end was not asked lately: it may hold back its acknowledgements for too long. */
  get shouldAsk(): boolean {
    const { replay } = this;
    if (replay === undefined || replay.count === 0) return false;
    const { maxReplayMessages, maxReplayBytes } = this.#limits;
    const half = replay.count * 2 >= maxReplayMessages || replay.bytes * 2 >= maxReplayBytes;
    return half && (this.#askedAt <= this.acked || this.sent - this.#askedAt >= maxReplayMessages / 4);
  }

  asked(): void {
    this.#askedAt = this.sent + 1;
  }

  /** A counted message is on its way. */
  keep(message: Uint8Array, owned: boolean): void {
    this.sent++;
    this.replay?.push(message, owned);
  }

  /** A counted message has arrived. */
  accept(byteLength: number): void {
    this.received++;
    this.#untoldBytes += byteLength;
  }

  /** The far end was told of everything so far. */
  tell(received: number = this.received): void {
    this.told = received;
    this.#untoldBytes = 0;
  }

  /** Counted messages received of which the far end was not told. */
  get untold(): number {
    return this.received - this.told;
  }

  /** So much is untold that it should not wait. */
  get overdue(): boolean {
    return this.untold >= ACK_MESSAGES || this.#untoldBytes >= ACK_BYTES;
  }

  /** Whether a far end that has received that many can be sent what it lacks. */
  mayGoOnAt(received: number): boolean {
    return received >= this.acked && received <= this.sent;
  }

  /**
   * The session goes on over another connection. False when connections have come and gone for twice `windowMs` without getting across anything of
   * what waits: a message that none of them lasts long enough for would be sent for ever.
   */
  resumesFruitfully(now: number, windowMs: number): boolean {
    const progress = this.acked + this.received;
    if (progress === this.#progress && (this.replay?.count ?? 0) > 0) return now - this.#progressAt < 2 * windowMs;
    this.#progress = progress;
    this.#progressAt = now;
    return true;
  }

  /** The far end says what it has. Returns what is wrong with that, if anything is. */
  acknowledge(count: number): string | undefined {
    if (count < this.acked) return `acknowledgement of ${count} messages after one of ${this.acked}`;
    if (count > this.sent) return `acknowledgement of ${count} messages, ${this.sent} were sent`;
    this.replay?.drop(count - this.acked);
    this.acked = count;
    return undefined;
  }
}

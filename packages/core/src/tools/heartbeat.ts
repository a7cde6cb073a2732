import type { Clock } from "../words/clock.ts";

/** The session as a heartbeat sees it. */
export interface HeartbeatPort {
  /** Messages sent and received so far; only their changing matters. */
  readonly sentCount: number;
  readonly receivedCount: number;
  /** While this end does not read because of back-pressure, the far end's silence means nothing. */
  readonly readingPaused: boolean;
  /** False while no more may be sent. */
  readonly writable: boolean;
  /** Grows whenever the far end has taken something. */
  readonly progressCount: number;
  sendPing(): void;
  peerSilent(silentMs: number): void;
  /** The far end has taken nothing for {@link STALLED_SHARE} times its time of life. */
  peerStalled(stalledMs: number): void;
}

/** A slow link takes its time for a large message; this many times `aliveMs` without any progress is no slow link. */
const STALLED_SHARE = 4;

/** Signs of life for one session: one timer, and no clock reading per message. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #port: HeartbeatPort;
  readonly #intervalMs: number;
  readonly #aliveMs: number;
  #timer: unknown = undefined;
  #lastTick = 0;
  #lastSent = 0;
  #lastReceived = 0;
  #lastProgress = 0;
  #silentMs = 0;
  #stalledMs = 0;
  /** The peer is given up unless something of it turns up within one more turn. */
  #lastTurn = false;

  constructor(clock: Clock, port: HeartbeatPort, intervalMs: number, aliveMs: number) {
    this.#clock = clock;
    this.#port = port;
    // Three beats at least within the time that a silent peer has.
    this.#intervalMs = Math.min(intervalMs, Math.max(1, Math.floor(aliveMs / 3)));
    this.#aliveMs = aliveMs;
  }

  start(): void {
    this.#lastTick = this.#clock.now();
    this.#lastSent = this.#port.sentCount;
    this.#lastReceived = this.#port.receivedCount;
    this.#arm(this.#intervalMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#tick(), delayMs);
  }

  #tick(): void {
    const now = this.#clock.now();
    const elapsedMs = now - this.#lastTick;
    this.#lastTick = now;
    const heard = this.#port.receivedCount !== this.#lastReceived;
    const quiet = this.#port.sentCount === this.#lastSent;
    this.#lastReceived = this.#port.receivedCount;
    const progress = this.#port.progressCount;
    if (elapsedMs > 2 * this.#intervalMs) {
      // It was us who slept (a blocked event loop, a suspended machine): what the peer sent meanwhile is still unread.
      this.#silentMs = 0;
      this.#stalledMs = 0;
    } else {
      const stalls = !this.#port.writable && this.#port.progressCount === this.#lastProgress;
      this.#stalledMs = stalls ? this.#stalledMs + elapsedMs : 0;
      this.#silentMs = heard || this.#port.readingPaused ? 0 : this.#silentMs + elapsedMs;
    }
    this.#lastProgress = progress;
    if (this.#stalledMs >= STALLED_SHARE * this.#aliveMs) return this.#port.peerStalled(this.#stalledMs);
    if (this.#silentMs >= this.#aliveMs) {
      // This timer may be late because our own event loop was: what the peer sent is read right after it, so the next turn decides.
      if (!this.#lastTurn) {
        this.#lastTurn = true;
        return this.#arm(0);
      }
      this.#timer = undefined;
      this.#port.peerSilent(this.#silentMs);
      return;
    }
    this.#lastTurn = false;
    // Also when only the far end was quiet: it may send no heartbeats of its own, and its pong is the sign of life.
    if (quiet || !heard) this.#port.sendPing();
    this.#lastSent = this.#port.sentCount;
    this.#arm(this.#intervalMs);
  }
}

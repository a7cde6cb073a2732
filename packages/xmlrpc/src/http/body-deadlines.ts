import type { Clock } from "@rpc/core";

/** A body that is being read, or a reply that is being written. */
export interface PendingBody {
  /** It has taken too long. */
  expire(): void;
}

/** When bodies must be there, and replies be taken. All have the same time, so one timer is enough for all of them. */
export class BodyDeadlines {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Oldest first, with the instant of their end. */
  readonly #pending = new Map<PendingBody, number>();
  #timer: unknown = undefined;
  #isClosed = false;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  add(body: PendingBody): void {
    // Its connection is about to be cut.
    if (this.#isClosed) return;
    this.#pending.set(body, this.#clock.now() + this.#timeoutMs);
    if (this.#timer === undefined) this.#wake(this.#timeoutMs);
  }

  /** The timer is left alone: it finds nothing to do, and setting one for each body would cost more. */
  delete(body: PendingBody): void {
    this.#pending.delete(body);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [body, until] of this.#pending) {
      if (until > now) {
        // What has expired may have been added again.
        if (this.#timer === undefined) this.#wake(until - now);
        return;
      }
      this.#pending.delete(body);
      body.expire();
    }
  }

  /** Connections keep a process alive; that one may have been slow once is no reason to. */
  #wake(delayMs: number): void {
    const timer = this.#clock.setTimeout(() => this.#sweep(), delayMs);
    this.#timer = timer;
    if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
      timer.unref();
  }
}

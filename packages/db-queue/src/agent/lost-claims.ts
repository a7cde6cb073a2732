import { type Clock, RpcError } from "@rpc/core";

/** A statement that was at work when its connection was lost has ended by then. */
const LONGEST_MS = 30_000;

/**
 * Whether claims may have been given to this agent without its knowledge, as happens when a connection is lost at the commit. The next claim
 * asks for them, and another one later for those that were still on their way.
 */
export class LostClaims {
  readonly #clock: Clock;
  readonly #lateMs: number;
  /** Undefined: none can have been lost. */
  #againAt: number | undefined = undefined;
  #isAsked = false;
  /** Claims that were given up waiting for, and may still be answered. */
  #late = 0;

  constructor(clock: Clock, leaseMs: number) {
    this.#clock = clock;
    this.#lateMs = Math.min(leaseMs / 2, LONGEST_MS);
  }

  /** Whether the next claim is to ask. Not while an answer may still come: its claims would be taken, and have been given back. */
  get areDue(): boolean {
    if (this.#againAt === undefined || this.#late > 0) return false;
    return !this.#isAsked || this.#clock.now() >= this.#againAt;
  }

  /** Until a claim is to ask. */
  get againMs(): number {
    if (this.#againAt === undefined || this.#late > 0) return Number.POSITIVE_INFINITY;
    return Math.max(1, this.#againAt - this.#clock.now());
  }

  failed({ delivered }: RpcError): void {
    if (delivered === "no") return;
    this.#againAt = this.#clock.now() + this.#lateMs;
    this.#isAsked = false;
  }

  late(answer: Promise<unknown>): void {
    this.#late += 1;
    answer.then(
      () => (this.#late -= 1),
      (thrown: unknown) => {
        this.#late -= 1;
        this.failed(RpcError.from(thrown));
      },
    );
  }

  /** A claim that asked for them was answered. */
  asked(sentAt: number): void {
    if (this.#againAt !== undefined && sentAt >= this.#againAt) this.#againAt = undefined;
    this.#isAsked = true;
  }
}

/** What waits at a publisher for one peer, over all its subscriptions. */
export class TopicBudget {
  readonly maxBytes: number;
  /** Events that its policies hold. */
  bytes = 0;
  /** Last values that are yet to be sent. */
  lastBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** A single event always may wait. */
  admits(bytes: number): boolean {
    return this.bytes === 0 || this.bytes + bytes <= this.maxBytes;
  }

  /** The last values of a single subscription always may. */
  admitsLast(bytes: number): boolean {
    return this.lastBytes === 0 || this.lastBytes + bytes <= this.maxBytes;
  }
}

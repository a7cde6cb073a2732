import type { CallBody, CallKind } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor, MethodKind } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import { shown } from "../tools/bytes.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import type { IncomingPattern, PatternRegister } from "./incoming-pattern.ts";
import { IncomingSubscription } from "./incoming-subscription.ts";
import type { SessionLink } from "./session-link.ts";
import { acceptedPatternOf } from "./session-parts.ts";

/** The kinds of call that last, with what they may be called on. */
export const PATTERN_METHODS: Readonly<Partial<Record<CallKind, MethodKind>>> = {
  subscribe: "event",
  consume: "job",
  submit: "job",
};

/** Subscriptions, consumers and jobs of the peer. */
export class IncomingPatterns implements PatternRegister {
  readonly #link: SessionLink;
  #patterns = new Map<number, IncomingPattern>();
  /** Those that count against `maxSubscriptions`. */
  #counted = 0;
  /** Consumers with a job that is not settled. */
  #busy = 0;
  /** The last one that was resumed when the wire was full again. */
  #resumed = 0;
  #draining = false;

  constructor(link: SessionLink) {
    this.#link = link;
  }

  /** Jobs whose submitters are here, and consumers that have jobs. A drain waits for jobs that run: the others may wait for ever. */
  get count(): number {
    const submitted = this.#patterns.size - this.#counted;
    if (!this.#draining || submitted === 0) return submitted + this.#busy;
    let running = this.#busy;
    for (const pattern of this.#patterns.values()) if (!pattern.counted && pattern.isRunning) running++;
    return running;
  }

  get counted(): number {
    return this.#counted;
  }

  get(id: number): IncomingPattern | undefined {
    return this.#patterns.get(id);
  }

  /** Throws RpcError for what is refused. */
  accept(body: CallBody, method: MethodDescriptor, deadline: number | undefined, metadata: Metadata | undefined): void {
    const Pattern =
      body.kind === "consume" || body.kind === "submit"
        ? acceptedPatternOf(method, body.kind, this.#link)
        : IncomingSubscription;
    const pattern = new Pattern(this.#link, this, body, method, deadline, metadata);
    const { maxSubscriptions } = this.#link.limits;
    if (pattern.counted && this.#counted >= maxSubscriptions) {
      const message = `${shown(body.method)}: the peer takes ${maxSubscriptions} subscriptions and consumers`;
      throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxSubscriptions", delivered: "no" });
    }
    this.#patterns.set(body.id, pattern);
    if (pattern.counted) this.#counted++;
    try {
      pattern.start(body);
    } catch (thrown) {
      const error = RpcError.from(thrown);
      pattern.fail(error);
      return pattern.lost(error);
    }
    const { finished } = this.#link;
    if (finished !== undefined) pattern.lost(finished);
    // A queue keeps the time of its jobs itself.
    else if (deadline !== undefined && pattern.counted && !pattern.isOver) this.#link.watchDeadline(deadline);
  }

  over(pattern: IncomingPattern): void {
    if (!this.#patterns.delete(pattern.callId)) return;
    if (pattern.counted) this.#counted--;
    this.#link.callEnded();
  }

  busy(isBusy: boolean): void {
    this.#busy += isBusy ? 1 : -1;
    if (!isBusy && this.#link.finished === undefined) this.#link.callEnded();
  }

  resume(): void {
    // The others first, so that the oldest does not take all that the wire has. Their ids ascend.
    const last = this.#resumed;
    this.#resumeBetween(last + 1, Number.POSITIVE_INFINITY);
    this.#resumeBetween(0, last);
  }

  #resumeBetween(from: number, to: number): void {
    for (const pattern of this.#patterns.values()) {
      const { callId } = pattern;
      if (callId < from || callId > to) continue;
      if (!this.#link.writable) return;
      this.#resumed = callId;
      pattern.resume();
    }
  }

  drain(): void {
    this.#draining = true;
    for (const pattern of this.#patterns.values()) pattern.drain();
    // What only waits counts no more; the drain that this belongs to begins after this returns.
    queueMicrotask(() => this.#link.callEnded());
  }

  loseAll(reason: RpcError): void {
    const patterns = this.#patterns;
    this.#patterns = new Map();
    this.#counted = 0;
    this.#busy = 0;
    for (const pattern of patterns.values()) pattern.lost(reason);
    this.#busy = 0;
  }

  *expiring(): Iterable<Expiring> {
    for (const pattern of this.#patterns.values()) if (pattern.counted) yield pattern;
  }
}

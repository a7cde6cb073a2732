import type { OutgoingCall } from "./outgoing-call.ts";

/** Calls that wait to be sent, first come, first served; bounded. One that has settled meanwhile (cancelled, too late) no longer counts. */
export class WaitingCalls implements Iterable<OutgoingCall> {
  readonly #maxCount: number;
  // Keeps the order of insertion, and takes one out of the middle without moving the rest.
  #calls: Set<OutgoingCall> | undefined = undefined;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  get count(): number {
    return this.#calls?.size ?? 0;
  }

  get isEmpty(): boolean {
    return this.#calls === undefined || this.#calls.size === 0;
  }

  get first(): OutgoingCall | undefined {
    if (this.#calls === undefined) return undefined;
    for (const call of this.#calls) {
      if (!call.settled) return call;
      this.#calls.delete(call);
    }
    return undefined;
  }

  /** Returns false when there is no room. */
  push(call: OutgoingCall): boolean {
    this.#calls ??= new Set();
    if (this.#calls.size >= this.#maxCount) {
      for (const waiting of this.#calls) if (waiting.settled) this.#calls.delete(waiting);
      if (this.#calls.size >= this.#maxCount) return false;
    }
    this.#calls.add(call);
    return true;
  }

  /** Takes the first one away. */
  shift(): void {
    const { first } = this;
    if (first !== undefined) this.#calls?.delete(first);
  }

  /** Takes all away that still want to be sent. */
  takeAll(): readonly OutgoingCall[] {
    const calls = [...this];
    this.#calls = undefined;
    return calls;
  }

  *[Symbol.iterator](): Iterator<OutgoingCall> {
    for (const call of this.#calls ?? []) if (!call.settled) yield call;
  }
}

import type { Request } from "./roster.ts";

/** Requests of one service that wait for a worker: the most urgent first, and of equal ones the oldest. */
export class WaitingRequests {
  /** What has been taken from the front stays until half of the list is that. */
  #list: (Request | undefined)[] = [];
  #head = 0;
  /** No request expires before this. */
  nextExpiry: number = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#list.length - this.#head;
  }

  add(request: Request): void {
    if (request.expiresAt < this.nextExpiry) this.nextExpiry = request.expiresAt;
    const list = this.#list;
    let at = list.length;
    // Nearly always the last place, or, for one that comes back, the first.
    if (at > this.#head && goesBefore(request, list[this.#head])) at = this.#head;
    else while (at > this.#head && goesBefore(request, list[at - 1])) at -= 1;
    if (at === list.length) list.push(request);
    else if (at === this.#head && this.#head > 0) list[--this.#head] = request;
    else list.splice(at, 0, request);
  }

  take(): Request | undefined {
    if (this.#head === this.#list.length) return undefined;
    const request = this.#list[this.#head];
    this.#list[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#list.length) {
      this.#list = [];
      this.#head = 0;
      this.nextExpiry = Number.POSITIVE_INFINITY;
    } else if (this.#head > 64 && this.#head * 2 > this.#list.length) {
      this.#list = this.#list.slice(this.#head);
      this.#head = 0;
    }
    return request;
  }

  /** Takes out all for which it is true. */
  remove(which: (request: Request) => boolean): Request[] {
    const removed: Request[] = [];
    const kept: Request[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (let at = this.#head; at < this.#list.length; at += 1) {
      const request = this.#list[at];
      if (request === undefined) continue;
      if (which(request)) removed.push(request);
      else {
        kept.push(request);
        if (request.expiresAt < next) next = request.expiresAt;
      }
    }
    this.#list = kept;
    this.#head = 0;
    this.nextExpiry = next;
    return removed;
  }
}

function goesBefore(a: Request, b: Request | undefined): boolean {
  return b !== undefined && (a.priority > b.priority || (a.priority === b.priority && a.order < b.order));
}

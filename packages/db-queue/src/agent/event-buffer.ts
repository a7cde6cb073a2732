import type { NewEvent } from "../store/store-words.ts";

/** Of one batch. */
const MAX_EVENTS = 100;
const FULL_CHARACTERS = 16 * 1024;
/** Waiting ones of one command, while the database is away or slow; beyond, the oldest lines go. */
const MAX_WAITING = 2000;
const MAX_WAITING_CHARACTERS = 2 * 1024 * 1024;
/** Longest text of one event. */
export const MAX_EVENT_CHARACTERS: number = 64 * 1024;

/** What a command's handler has said and its row does not have yet. */
export class EventBuffer {
  /** Sent, and not acknowledged. */
  #sent: readonly NewEvent[] = [];
  #batch = 0;
  #waiting: NewEvent[] = [];
  #characters = 0;
  #dropped = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#sent.length === 0;
  }

  /** It goes now instead of with the next round. */
  get isFull(): boolean {
    return this.#waiting.length >= MAX_EVENTS || this.#characters >= FULL_CHARACTERS;
  }

  /** How many have gone for want of room, since it was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  push(event: NewEvent): void {
    // Of how far it is, only the last word counts, where there is too much to pass all of them on.
    if (event.kind === "progress" && this.#waiting.length >= MAX_EVENTS)
      this.#remove(this.#waiting.findIndex(({ kind }) => kind === "progress"));
    this.#waiting.push(event);
    this.#characters += event.data.length;
    while (this.#waiting.length > MAX_WAITING || this.#characters > MAX_WAITING_CHARACTERS) {
      this.#remove(0);
      this.#dropped++;
    }
  }

  /** Number of the batch that was taken last, from 1: how the store knows one that it has already. */
  get batch(): number {
    return this.#batch;
  }

  /** The next batch; the same one again until `acknowledge`. */
  take(): readonly NewEvent[] {
    if (this.#sent.length > 0) return this.#sent;
    let count = 0;
    let characters = 0;
    for (const { data } of this.#waiting) {
      if (count === MAX_EVENTS || (count > 0 && characters + data.length > MAX_EVENT_CHARACTERS)) break;
      count++;
      characters += data.length;
    }
    this.#sent = this.#waiting.splice(0, count);
    this.#batch += 1;
    this.#characters -= characters;
    return this.#sent;
  }

  acknowledge(): void {
    this.#sent = [];
  }

  clear(): void {
    this.#sent = [];
    this.#waiting = [];
    this.#characters = 0;
  }

  #remove(index: number): void {
    const [removed] = index < 0 ? [] : this.#waiting.splice(index, 1);
    this.#characters -= removed?.data.length ?? 0;
  }
}

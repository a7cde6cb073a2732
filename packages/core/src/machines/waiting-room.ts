import type { Clock } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";
import { DeadlineSweep, type Expiring } from "../tools/deadline-sweep.ts";
import { Pause } from "./course.ts";

/** Calls that wait for the same thing, first come, first served, each until its own deadline at most. */
export class WaitingRoom {
  readonly #waiting = new Set<Waiting>();
  readonly #deadlines: DeadlineSweep;
  readonly #emptied: () => void;

  /** `emptied` is told when the last one has left. */
  constructor(clock: Clock, emptied: () => void) {
    this.#deadlines = new DeadlineSweep(clock, () => this.#waiting);
    this.#emptied = emptied;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** A place for a call that is not here yet. `expired`: what it is told at its deadline. */
  place(name: string, deadline: number | undefined, expired: () => RpcError): Pause {
    return new Waiting(this, name, deadline, expired);
  }

  /** Lets everybody go on, in order, or tells everybody that there is nothing left to wait for. */
  wakeAll(refusal: RpcError | undefined): void {
    // Those who come back while the others are being told belong to the next round.
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#deadlines.stop();
    for (const place of waiting) place.wake(refusal);
    if (waiting.length > 0 && this.#waiting.size === 0) this.#emptied();
  }

  enter(place: Waiting): void {
    this.#waiting.add(place);
    if (place.deadline !== undefined) this.#deadlines.watch(place.deadline);
  }

  leave(place: Waiting): void {
    if (!this.#waiting.delete(place) || this.#waiting.size > 0) return;
    this.#deadlines.stop();
    this.#emptied();
  }
}

class Waiting extends Pause implements Expiring {
  readonly deadline: number | undefined;
  readonly #room: WaitingRoom;
  readonly #name: string;
  readonly #expired: () => RpcError;
  #wake: ((refusal: RpcError | undefined) => void) | undefined = undefined;

  constructor(room: WaitingRoom, name: string, deadline: number | undefined, expired: () => RpcError) {
    super();
    this.#room = room;
    this.#name = name;
    this.deadline = deadline;
    this.#expired = expired;
  }

  begin(wake: (refusal: RpcError | undefined) => void): void {
    this.#wake = wake;
    this.#room.enter(this);
  }

  end(): void {
    this.#wake = undefined;
    this.#room.leave(this);
  }

  wake(refusal: RpcError | undefined): void {
    if (refusal === undefined) return this.#tell(undefined);
    this.#tell(undelivered(this.#name, refusal));
  }

  expire(): void {
    this.#room.leave(this);
    this.#tell(this.#expired());
  }

  #tell(refusal: RpcError | undefined): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.(refusal);
  }
}

/** An error that is not about one call, as it holds for one that was never sent. */
export function undelivered(name: string, error: RpcError): RpcError {
  const { code, message, reason, details, retryable } = error;
  return new RpcError(code, `${name}: ${message}`, { reason, details, retryable, delivered: "no", cause: error });
}

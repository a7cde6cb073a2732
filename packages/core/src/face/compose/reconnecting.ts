import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { CallPort, CloseOptions, Transport } from "../../words/transport.ts";
import { Backoff, type BackoffOptions } from "../../tools/backoff.ts";
import { Drain } from "../../tools/drain.ts";
import { wholeNumber } from "../../tools/option-checks.ts";
import type { Course, Pause } from "../../machines/course.ts";
import { undelivered, WaitingRoom } from "../../machines/waiting-room.ts";
import { ComposedTransport, coursePort, UNORDERED } from "./composed.ts";

/** How often an unreachable peer is dialed, and how many calls wait for it; each wait is drawn between 0 and a bound that grows. */
export interface ReconnectingOptions extends BackoffOptions {
  /** Calls that may wait; the surplus fails RESOURCE_EXHAUSTED. Default: 10,000. */
  readonly maxWaitingCalls?: number | undefined;
  /** Default: the transport's. */
  readonly clock?: Clock | undefined;
  /** Gives numbers from 0 up to, not including, 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/**
 * Lets calls wait for a peer that cannot be reached, until their deadlines, instead of failing them at the first refused connection; without
 * a deadline they wait until it is there, or the transport is closed. Only calls that certainly did not arrive; one that was under way when
 * the connection was lost fails. `ready()` waits as well. The peer is dialed while somebody waits, and not otherwise. An error other than
 * UNAVAILABLE, such as a wrong secret, ends the wait of all. Throws INVALID_ARGUMENT for options that cannot be.
 */
export function reconnecting(transport: Transport, options: ReconnectingOptions = {}): Transport {
  const redial = new Redial(transport, options);
  const port = coursePort((_input, context) => new ReconnectingCourse(transport, redial, context));
  return new ReconnectingTransport(transport, port, redial);
}

class ReconnectingTransport extends ComposedTransport {
  readonly #redial: Redial;

  constructor(transport: Transport, port: CallPort, redial: Redial) {
    super({ parts: [transport], port, capabilities: UNORDERED });
    this.#redial = redial;
  }

  /** Calls would wait, which somebody who has another way need not do. */
  override get isDown(): boolean {
    return this.#redial.isLost || super.isDown;
  }

  protected override connect(): Promise<void> {
    return this.#redial.ready();
  }

  protected override async shut(options: CloseOptions): Promise<void> {
    const endsAt = this.clock.now() + (options.drainMs ?? 0);
    await this.#redial.close(options.drainMs ?? 0);
    await super.shut({ drainMs: Math.max(0, endsAt - this.clock.now()) });
  }
}

/** Whether the peer can be reached, and the dialing while somebody waits for it. */
class Redial {
  readonly clock: Clock;
  readonly #transport: Transport;
  readonly #backoff: Backoff;
  readonly #maxWaiting: number;
  readonly #room: WaitingRoom;
  /** Why the peer cannot be reached; undefined: as far as is known, it can. */
  #unreachable: RpcError | undefined = undefined;
  #notBefore = 0;
  #timer: unknown = undefined;
  #dialing = false;
  /** Why nobody waits any more. */
  #ended: RpcError | undefined = undefined;
  #drain: Drain | undefined = undefined;

  constructor(transport: Transport, options: ReconnectingOptions) {
    const { maxWaitingCalls = 10_000, clock = transport.clock ?? systemClock, random, ...backoff } = options;
    this.#transport = transport;
    this.clock = clock;
    this.#backoff = new Backoff(backoff, random);
    this.#maxWaiting = wholeNumber("maxWaitingCalls", maxWaitingCalls, 0);
    this.#room = new WaitingRoom(clock, () => this.#emptied());
  }

  get isLost(): boolean {
    return this.#unreachable !== undefined;
  }

  /** Where a call waits; undefined: it need not. Throws when it must not. */
  place(context: CallContext): Pause | undefined {
    const { name } = context.method;
    if (this.#ended !== undefined) throw undelivered(name, this.#ended);
    const cause = this.#unreachable;
    if (cause === undefined) return undefined;
    if (this.#room.count >= this.#maxWaiting) {
      const message = `${name}: ${this.#maxWaiting} calls are already waiting for ${this.#transport.endpoint}`;
      throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxWaitingCalls", delivered: "no", cause });
    }
    this.#arm();
    return this.#room.place(name, context.deadline, () => this.#tooLate(name, cause));
  }

  /** A call did not arrive. */
  lose(error: RpcError): void {
    if (this.#unreachable !== undefined) return;
    this.#unreachable = error;
    this.#notBefore = this.clock.now() + this.#backoff.nextMs();
  }

  /** A call was answered. */
  answered(): void {
    this.#backoff.reset();
  }

  async ready(): Promise<void> {
    for (;;) {
      if (this.#ended !== undefined) throw this.#ended;
      if (this.#unreachable !== undefined) await this.#reached();
      try {
        return await this.#transport.ready();
      } catch (thrown) {
        const error = RpcError.from(thrown);
        if (!isUnreachable(error)) throw error;
        this.lose(error);
      }
    }
  }

  #reached(): Promise<void> {
    return new Promise((resolve, reject) => {
      const place = this.#room.place("ready", undefined, () => this.#tooLate("ready", undefined));
      place.begin((refusal) => (refusal === undefined ? resolve() : reject(refusal)));
      this.#arm();
    });
  }

  #tooLate(name: string, cause: RpcError | undefined): RpcError {
    const message = `${name}: deadline exceeded while ${this.#transport.endpoint} could not be reached: ${cause?.message ?? "closed"}`;
    return new RpcError("DEADLINE_EXCEEDED", message, { reason: "DEADLINE", delivered: "no", cause });
  }

  async close(drainMs: number): Promise<void> {
    if (drainMs > 0 && this.#room.count > 0) {
      this.#drain = new Drain(this.clock);
      this.#drain.within(drainMs);
      await this.#drain.done;
    }
    this.#disarm();
    const message = `the transport to ${this.#transport.endpoint} was closed before it could be reached`;
    this.#ended = new RpcError("UNAVAILABLE", message, { reason: "CLOSED", delivered: "no", cause: this.#unreachable });
    this.#room.wakeAll(this.#ended);
  }

  #emptied(): void {
    this.#disarm();
    this.#drain?.finish();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#dialing) return;
    const waitMs = Math.max(0, this.#notBefore - this.clock.now());
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = undefined;
      void this.#dial(); // Never rejects: those who wait are told.
    }, waitMs);
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #dial(): Promise<void> {
    this.#dialing = true;
    let refusal: RpcError | undefined;
    try {
      await this.#transport.ready();
    } catch (thrown) {
      refusal = RpcError.from(thrown);
    }
    this.#dialing = false;
    if (refusal !== undefined && isUnreachable(refusal)) {
      this.#unreachable = refusal;
      this.#notBefore = this.clock.now() + this.#backoff.nextMs();
      if (this.#room.count > 0) this.#arm();
      return;
    }
    // Anything but "nobody there" will not get better by waiting: everybody is told, and the next call finds out for itself.
    this.#unreachable = undefined;
    this.#room.wakeAll(refusal);
  }
}

function isUnreachable(error: RpcError): boolean {
  return error.code === "UNAVAILABLE" && error.retryable;
}

class ReconnectingCourse implements Course {
  readonly repeats = true;
  readonly #transport: Transport;
  readonly #redial: Redial;
  readonly #context: CallContext;

  constructor(transport: Transport, redial: Redial, context: CallContext) {
    this.#transport = transport;
    this.#redial = redial;
    this.#context = context;
  }

  enter(): CallPort | Pause {
    return this.#redial.place(this.#context) ?? this.#transport;
  }

  left(error: RpcError | undefined, repeatable: boolean): boolean {
    if (error === undefined || (error.delivered === undefined && error.code !== "CANCELLED")) this.#redial.answered();
    if (error === undefined || !repeatable || error.delivered !== "no" || !isUnreachable(error)) return false;
    this.#redial.lose(error);
    return true;
  }
}

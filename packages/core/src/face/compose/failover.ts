import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import type { RpcError } from "../../words/rpc-error.ts";
import type { CallPort, Transport } from "../../words/transport.ts";
import type { Availability, Pass } from "../../tools/availability.ts";
import type { BackoffOptions } from "../../tools/backoff.ts";
import { type Course, mayRepeat } from "../../machines/course.ts";
import { Lifetime } from "../../machines/lifetime.ts";
import { ComposedTransport, coursePort, SEVERAL_SERVERS } from "./composed.ts";
import { Part } from "./part.ts";
import { patternsOfFirst } from "./pattern-parts.ts";

/** How long the first transport is left alone after a failure; the wait is drawn between 0 and a bound that grows. */
export interface FailoverOptions extends BackoffOptions {
  /** Default: that of the transports. */
  readonly clock?: Clock | undefined;
  /** Gives numbers from 0 up to, not including, 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/**
 * One transport, and another for when it is not there. A call that fails UNAVAILABLE at the first goes to the second, with everything that
 * belongs to it, provided that it did not arrive or that its method is idempotent; a stream only before its first item. From then on calls
 * go to the second at once, and after a wait one of them tries the first again. While the first says that it is down (`isDown`), calls go
 * to the second without trying it. Subscriptions and jobs are at the first that carries them. When the second fails so too, the first is tried even
 * before its time. Throws INVALID_ARGUMENT for options that cannot be.
 */
export function failover(first: Transport, second: Transport, options: FailoverOptions = {}): Transport {
  const { clock = first.clock ?? systemClock, random, ...backoff } = options;
  const part = (transport: Transport): Part => new Part(transport, clock, backoff, random);
  const parts = new Parts(part(first), part(second));
  const { patterns, capabilities } = patternsOfFirst(first, second);
  return new ComposedTransport({
    parts: [first, second],
    patterns,
    endpoint: `${first.endpoint} or ${second.endpoint}`,
    capabilities: { ...SEVERAL_SERVERS, ...capabilities },
    lifetime: parts.lifetime,
    port: coursePort((_input, context) => new FailoverCourse(parts, context)),
  });
}

/** What all calls share. */
class Parts {
  readonly #first: Part;
  readonly #second: Part;
  readonly lifetime: Lifetime = new Lifetime();

  constructor(first: Part, second: Part) {
    this.#first = first;
    this.#second = second;
  }

  get first(): Transport {
    return this.#first.transport;
  }

  get second(): Transport {
    return this.#second.transport;
  }

  /** Of the first; the second is tried whenever it is needed. */
  get availability(): Availability {
    return this.#first.availability;
  }

  /** Whether a call begins at the first. When neither can be reached it is as good as the other one. */
  beginsAtFirst(): boolean {
    return this.availability.isOpen && (this.#first.reachable() || !this.#second.reachable());
  }
}

class FailoverCourse implements Course {
  readonly repeats = true;
  readonly #parts: Parts;
  readonly #context: CallContext;
  #pass: Pass | undefined = undefined;
  #count = 0;
  #firstTried = false;

  constructor(parts: Parts, context: CallContext) {
    this.#parts = parts;
    this.#context = context;
  }

  enter(): CallPort {
    const { availability, first, second } = this.#parts;
    this.#count++;
    const toFirst = this.#count === 1 ? this.#parts.beginsAtFirst() : !this.#firstTried;
    if (!toFirst) return second;
    this.#firstTried = true;
    this.#pass = availability.enter();
    return first;
  }

  answered(): void {
    if (this.#pass !== undefined) this.#parts.availability.worked(this.#pass);
  }

  left(error: RpcError | undefined, repeatable: boolean): boolean {
    const { availability, lifetime } = this.#parts;
    const lost = error?.code === "UNAVAILABLE" && error.retryable;
    const pass = this.#pass;
    this.#pass = undefined;
    if (pass !== undefined) {
      if (lost) availability.failed(pass);
      else if (error?.code === "CANCELLED" || error?.code === "DEADLINE_EXCEEDED") availability.abandoned(pass);
      else availability.worked(pass);
    }
    return lost && repeatable && !lifetime.closed && this.#count < 2 && mayRepeat(error, this.#context);
  }
}

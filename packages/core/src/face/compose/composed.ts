import type { CallContext } from "../../words/call-context.ts";
import type { Capabilities } from "../../words/capabilities.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { COPY, MADE_BY } from "../../words/copy.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { Awaitable, CallPort, CloseOptions, PatternPorts, Transport } from "../../words/transport.ts";
import type { TopicPort } from "../../words/topics.ts";
import type { WorkQueue } from "../../words/work-queue.ts";
import { noteCallError } from "../../tools/call-errors.ts";
import { weakestOf } from "../../tools/weakest.ts";
import type { Course } from "../../machines/course.ts";
import type { Lifetime } from "../../machines/lifetime.ts";
import { followCall } from "../../machines/tried-call.ts";
import { followStream } from "../../machines/tried-stream.ts";
import { checkTransport } from "../binding.ts";

/** What a transport that is made of others is made of. */
export interface Composition {
  /** Closed with it, and connected with it. */
  readonly parts: readonly Transport[];
  /** For messages and logs. Default: that of the only part. */
  readonly endpoint?: string | undefined;
  /** What is lost by composing. */
  readonly capabilities?: Partial<Capabilities> | undefined;
  /** Where its calls go. */
  readonly port: CallPort;
  /** Where subscriptions are made and jobs kept. Default: at the only part. */
  readonly patterns?: PatternPorts | undefined;
  /** Closed before its parts are. */
  readonly lifetime?: Lifetime | undefined;
}

/** A port that takes each call along a course of its own; that of a stream is made when it is first read. */
export function coursePort(createCourse: (input: unknown, context: CallContext) => Course): CallPort {
  return {
    call: (input, context) => {
      let course: Course;
      try {
        course = createCourse(input, context);
      } catch (thrown) {
        return Promise.reject(RpcError.from(thrown));
      }
      return followCall(input, context, course);
    },
    stream: (input, context) => followStream(input, context, () => createCourse(input, context)),
  };
}

/** A transport that is made of others. */
export class ComposedTransport implements Transport {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  readonly #port: CallPort;
  readonly #parts: readonly Transport[];
  readonly #patterns: PatternPorts | undefined;
  readonly #lifetime: Lifetime | undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(composition: Composition) {
    const { parts, endpoint, capabilities, port } = composition;
    for (const part of parts) checkTransport(part);
    // No member of the class: an exported one cannot have a computed name.
    Object.assign(this, { [MADE_BY]: COPY });
    this.#parts = parts;
    this.#patterns = composition.patterns ?? (parts.length === 1 ? parts[0] : undefined);
    this.#lifetime = composition.lifetime;
    this.#port = port;
    this.clock = commonClock(parts);
    this.endpoint = endpoint ?? parts.map((part) => part.endpoint).join(", ");
    this.capabilities = Object.freeze({ ...weakestOf(parts), ...capabilities });
  }

  readonly call = (input: unknown, context: CallContext): Awaitable<unknown> => {
    if (this.#closing !== undefined) return Promise.reject(this.#refusal(context.method.name));
    return this.#port.call(input, context);
  };

  readonly stream = (input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> => {
    if (this.#closing !== undefined) throw this.#refusal(context.method.name);
    return this.#port.stream(input, context);
  };

  /** A call would find no part that it need not wait for. */
  get isDown(): boolean {
    return this.#parts.every((part) => part.isDown === true);
  }

  /** Subscriptions and jobs are not calls: they pass by, where it is clear which part they go to. */
  get topicPort(): TopicPort | undefined {
    return this.#patterns?.topicPort;
  }

  get workQueue(): WorkQueue | undefined {
    return this.#patterns?.workQueue;
  }

  ready(): Promise<void> {
    return this.#closing === undefined ? this.connect() : Promise.reject(this.#refusal("ready"));
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.shut(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What connecting does, while it is open. */
  protected connect(): Promise<void> {
    return readyAny(this.#parts);
  }

  /** What closing does, once. */
  protected shut(options: CloseOptions): Promise<void> {
    this.#lifetime?.close();
    return closeAll(this.#parts, options);
  }

  /** What is said to who comes too late. */
  #refusal(what: string): RpcError {
    const message = `${what}: the transport to ${this.endpoint} is closed`;
    return noteCallError(new RpcError("FAILED_PRECONDITION", message, { reason: "CLOSED", delivered: "no" }));
  }
}

/** What calls that may be tried again, or elsewhere, no longer have. */
export const UNORDERED: Partial<Capabilities> = {
  ordering: {
    unsupported:
      "a call that is tried again starts later than calls made after it; wait for one before making the next",
  },
};

/** What calls that go to one of several servers no longer have. */
export const SEVERAL_SERVERS: Partial<Capabilities> = {
  ordering: {
    unsupported: "calls go to several servers, which keep no common order; wait for one before making the next",
  },
  replyCache: {
    unsupported:
      "each server keeps its own replies, and a repeated call may go to another one; make the handler idempotent",
  },
  broadcast: { unsupported: "each server knows only its own peers; broadcast at each of them" },
  transactional: { unsupported: "one transaction does not span several servers; use the transport to one of them" },
};

/** Connects all parts; settles as soon as one can be called. Rejects with the error of the first part when none can. */
async function readyAny(parts: readonly Transport[]): Promise<void> {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only.ready();
  try {
    await Promise.any(parts.map((part) => part.ready()));
  } catch (thrown) {
    throw RpcError.from(thrown instanceof AggregateError ? thrown.errors[0] : thrown);
  }
}

/** Closes all parts, also when one of them fails to; then its error is thrown. */
async function closeAll(parts: readonly Transport[], options: CloseOptions | undefined): Promise<void> {
  const results = await Promise.allSettled(parts.map((part) => part.close(options)));
  for (const result of results) if (result.status === "rejected") throw RpcError.from(result.reason);
}

/** Further apart than two readings of one clock ever are. */
const SAME_CLOCK_MS = 1_000;

/** A deadline is an instant on one clock, so the parts must have it in common. */
function commonClock(parts: readonly Transport[]): Clock {
  const [clock = systemClock, ...others] = parts.map((part) => part.clock ?? systemClock);
  // By its time, not by identity: a second copy of this package has a system clock of its own, which shows the same.
  const other = parts[1 + others.findIndex((each) => !(Math.abs(each.now() - clock.now()) < SAME_CLOCK_MS))];
  if (other === undefined || other === parts[0]) return clock;
  throw new RpcError(
    "INVALID_ARGUMENT",
    `${other.endpoint} and ${parts[0]?.endpoint} run on different clocks; give both the same one`,
    { reason: "INVALID_ARGUMENT" },
  );
}

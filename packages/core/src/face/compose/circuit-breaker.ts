import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { CallPort, Transport } from "../../words/transport.ts";
import { Emitter } from "../../tools/emitter.ts";
import { aboveZero, wholeNumber } from "../../tools/option-checks.ts";
import { Circuit, type CircuitState } from "../../machines/circuit.ts";
import type { Course } from "../../machines/course.ts";
import { ComposedTransport, coursePort } from "./composed.ts";

export interface CircuitBreakerOptions {
  /** Failures in a row, without a call between them that was answered, after which no call is let through. Default: 5. */
  readonly failures?: number | undefined;
  /** Within which time they have to be. Default: 10,000. */
  readonly windowMs?: number | undefined;
  /** How long no call is let through. Default: 5,000. */
  readonly openMs?: number | undefined;
  /** Calls that are let through after that at once; when as many have been answered, all are. Default: 1. */
  readonly halfOpenCalls?: number | undefined;
  /** Which errors count. Default: UNAVAILABLE and DEADLINE_EXCEEDED. CANCELLED is never asked about: the caller did that. */
  readonly isFailure?: ((error: RpcError) => boolean) | undefined;
  /** Default: the transport's. */
  readonly clock?: Clock | undefined;
  /** What listeners and `isFailure` throw. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

export interface CircuitBreakerEvents {
  /** The state has changed. */
  state: [state: CircuitState];
}

/** A transport that stops calling what does not answer. */
export interface CircuitBreaker extends Transport {
  /** `open`: no call is let through; `half-open`, from the first call after `openMs`: a few are, to find out; `closed`: all are. */
  readonly state: CircuitState;
  on<Name extends keyof CircuitBreakerEvents>(
    event: Name,
    listen: (...values: CircuitBreakerEvents[Name]) => void,
  ): () => void;
}

/**
 * Spares a server that fails, and its callers the wait. While the circuit is open calls fail at once: UNAVAILABLE, reason CIRCUIT_OPEN,
 * `delivered: "no"`, `details.retryInMs` the time until it is tried again. Throws INVALID_ARGUMENT for options that cannot be.
 */
export function circuitBreaker(transport: Transport, options: CircuitBreakerOptions = {}): CircuitBreaker {
  const report = (thrown: unknown): void => options.onError?.(RpcError.from(thrown));
  const emitter = new Emitter<CircuitBreakerEvents>(report);
  const circuit = new Circuit(
    {
      failures: wholeNumber("failures", options.failures ?? 5, 1),
      windowMs: aboveZero("windowMs", options.windowMs ?? 10_000),
      openMs: aboveZero("openMs", options.openMs ?? 5_000),
      halfOpenCalls: wholeNumber("halfOpenCalls", options.halfOpenCalls ?? 1, 1),
    },
    options.clock ?? transport.clock ?? systemClock,
    (state) => emitter.emit("state", state),
  );
  const isFailure = (error: RpcError): boolean => {
    try {
      return (options.isFailure ?? notAnswered)(error);
    } catch (thrown) {
      report(thrown);
      return true;
    }
  };
  const port = coursePort((_input, context) => new CircuitCourse(transport, circuit, isFailure, context));
  return new BreakingTransport(transport, port, circuit, emitter);
}

function notAnswered(error: RpcError): boolean {
  return error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED";
}

class BreakingTransport extends ComposedTransport implements CircuitBreaker {
  readonly #circuit: Circuit;
  readonly #emitter: Emitter<CircuitBreakerEvents>;

  constructor(transport: Transport, port: CallPort, circuit: Circuit, emitter: Emitter<CircuitBreakerEvents>) {
    super({ parts: [transport], port });
    this.#circuit = circuit;
    this.#emitter = emitter;
  }

  get state(): CircuitState {
    return this.#circuit.state;
  }

  on<Name extends keyof CircuitBreakerEvents>(
    event: Name,
    listen: (...values: CircuitBreakerEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(event, listen);
  }
}

class CircuitCourse implements Course {
  readonly repeats = false;
  readonly #transport: Transport;
  readonly #circuit: Circuit;
  readonly #isFailure: (error: RpcError) => boolean;
  readonly #context: CallContext;
  #pass: number | undefined = undefined;
  #isAnswered = false;

  constructor(transport: Transport, circuit: Circuit, isFailure: (error: RpcError) => boolean, context: CallContext) {
    this.#transport = transport;
    this.#circuit = circuit;
    this.#isFailure = isFailure;
    this.#context = context;
  }

  enter(): CallPort {
    this.#pass = this.#circuit.enter();
    if (this.#pass !== undefined) return this.#transport;
    const retryInMs = Math.ceil(this.#circuit.opensInMs);
    const when = retryInMs > 0 ? `it is tried again in ${retryInMs} ms` : "it is being tried again";
    const message = `${this.#context.method.name}: ${this.#transport.endpoint} has not answered, the circuit is open; ${when}`;
    throw new RpcError("UNAVAILABLE", message, { reason: "CIRCUIT_OPEN", delivered: "no", details: { retryInMs } });
  }

  answered(): void {
    // While it is closed the end of a stream says more than its beginning.
    if (this.#pass === undefined || this.#circuit.state !== "half-open") return;
    this.#isAnswered = true;
    this.#circuit.answered(this.#pass);
  }

  left(error: RpcError | undefined): boolean {
    if (this.#pass === undefined) return false;
    if (this.#isAnswered) {
      // The circuit has had its answer; but a stream that breaks off later is a failure all the same.
      if (error !== undefined && error.code !== "CANCELLED" && this.#isFailure(error)) this.#circuit.failed(this.#pass);
    } else if (error === undefined) this.#circuit.answered(this.#pass);
    else if (error.code === "CANCELLED") this.#circuit.abandoned(this.#pass);
    else if (this.#isFailure(error)) this.#circuit.failed(this.#pass);
    else this.#circuit.answered(this.#pass);
    return false;
  }
}

import type { CallContext, CancelListener } from "../words/call-context.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort } from "../words/transport.ts";
import { AttemptContext } from "../tools/attempt-context.ts";
import { noteCallError } from "../tools/call-errors.ts";
import { type Course, Fate, Pause } from "./course.ts";

/** Makes a unary call or a notification along a course. */
export function followCall(input: unknown, context: CallContext, course: Course): Promise<unknown> {
  return new Promise((resolve, reject) => new TriedCall(input, context, course, resolve, reject).start());
}

class TriedCall implements CancelListener {
  readonly #input: unknown;
  readonly #context: CallContext;
  readonly #course: Course;
  readonly #resolve: (output: unknown) => void;
  readonly #reject: (error: RpcError) => void;
  readonly #fate = new Fate();
  /** The try under way. */
  #attempt: AttemptContext | undefined = undefined;
  #pause: Pause | undefined = undefined;
  #count = 0;
  #settled = false;

  constructor(
    input: unknown,
    context: CallContext,
    course: Course,
    resolve: (output: unknown) => void,
    reject: (error: RpcError) => void,
  ) {
    this.#input = input;
    this.#context = context;
    this.#course = course;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    if (this.#course.repeats) this.#context.onCancel(this);
    if (!this.#settled) this.#enter();
  }

  cancelled(reason: RpcError): void {
    if (this.#settled) return;
    // A try that runs settles by itself.
    if (this.#attempt === undefined) this.#fail(reason);
    else this.#attempt.cancelWith(reason);
  }

  #enter(): void {
    let place: CallPort | Pause;
    try {
      place = this.#course.enter();
    } catch (thrown) {
      return this.#fail(RpcError.from(thrown));
    }
    if (!(place instanceof Pause)) return this.#try(place);
    this.#pause = place;
    place.begin((refusal) => {
      this.#pause = undefined;
      if (this.#settled) return;
      if (refusal === undefined) this.#enter();
      else this.#fail(refusal);
    });
  }

  #try(port: CallPort): void {
    this.#count++;
    if (this.#course.repeats) this.#attempt = new AttemptContext(this.#context, this.#count);
    const attempt = this.#attempt;
    let output: unknown;
    try {
      output = port.call(this.#input, attempt ?? this.#context);
    } catch (thrown) {
      return this.#tryFailed(RpcError.from(thrown), attempt);
    }
    Promise.resolve(output).then(
      (value) => {
        this.#course.left(undefined, false);
        attempt?.keepResponse();
        this.#settle();
        this.#resolve(value);
      },
      (thrown: unknown) => this.#tryFailed(RpcError.from(thrown), attempt),
    );
  }

  #tryFailed(error: RpcError, attempt: AttemptContext | undefined): void {
    this.#attempt = undefined;
    this.#fate.add(error);
    if (this.#course.left(error, this.#context.cancelReason === undefined)) return this.#enter();
    attempt?.keepResponse();
    this.#fail(error);
  }

  #fail(error: RpcError): void {
    this.#pause?.end();
    this.#settle();
    // What a course refuses by itself is the error of a call as well: a handler that lets it through says nothing about its own.
    this.#reject(noteCallError(this.#fate.of(error)));
  }

  #settle(): void {
    this.#settled = true;
    this.#attempt = undefined;
    if (this.#course.repeats) this.#context.onCancel(undefined);
  }
}

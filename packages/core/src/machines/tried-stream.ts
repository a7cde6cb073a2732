import type { CallContext, CancelListener } from "../words/call-context.ts";
import { RpcError } from "../words/rpc-error.ts";
import { AttemptContext } from "../tools/attempt-context.ts";
import { noteCallError } from "../tools/call-errors.ts";
import { UnreadInput } from "../tools/unread-input.ts";
import { type Course, Fate, Pause } from "./course.ts";

/**
 * Makes a stream call along a course; it starts when it is first read. A try that fails is followed by another one only as long as
 * nothing of the input has been read and no item has come.
 */
export function followStream(
  input: AsyncIterable<unknown>,
  context: CallContext,
  createCourse: () => Course,
): AsyncIterable<unknown> {
  return new TriedStream(input, context, createCourse);
}

type Step = IteratorResult<unknown, undefined>;

class TriedStream implements AsyncIterableIterator<unknown, undefined>, CancelListener {
  readonly #input: UnreadInput;
  readonly #source: AsyncIterable<unknown>;
  readonly #context: CallContext;
  readonly #createCourse: () => Course;
  readonly #fate = new Fate();
  #course: Course | undefined = undefined;
  #attempt: AttemptContext | undefined = undefined;
  #items: AsyncIterator<unknown> | undefined = undefined;
  /** Whether the items come from the try that counts. */
  #begun = false;
  /** The first item, while it is being waited for. */
  #opening: Promise<Step> | undefined = undefined;
  #listening = false;
  #endWait: ((error: RpcError) => void) | undefined = undefined;
  #count = 0;
  #over = false;

  constructor(input: AsyncIterable<unknown>, context: CallContext, createCourse: () => Course) {
    this.#source = input;
    this.#input = new UnreadInput(input);
    this.#context = context;
    this.#createCourse = createCourse;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#over) return Promise.resolve(DONE);
    if (this.#begun && this.#items !== undefined) return this.#watched(this.#items.next());
    if (this.#opening === undefined) return (this.#opening = this.#open());
    // Asked for more before the first item is there: in turn, since it is not known yet which try it comes from.
    return this.#opening.then(
      () => this.next(),
      () => DONE,
    );
  }

  async return(): Promise<Step> {
    if (this.#over) return DONE;
    const left = new RpcError("CANCELLED", "the reader has left the stream", { reason: "CANCELLED" });
    const items = this.#items;
    this.#settle(this.#begun ? undefined : left);
    this.#endWait?.(left);
    await items?.return?.();
    await this.#input.close();
    return DONE;
  }

  cancelled(reason: RpcError): void {
    this.#attempt?.cancelWith(reason);
    this.#endWait?.(reason);
  }

  async #open(): Promise<Step> {
    try {
      const course = (this.#course = this.#createCourse());
      this.#listening = course.repeats;
      if (this.#listening) this.#context.onCancel(this);
      for (;;) {
        const { cancelReason } = this.#context;
        if (cancelReason !== undefined && course.repeats) throw cancelReason;
        const place = course.enter();
        if (place instanceof Pause) {
          await this.#wait(place);
          continue;
        }
        this.#count++;
        if (course.repeats) this.#attempt = new AttemptContext(this.#context, this.#count);
        try {
          const input = course.repeats ? this.#input.items : this.#source;
          this.#items = place.stream(input, this.#attempt ?? this.#context)[Symbol.asyncIterator]();
          const step = await this.#items.next();
          this.#begun = true;
          if (step.done !== true) course.answered?.();
          return this.#took(step);
        } catch (thrown) {
          const error = RpcError.from(thrown);
          // The reader has left meanwhile, and the course has been told.
          if (this.#over) return DONE;
          this.#fate.add(error);
          this.#items = undefined;
          const repeatable = !this.#input.read && this.#context.cancelReason === undefined;
          if (course.left(error, repeatable)) continue;
          this.#course = undefined;
          throw error;
        }
      }
    } catch (thrown) {
      if (this.#over) return DONE;
      throw this.#failed(RpcError.from(thrown));
    }
  }

  #wait(pause: Pause): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#endWait = (error) => {
        this.#endWait = undefined;
        pause.end();
        reject(error);
      };
      pause.begin((refusal) => {
        this.#endWait = undefined;
        if (refusal === undefined) resolve();
        else reject(refusal);
      });
    });
  }

  #watched(step: Promise<IteratorResult<unknown>>): Promise<Step> {
    return step.then(
      (taken) => this.#took(taken),
      (thrown: unknown) => {
        throw this.#failed(RpcError.from(thrown));
      },
    );
  }

  #took(step: IteratorResult<unknown>): Step {
    if (step.done !== true) return step;
    this.#settle(undefined);
    void this.#input.close(); // Never rejects.
    return DONE;
  }

  #failed(error: RpcError): RpcError {
    this.#settle(error);
    void this.#input.close(); // Never rejects.
    return noteCallError(this.#fate.of(error));
  }

  #settle(error: RpcError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const course = this.#course;
    this.#course = undefined;
    if (this.#items !== undefined) course?.left(error, false);
    this.#items = undefined;
    this.#attempt?.keepResponse();
    this.#attempt = undefined;
    if (this.#listening) this.#context.onCancel(undefined);
  }
}

const DONE: Step = Object.freeze({ done: true, value: undefined });

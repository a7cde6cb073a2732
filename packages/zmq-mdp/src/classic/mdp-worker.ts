import { type Awaitable, RpcError } from "@rpc/core";
import { isPromiseLike, MAX_TIMER_MS } from "@rpc/core/transport";
import { resultOf } from "../calls/body.ts";
import type { Frames } from "../frames/words.ts";
import { type MdpWorkerOptions, workerSettings } from "../worker/options.ts";
import type { WorkerRequest } from "../worker/registration.ts";
import { WorkerPool } from "../worker/worker-pool.ts";
import { MqMessage } from "./mq-message.ts";

/** A request that a worker has in hand. */
export interface MqRequest {
  /** Answers; the second answer is ignored, and so is one that comes when the broker is gone. */
  reply(message: MqMessage): void;
  /** The body as it came, with all of its frames. */
  readonly frames: Frames;
}

/**
 * A worker for messages: extend it with `onRequest`. Creating it registers the service. Every request is answered: by `reply`, by the
 * message that `onRequest` gives, or with `status` false and a reason when it throws, gives nothing or cannot be read.
 */
export abstract class MdpWorker implements AsyncDisposable {
  readonly service: string;
  readonly #pool: WorkerPool;
  readonly #open = new Set<Answer>();
  #idle: (() => void) | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(service: string, options: MdpWorkerOptions) {
    this.service = service;
    const settings = workerSettings({ concurrency: 1, ...options });
    this.#pool = new WorkerPool([service], settings, {
      request: (request) => this.#take(request),
    });
  }

  /** Does what a message asks. */
  protected abstract onRequest(message: MqMessage, request: MqRequest): Awaitable<MqMessage | void>;

  /** Takes no more requests, gives the one in hand `drainMs` to end, and says DISCONNECT. Idempotent. */
  close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number): Promise<void> {
    this.#pool.leave();
    const { clock } = this.#pool.settings;
    if (drainMs > 0 && this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, Math.min(drainMs, MAX_TIMER_MS));
        this.#idle = () => {
          clock.clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const answer of this.#open) answer.refuse("the worker is closing");
    this.#pool.close();
  }

  #take(request: WorkerRequest): void {
    const answer = new Answer(request, (each) => this.#done(each));
    this.#open.add(answer);
    try {
      const message = MqMessage.from(request.body);
      answer.action = message.action;
      if (this.#closing !== undefined) return answer.refuse("the worker is closing");
      const given = this.onRequest(message, answer);
      if (isPromiseLike(given)) {
        Promise.resolve(given).then(
          (reply) => answer.end(reply),
          (thrown: unknown) => this.#failed(answer, thrown),
        );
      } else answer.end(given);
    } catch (thrown) {
      this.#failed(answer, thrown);
    }
  }

  #failed(answer: Answer, thrown: unknown): void {
    const error = RpcError.from(thrown);
    answer.refuse(error.message);
    this.#pool.settings.onError(error);
  }

  #done(answer: Answer): void {
    this.#open.delete(answer);
    if (this.#open.size === 0) this.#idle?.();
  }
}

class Answer implements MqRequest {
  readonly request: WorkerRequest;
  readonly frames: Frames;
  readonly #done: (answer: Answer) => void;
  #isGiven = false;
  action = "";

  constructor(request: WorkerRequest, done: (answer: Answer) => void) {
    this.request = request;
    this.frames = request.body;
    this.#done = done;
  }

  reply(message: MqMessage): void {
    if (this.#isGiven) return;
    this.#isGiven = true;
    this.request.reply(message.get());
    this.#done(this);
  }

  /** The handler is over. */
  end(reply: MqMessage | void): void {
    if (reply instanceof MqMessage) this.reply(reply);
    else this.refuse("the worker has nothing to say to this");
  }

  refuse(reason: string): void {
    this.reply(new MqMessage(this.action === "" ? "error" : resultOf(this.action), { status: false, reason }));
  }
}

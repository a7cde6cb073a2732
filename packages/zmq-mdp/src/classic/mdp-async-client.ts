import { RpcError } from "@rpc/core";
import { createMdpClient, type MdpClient, type MdpMessageClientOptions } from "./create-mdp-client.ts";
import type { MqMessage } from "./mq-message.ts";

export interface MdpAsyncClientEvents {
  message: [message: MqMessage];
  /** The request was not answered in time. */
  timeout: [];
  /** Anything else that ended it, such as a broker that is gone. Where nobody listens to it `timeout` is told, which is all that Domogik's own client knows. */
  error: [error: RpcError];
}

/** A client of one service with callbacks: one request at a time, and what becomes of it is told. */
export class MdpAsyncClient implements AsyncDisposable {
  readonly service: string;
  readonly #client: MdpClient;
  readonly #listeners: {
    readonly [Name in keyof MdpAsyncClientEvents]: Set<(...values: MdpAsyncClientEvents[Name]) => void>;
  } = {
    message: new Set(),
    timeout: new Set(),
    error: new Set(),
  };
  #isWaiting = false;

  constructor(endpoint: string | readonly string[], service: string, options: MdpMessageClientOptions = {}) {
    this.service = service;
    this.#client = createMdpClient(endpoint, options);
  }

  /** Gives what takes the listener off again. */
  on<Name extends keyof MdpAsyncClientEvents>(
    event: Name,
    listen: (...values: MdpAsyncClientEvents[Name]) => void,
  ): () => void {
    const listeners = this.#listeners[event];
    listeners.add(listen);
    return () => listeners.delete(listen);
  }

  /** Whether a request waits for its answer. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Asks, and returns at once. Throws FAILED_PRECONDITION while another request waits. */
  request(message: MqMessage, timeoutMs?: number): void {
    if (this.#isWaiting)
      throw new RpcError("FAILED_PRECONDITION", `${this.service}: a request is waiting for its answer already`, {
        reason: "INVALID_STATE",
      });
    this.#isWaiting = true;
    this.#client.request(this.service, message, { timeoutMs }).then(
      (reply) => {
        this.#isWaiting = false;
        for (const listen of this.#listeners.message) listen(reply);
      },
      (thrown: unknown) => {
        this.#isWaiting = false;
        const error = RpcError.from(thrown);
        const { timeout, error: failed } = this.#listeners;
        if (error.code === "DEADLINE_EXCEEDED" || failed.size === 0) for (const listen of timeout) listen();
        else for (const listen of failed) listen(error);
      },
    );
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

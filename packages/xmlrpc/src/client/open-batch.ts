import type { CallContext } from "@rpc/core/transport";
import type { Params } from "../server/service.ts";
import type { BatchedCall, Caller } from "./caller.ts";

/** Calls that are collected while somebody's function runs. */
export class OpenBatch {
  readonly #caller: Caller;
  readonly #collected: BatchedCall[] = [];
  readonly #promises: Promise<unknown>[] = [];
  #isOpen = true;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Makes a call: as a part of the batch while that is open, alone afterwards. */
  call(context: CallContext, params: () => Params): Promise<unknown> {
    if (!this.#isOpen) return this.#caller.call(context, params);
    return this.keep(this.#caller.call(context, params, this.#collected));
  }

  /** A promise that somebody in the function was given. */
  keep<T>(promise: Promise<T>): Promise<T> {
    if (this.#isOpen) this.#promises.push(promise);
    return promise;
  }

  /** Runs the function, and sends what was called in it, also when it throws: without a batch those calls would be on their way. */
  run<T>(build: () => T): T {
    try {
      return build();
    } catch (thrown) {
      // The promises are lost with the result: a call that fails must not end the process for it.
      for (const promise of this.#promises) promise.catch(() => undefined);
      throw thrown;
    } finally {
      this.#isOpen = false;
      this.#promises.length = 0;
      this.#caller.send(this.#collected);
    }
  }
}

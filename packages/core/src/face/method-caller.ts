import type { CallOptions } from "../words/call-context.ts";
import { MAX_TIMER_MS } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";
import { deadlineExceeded } from "../machines/outgoing-call.ts";
import { BoundMethod } from "./bound-method.ts";
import { CallerContext, type CallObserver } from "./caller-context.ts";

/** A method that is called by promises. */
export class MethodCaller extends BoundMethod {
  call(input: unknown, options: CallOptions | undefined, observer: CallObserver | undefined): Promise<unknown> {
    try {
      return this.callWith(input, new CallerContext(this.method, options, this.clock, observer));
    } catch (thrown) {
      return Promise.reject(RpcError.from(thrown));
    }
  }

  callWith(input: unknown, context: CallerContext): Promise<unknown> {
    if (this.isGuarded) return this.#callGuarded(input, context);
    const output = this.port.call(input, context);
    return output instanceof Promise ? output : Promise.resolve(output);
  }

  /** Settles at the deadline or when it is cancelled, whatever becomes of the code on the way, and rejects with nothing but an RpcError. */
  #callGuarded(input: unknown, context: CallerContext): Promise<unknown> {
    const { clock } = this;
    const remainingMs = (context.deadline ?? Number.POSITIVE_INFINITY) - clock.now();
    const expire = (): void => context.cancelWith(deadlineExceeded(this.method.name, "unknown"));
    // Beyond what a timer keeps nobody waits for the guard: the session knows the deadline as well.
    const timer =
      remainingMs <= MAX_TIMER_MS ? clock.setTimeout(expire, Math.ceil(Math.max(0, remainingMs))) : undefined;
    return new Promise((resolve, reject) => {
      const release = (): void => {
        if (timer !== undefined) clock.clearTimeout(timer);
        context.guardWith(undefined);
      };
      const fail = (thrown: unknown): void => {
        release();
        reject(RpcError.from(thrown));
      };
      context.guardWith({ cancelled: fail });
      this.#callPort(input, context).then((output) => {
        release();
        resolve(output);
      }, fail);
    });
  }

  async #callPort(input: unknown, context: CallerContext): Promise<unknown> {
    if (this.validates) await this.proveInput(input);
    return this.port.call(input, context);
  }
}

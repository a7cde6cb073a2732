import { RpcError } from "@rpc/core";
import type { CancelListener } from "@rpc/core/transport";

/** The life of one HTTP request, as its calls see it: ended early when the client is gone or the server ends. */
export class RequestScope {
  #reason: RpcError | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  // Most requests are one call: a set is made for the second listener only.
  #first: CancelListener | undefined = undefined;
  #others: Set<CancelListener> | undefined = undefined;

  #held = 0;
  #onFree: (() => void) | undefined = undefined;

  /** A scope that ends with a signal. */
  static from(signal: AbortSignal): RequestScope {
    const scope = new RequestScope();
    const end = (): void => scope.cancel(cancelledBy(signal.reason));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    return scope;
  }

  get cancelReason(): RpcError | undefined {
    return this.#reason;
  }

  /** Dearer than {@link RequestScope.follow}; made when it is first asked for. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Tells a listener when the request is ended early, at once if it already was. */
  follow(listener: CancelListener): void {
    if (this.#reason !== undefined) return listener.cancelled(this.#reason);
    if (this.#first === undefined) this.#first = listener;
    else (this.#others ??= new Set()).add(listener);
  }

  unfollow(listener: CancelListener): void {
    if (this.#first === listener) this.#first = undefined;
    else this.#others?.delete(listener);
  }

  /** A handler runs: the request takes up its place until it has settled, whether or not anybody waits for it. */
  hold(): void {
    this.#held++;
  }

  release(): void {
    this.#held--;
    if (this.#held === 0) this.#onFree?.();
  }

  /** Runs once no handler holds the request any more. */
  whenFree(run: () => void): void {
    if (this.#held === 0) run();
    else this.#onFree = run;
  }

  /** The first reason stays. */
  cancel(reason: RpcError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = [this.#first, ...(this.#others ?? [])];
    this.#first = undefined;
    this.#others = undefined;
    for (const listener of listeners) listener?.cancelled(reason);
    this.#controller?.abort(reason);
  }
}

function cancelledBy(reason: unknown): RpcError {
  if (reason instanceof RpcError) return reason;
  return new RpcError("CANCELLED", RpcError.from(reason).message, { reason: "CANCELLED", cause: reason });
}

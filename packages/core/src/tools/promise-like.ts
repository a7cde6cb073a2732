import type { Awaitable } from "../words/transport.ts";

/**
 * Whether a value that local code returned has to be waited for. Never asked of data from a peer, where a member `then` is data;
 * data holds no functions, so it could not pass either (hostile inputs H81).
 */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** What `next` makes of a value, now where the value is there already: a promise costs a turn of the event loop, and lets others in between. */
export function chained<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return isPromiseLike(value) ? Promise.resolve(value).then(next) : next(value);
}

/** All values in their order, now where all of them are there already. */
export function allOf<T>(values: readonly Awaitable<T>[]): Awaitable<readonly T[]> {
  return values.some(isPromiseLike) ? Promise.all(values) : (values as readonly T[]);
}

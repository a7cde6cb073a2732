/**
 * Whether a value that local code returned has to be waited for. Never asked of data from a peer, where a member `then` is data;
 * data holds no functions, so it could not pass either (hostile inputs H81).
 */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

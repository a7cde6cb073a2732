import type { CallPort, Interceptor } from "../words/transport.ts";

/** Wraps a port in interceptors, the first one outermost. The result is an ordinary port. */
export function intercept(port: CallPort, interceptors: readonly Interceptor[]): CallPort {
  let { call, stream }: CallPort = port;
  for (const interceptor of interceptors.toReversed()) {
    const wrapCall = interceptor.call?.bind(interceptor);
    const wrapStream = interceptor.stream?.bind(interceptor);
    const nextCall = call;
    const nextStream = stream;
    if (wrapCall !== undefined) call = (input, context) => wrapCall(input, context, nextCall);
    if (wrapStream !== undefined) stream = (input, context) => wrapStream(input, context, nextStream);
  }
  return { call, stream };
}

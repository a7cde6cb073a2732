import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable, CallHandler, CallPort, Interceptor, StreamHandler } from "../words/transport.ts";
import { isPromiseLike } from "./promise-like.ts";

/**
 * Wraps a port in interceptors, the first one outermost. The result is an ordinary port. What the port itself throws reaches them as
 * an RpcError; anything else that they throw is a fault of their own, and fails the call INTERNAL.
 */
export function intercept(port: CallPort, interceptors: readonly Interceptor[]): CallPort {
  if (interceptors.length === 0) return port;
  let call: CallHandler = (input, context) => rethrowing(() => port.call(input, context), toRpcError);
  let stream: StreamHandler = (input, context) => rethrowingStream(() => port.stream(input, context), toRpcError);
  for (const interceptor of interceptors.toReversed()) {
    const wrapCall = interceptor.call?.bind(interceptor);
    const wrapStream = interceptor.stream?.bind(interceptor);
    const nextCall = call;
    const nextStream = stream;
    if (wrapCall !== undefined)
      call = (input, context) => rethrowing(() => wrapCall(input, context, nextCall), ownFault);
    if (wrapStream !== undefined) {
      stream = (input, context) => rethrowingStream(() => wrapStream(input, context, nextStream), ownFault);
    }
  }
  return { call, stream };
}

function toRpcError(thrown: unknown): RpcError {
  return RpcError.from(thrown);
}

function ownFault(thrown: unknown): RpcError {
  if (thrown instanceof RpcError) return thrown;
  const { code, message } = RpcError.from(thrown);
  // A signal or a timer of the interceptor's own is no fault.
  if (code === "CANCELLED" || code === "DEADLINE_EXCEEDED") return RpcError.from(thrown);
  return new RpcError("INTERNAL", `an interceptor failed: ${message}`, { reason: "INTERNAL", cause: thrown });
}

function rethrowing(run: () => Awaitable<unknown>, convert: (thrown: unknown) => RpcError): Awaitable<unknown> {
  let output: Awaitable<unknown>;
  try {
    output = run();
  } catch (thrown) {
    throw convert(thrown);
  }
  if (!isPromiseLike(output)) return output;
  return Promise.resolve(output).catch((thrown: unknown) => {
    throw convert(thrown);
  });
}

async function* rethrowingStream(
  open: () => AsyncIterable<unknown>,
  convert: (thrown: unknown) => RpcError,
): AsyncIterable<unknown> {
  try {
    yield* open();
  } catch (thrown) {
    throw convert(thrown);
  }
}

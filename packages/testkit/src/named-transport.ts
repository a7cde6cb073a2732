import type { CallContext, MethodDescriptor, Transport } from "@rpc/core/transport";

/**
 * A transport that calls another method than the client meant: what a peer without a contract can do. The context is handed on as it
 * is, only its method differs.
 */
export function renaming(transport: Transport, rename: (method: MethodDescriptor) => MethodDescriptor): Transport {
  return {
    endpoint: transport.endpoint,
    capabilities: transport.capabilities,
    call: (input, context) => transport.call(input, renamed(context, rename)),
    stream: (input, context) => transport.stream(input, renamed(context, rename)),
    ready: () => transport.ready(),
    close: (options) => transport.close(options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

function renamed(context: CallContext, rename: (method: MethodDescriptor) => MethodDescriptor): CallContext {
  const method = rename(context.method);
  // The context's members are getters with private state: they must be read on the context itself.
  return new Proxy(context, {
    get: (target, key) => {
      if (key === "method") return method;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

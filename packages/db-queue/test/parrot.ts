import { type Handler, RpcError } from "@rpc/core";
import { dynamicCodec, type MessageShape, type MethodDescriptor, noteCallError } from "@rpc/core/transport";

const ANY_VALUE: MessageShape = { codec: dynamicCodec, validate: undefined, jsonSchema: undefined };

/**
 * The agent that does whatever it is told: any method, prints `called: method(arguments)`, answers true. By name, `exception` makes it
 * throw that text, and `rpc_exception` fail as if a call of its own had failed with that text.
 */
export function parrot(print: (line: string) => void): Handler {
  return {
    contracts: [],
    method: (name, kind) => (kind === "unary" ? anyMethod(name) : undefined),
    call: (input, context) => {
      const { args = [], kwargs = {} } = (input ?? {}) as {
        args?: readonly unknown[];
        kwargs?: Readonly<Record<string, unknown>>;
      };
      const named = Object.entries(kwargs).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      const said = [...args.map((value) => JSON.stringify(value)), ...named].join(", ");
      print(`called: ${context.method.name.replace(/^dynamic\./, "")}(${said})`);
      if ("exception" in kwargs) throw new TypeError(String(kwargs["exception"]));
      if ("rpc_exception" in kwargs)
        throw noteCallError(new RpcError("NOT_FOUND", String(kwargs["rpc_exception"]), { reason: "NO_RECORD" }));
      return true;
    },
    stream: () => {
      throw new RpcError("UNIMPLEMENTED", "a parrot has no streams");
    },
  };
}

/** Of core's dynamic contract, whatever the name, so that its input is arguments. */
function anyMethod(name: string): MethodDescriptor {
  return {
    name: name.startsWith("dynamic.") ? name : `dynamic.${name}`,
    contract: "dynamic",
    kind: "unary",
    input: ANY_VALUE,
    output: ANY_VALUE,
    progress: ANY_VALUE,
    errors: new Map(),
    idempotent: false,
    timeoutMs: undefined,
    doc: undefined,
  };
}

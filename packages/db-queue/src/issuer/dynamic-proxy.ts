import type { CommandHandle } from "./handle.ts";

/** Any method of an address, by its name, with arguments by position: `await bot.pollSources(urls)`. */
export interface DynamicProxy {
  readonly [method: string]: (...args: readonly unknown[]) => CommandHandle;
}

/** Names that are asked of any object by whoever awaits, prints or inspects it; a command of such a name goes by `send`. */
const NOT_METHODS: ReadonlySet<string> = new Set([
  "then",
  "catch",
  "finally",
  "constructor",
  "prototype",
  "__proto__",
  "toString",
  "toLocaleString",
  "valueOf",
  "toJSON",
  "inspect",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
]);

export function dynamicProxy(
  address: string,
  send: (method: string, args: readonly unknown[]) => CommandHandle,
): DynamicProxy {
  const methods = new Map<string, (...args: readonly unknown[]) => CommandHandle>();
  const target = Object.create(null) as Record<PropertyKey, unknown>;
  target[Symbol.toPrimitive] = () => `proxy of ${address}`;
  return new Proxy(Object.freeze(target), {
    get(own, name) {
      if (typeof name === "symbol") return own[name];
      if (NOT_METHODS.has(name)) return undefined;
      let method = methods.get(name);
      if (method === undefined) {
        method = (...args) => send(name, args);
        methods.set(name, method);
      }
      return method;
    },
  }) as DynamicProxy;
}

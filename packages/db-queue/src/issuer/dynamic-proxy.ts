import type { CommandHandle } from "./handle.ts";

/** Any method of an address, by its name, with arguments by position: `await bot.pollSources(urls)`. */
export type DynamicProxy = DynamicCall & {
  readonly [method: string]: (...args: readonly unknown[]) => CommandHandle;
};

interface DynamicCall {
  /**
   * The same where the name is a value, where the compiler takes no unknown name for granted (`noUncheckedIndexedAccess`), or where every
   * object has a member of the name: `await bot.$call("constructor", 1)`.
   */
  $call(method: string, ...args: readonly unknown[]): CommandHandle;
}

/** Names that are asked of any object by whoever awaits, prints or inspects it; a command of such a name goes by `$call`. */
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
  const $call: DynamicCall["$call"] = (name, ...args) => send(name, args);
  const target = Object.assign(Object.create(null) as object, { $call });
  return new Proxy(Object.freeze(target) as DynamicProxy, {
    get(own, name) {
      if (name === Symbol.toPrimitive) return () => `proxy of ${address}`;
      if (name === "$call" || typeof name === "symbol") return Reflect.get(own, name) as unknown;
      if (NOT_METHODS.has(name)) return undefined;
      let method = methods.get(name);
      if (method === undefined) {
        method = (...args) => send(name, args);
        methods.set(name, method);
      }
      return method;
    },
  });
}

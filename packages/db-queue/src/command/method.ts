import type { Handler } from "@rpc/core";
import type { MethodDescriptor, MethodKind } from "@rpc/core/transport";
import type { CommandMeta } from "./meta.ts";

/** A method's name in a row: without its contract, which `meta` has. */
export function shortName(method: MethodDescriptor): string {
  const prefix = `${method.contract}.`;
  return method.name.startsWith(prefix) ? method.name.slice(prefix.length) : method.name;
}

const OF_CALLS: readonly MethodKind[] = ["unary", "job"];
const OF_NOTIFICATIONS: readonly MethodKind[] = ["notification"];
/** Of whoever has no contract, and takes what there is. */
const ANY_KIND: readonly MethodKind[] = ["unary", "job", "notification"];

/**
 * The method that a command means; undefined: not served. A command without a contract, from somebody who knew only the name, is looked for
 * by its full name, then in all contracts of the handler, where it must not be ambiguous.
 */
export function methodOf(
  handler: Handler,
  command: { readonly method: string; readonly notification: boolean },
  meta: CommandMeta,
): MethodDescriptor | undefined {
  const kinds = meta.contract === undefined ? ANY_KIND : command.notification ? OF_NOTIFICATIONS : OF_CALLS;
  const find = (name: string): MethodDescriptor | undefined => {
    for (const kind of kinds) {
      const method = handler.method(name, kind);
      if (method !== undefined) return method;
    }
    return undefined;
  };
  if (meta.contract !== undefined) return find(`${meta.contract}.${command.method}`);
  // A gateway finds anything, and names no contract.
  const found = handler.contracts.length === 0 || command.method.includes(".") ? find(command.method) : undefined;
  if (found !== undefined) return found;
  const all = handler.contracts.flatMap(({ name }) => find(`${name}.${command.method}`) ?? []);
  return all.length === 1 ? all[0] : undefined;
}

import { WELL_KNOWN_TYPES } from "../well-known-names.ts";

/** A name that was found: which definition it means. */
interface ResolvedType {
  readonly kind: "message" | "enum";
  readonly typeName: string;
}

/** Finds the full name of a message or enum that is written inside `scope`. */
export type ResolveType = (written: string, scope: string) => ResolvedType | undefined;

/** Protobuf's rule for a name: the innermost enclosing scope that has it wins; a leading dot means the full name. */
export function typeResolver(types: ReadonlyMap<string, unknown>, enums: ReadonlyMap<string, unknown>): ResolveType {
  const find = (typeName: string): ResolvedType | undefined => {
    if (types.has(typeName) || WELL_KNOWN_TYPES.has(typeName)) return { kind: "message", typeName };
    return enums.has(typeName) ? { kind: "enum", typeName } : undefined;
  };
  return (written, scope) => {
    if (written.startsWith(".")) return find(written.slice(1));
    const scopes = scope.split(".");
    for (let depth = scopes.length; depth >= 0; depth--) {
      const found = find([...scopes.slice(0, depth), written].join("."));
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

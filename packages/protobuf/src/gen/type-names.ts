import type { Definitions, EnumDefinition, MessageDefinition } from "../model/definitions.ts";
import { protoError } from "../model/proto-error.ts";

/** Words that generated code uses itself, or that TypeScript reserves: a message with such a name gets a `_` at its end. */
const TAKEN: ReadonlySet<string> = new Set(
  `abstract any arguments as asserts async await bigint boolean break case catch class const constructor continue debugger declare
  default delete do else enum eval export extends false finally for from function get if implements import in infer instanceof
  interface intrinsic is keyof let module namespace never new null number object of package private protected public readonly
  require return satisfies set static string super switch symbol this throw true try type typeof undefined unique unknown using var
  void while with yield Array BigInt Boolean Date Error Infinity Map NaN Number Object Omit Partial Pick Promise Readonly
  ReadonlyArray ReadonlyMap Record Required Set String Symbol Uint8Array depth end error globalThis into message pb reader rpc tag
  writer`.split(/\s+/),
);

/**
 * The TypeScript name of every message and enum, by full name: `buildbot.BuildOrder.Step` is `BuildOrder_Step`. A name of another
 * package that is taken carries its package in front.
 */
export function typeNames(
  definitions: Definitions,
  needed: Iterable<string>,
  packageName: string,
  services: readonly string[],
): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const owners = new Map<string, string>(services.map((service) => [serviceName(service), service]));
  const claim = (name: string, typeName: string): boolean => {
    if (owners.has(name)) return false;
    owners.set(name, typeName);
    names.set(typeName, name);
    return true;
  };
  // The own package first, so that its names do not depend on what it imports.
  const inOrder = [...needed].sort((a, b) => Number(isIn(b, packageName)) - Number(isIn(a, packageName)));
  for (const typeName of inOrder) {
    const packageOfType = isIn(typeName, packageName) ? packageName : foreignPackage(definitions, typeName);
    const short = escape(typeName.slice(packageOfType === "" ? 0 : packageOfType.length + 1).replaceAll(".", "_"));
    if (claim(short, typeName) || claim(escape(typeName.replaceAll(".", "_")), typeName)) continue;
    const definition: MessageDefinition | EnumDefinition | undefined =
      definitions.messages.get(typeName) ?? definitions.enums.get(typeName);
    throw protoError(
      definition?.place,
      `${typeName} and ${owners.get(short) ?? "another"} are both ${short} in TypeScript`,
    );
  }
  return names;
}

/** The TypeScript name of a service. */
export function serviceName(typeName: string): string {
  return escape(typeName.slice(typeName.lastIndexOf(".") + 1));
}

function escape(name: string): string {
  return TAKEN.has(name) ? `${name}_` : name;
}

function isIn(typeName: string, packageName: string): boolean {
  return packageName === "" || typeName.startsWith(`${packageName}.`);
}

/** The package is what stands in front of the outermost message. */
function foreignPackage(definitions: Definitions, typeName: string): string {
  const parts = typeName.split(".");
  for (let count = 1; count < parts.length; count++) {
    if (definitions.messages.has(parts.slice(0, count).join("."))) return parts.slice(0, count - 1).join(".");
  }
  return parts.slice(0, -1).join(".");
}

import { type Capabilities, type Capability, gapOf, type Support } from "../words/capabilities.ts";

/** The better degree first. */
const DEGREES: readonly (readonly string[])[] = [
  ["native", "emulated"],
  ["propagated", "local"],
  ["durable", "volatile"],
];

/** What parts can do together: of each capability the weakest, and of a gap the sentence of the part that has it. */
export function weakestOf(
  parts: readonly { readonly endpoint: string; readonly capabilities: Capabilities }[],
): Capabilities {
  const [first, ...others] = parts.map(({ capabilities }) => capabilities);
  const weakest: Record<string, Support<string>> = { ...first };
  for (const name of Object.keys(weakest) as Capability[]) {
    for (const other of others) weakest[name] = weaker(weakest[name] ?? MISSING, other[name]);
  }
  // Every member comes from one of the parts, under its own name.
  return Object.freeze(weakest) as unknown as Capabilities;
}

const MISSING = { unsupported: "a part of this composition does not say whether it has this" };

function weaker(one: Support<string>, other: Support<string> | undefined): Support<string> {
  if (other === undefined || gapOf(one) !== undefined) return gapOf(one) === undefined ? MISSING : one;
  if (typeof one !== "string" || typeof other !== "string") return other;
  const degrees = DEGREES.find((list) => list.includes(one)) ?? [];
  return degrees.indexOf(other) > degrees.indexOf(one) ? other : one;
}

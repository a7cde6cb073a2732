import type { JsonText } from "./store-words.ts";

/** Whether two JSON texts say the same: the order of an object's members does not count. What is no JSON, in a row of somebody else's, says nothing. */
export function isSameJson(left: JsonText, right: JsonText): boolean {
  if (left === right) return true;
  const [one, other] = [sorted(left), sorted(right)];
  return one !== undefined && one === other;
}

function sorted(text: JsonText): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), sortedMembers);
  } catch {
    return undefined;
  }
}

function sortedMembers(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // No prototype: a member may be called __proto__.
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) copy[key] = member;
  return copy;
}

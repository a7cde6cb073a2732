import type { JsonText } from "./store-words.ts";

/** Whether two JSON texts say the same: the order of an object's members does not count. */
export function isSameJson(left: JsonText, right: JsonText): boolean {
  return left === right || sorted(left) === sorted(right);
}

function sorted(text: JsonText): string {
  return JSON.stringify(JSON.parse(text), (_key, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    // No prototype: a member may be called __proto__.
    const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [key, member] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) copy[key] = member;
    return copy;
  });
}

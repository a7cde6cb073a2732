/** Whether a value can be written as a map field: a plain object where keys are strings, a Map where they are not. */
export function isMapOrRecord(value: unknown, asRecord: boolean): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (!asRecord) return value instanceof Map;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The entries of a map field: own, enumerable ones of a record. */
export function mapEntries(map: object): Iterable<readonly [unknown, unknown]> {
  return map instanceof Map ? (map as Map<unknown, unknown>) : Object.entries(map);
}

import type { ProtoReader } from "../reader.ts";
import { checkEnd } from "./reading.ts";

/** How a generated map field reads its entries. */
export interface MapEntryRules<K, V> {
  readonly keyTag: number;
  readonly valueTag: number;
  readonly emptyKey: K;
  readonly readKey: (reader: ProtoReader) => K;
  /** `into` is the value of an earlier half of the same entry. */
  readonly readValue: (reader: ProtoReader, depth: number, into: V | undefined) => V;
  readonly emptyValue: (reader: ProtoReader) => V;
}

/** Reads one entry of a map into a record without prototype, where `__proto__` is a key like any other. Later keys win. */
export function readRecordEntry<V>(
  reader: ProtoReader,
  depth: number,
  rules: MapEntryRules<string, V>,
  into: { [key: string]: V },
): void {
  readEntry(reader, depth, rules, (key, value) => {
    into[key] = value;
  });
}

/** Reads one entry of a map into a Map. Later keys win. */
export function readMapEntry<K, V>(
  reader: ProtoReader,
  depth: number,
  rules: MapEntryRules<K, V>,
  into: Map<K, V>,
): void {
  readEntry(reader, depth, rules, (key, value) => into.set(key, value));
}

function readEntry<K, V>(
  reader: ProtoReader,
  depth: number,
  rules: MapEntryRules<K, V>,
  add: (key: K, value: V) => void,
): void {
  reader.countElement();
  const end = reader.lengthEnd();
  let key = rules.emptyKey;
  let value: V | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === rules.keyTag) key = rules.readKey(reader);
    else if (tag === rules.valueTag) value = rules.readValue(reader, depth, value);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkEnd(reader, end);
  add(key, value === undefined ? rules.emptyValue(reader) : value);
}

/** An empty map field with string keys. */
export function emptyRecord<V>(): { [key: string]: V } {
  return Object.create(null) as { [key: string]: V };
}

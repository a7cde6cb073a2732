import { fieldError } from "../messages/field-error.ts";
import type { Drafts } from "./drafts.ts";

/**
 * Which name has which number, for ever. Kept in a file beside the `.proto` and in version control: a field that moves keeps its
 * number, one that goes leaves its number behind, and one that changes its type gets a new one.
 */
export interface NumberLock {
  readonly version: 1;
  readonly messages: { readonly [message: string]: LockedNumbers };
  readonly enums: { readonly [name: string]: LockedNumbers };
}

export interface LockedNumbers {
  /** Every name that was ever there, with its number and, for a field, its type. */
  readonly names: { readonly [name: string]: { readonly number: number; readonly type?: string } };
  /** Numbers whose name has a new number since its type changed. */
  readonly retired: readonly number[];
}

/** What a message or enum looks like after locking: numbers in use, and what is reserved. */
export interface NumberedNames {
  readonly numbers: ReadonlyMap<string, number>;
  readonly reservedNumbers: readonly number[];
  readonly reservedNames: readonly string[];
}

/** Gives every draft its numbers: those of the old lock, and new ones for what is new. */
export function assignNumbers(
  drafts: Drafts,
  old: NumberLock | undefined,
): { lock: NumberLock; numbered: ReadonlyMap<string, NumberedNames> } {
  if (old !== undefined && old.version !== 1) throw fieldError("lock", `has version ${String(old.version)}, not 1`);
  const numbered = new Map<string, NumberedNames>();
  const messages: Record<string, LockedNumbers> = Object.create(null) as Record<string, LockedNumbers>;
  const enums: Record<string, LockedNumbers> = Object.create(null) as Record<string, LockedNumbers>;
  // What is gone stays in the lock: it may come back, and must find its numbers then.
  Object.assign(messages, old?.messages);
  Object.assign(enums, old?.enums);
  for (const { name, fields } of drafts.messages.values()) {
    const wanted = fields.map((field) => ({
      name: field.name,
      type: `${field.shape.rule === "one" ? "" : `${field.shape.rule} `}${field.shape.type}`,
    }));
    const locked = lockNames(wanted, messages[name], 1, nextField);
    messages[name] = locked;
    numbered.set(name, namesInUse(locked, wanted));
  }
  for (const { name, values } of drafts.enums.values()) {
    const locked = lockNames(
      values.map((value) => ({ name: value.name })),
      enums[name],
      1,
      (number) => number + 1,
    );
    enums[name] = locked;
    numbered.set(name, namesInUse(locked, values));
  }
  return { lock: { version: 1, messages, enums }, numbered };
}

function lockNames(
  wanted: readonly { readonly name: string; readonly type?: string }[],
  old: LockedNumbers | undefined,
  first: number,
  after: (number: number) => number,
): LockedNumbers {
  const names = Object.assign(Object.create(null) as object, old?.names) as Record<
    string,
    { number: number; type?: string }
  >;
  const retired = [...(old?.retired ?? [])];
  const taken = [...Object.values(names).map(({ number }) => number), ...retired];
  let next = taken.length === 0 ? first : after(Math.max(...taken));
  for (const { name, type } of wanted) {
    const known = names[name];
    if (known !== undefined && known.type === type) continue;
    if (known !== undefined) retired.push(known.number);
    names[name] = type === undefined ? { number: next } : { number: next, type };
    next = after(next);
  }
  return { names, retired };
}

function namesInUse(locked: LockedNumbers, wanted: readonly { readonly name: string }[]): NumberedNames {
  const numbers = new Map<string, number>();
  for (const { name } of wanted) numbers.set(name, locked.names[name]?.number ?? 0);
  const gone = Object.entries(locked.names).filter(([name]) => !numbers.has(name));
  return {
    numbers,
    reservedNumbers: [...gone.map(([, { number }]) => number), ...locked.retired].sort((a, b) => a - b),
    reservedNames: gone.map(([name]) => name).sort(),
  };
}

/** Numbers 19000 to 19999 belong to protobuf itself. */
function nextField(number: number): number {
  return number === 18_999 ? 20_000 : number + 1;
}

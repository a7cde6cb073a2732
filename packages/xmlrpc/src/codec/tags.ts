/** The elements that XML-RPC knows, by number: comparing these is all that reading does with most names. */
export const Tag = {
  Unknown: -1,
  /** Around the root. */
  Document: 0,
  MethodCall: 1,
  MethodResponse: 2,
  MethodName: 3,
  Params: 4,
  Param: 5,
  Fault: 6,
  Value: 7,
  Array: 8,
  Data: 9,
  Struct: 10,
  Member: 11,
  Name: 12,
  /** From here on: types that hold text. */
  Int: 13,
  I4: 14,
  Double: 15,
  Boolean: 16,
  String: 17,
  DateTime: 18,
  Base64: 19,
  /** From here on: extensions. */
  Nil: 20,
  I1: 21,
  I2: 22,
  I8: 23,
  Float: 24,
  BigInteger: 25,
  BigDecimal: 26,
  /** With a bound prefix only. */
  ExtendedDateTime: 27,
} as const;

const NAMES = [
  "",
  "methodCall",
  "methodResponse",
  "methodName",
  "params",
  "param",
  "fault",
  "value",
  "array",
  "data",
  "struct",
  "member",
  "name",
  "int",
  "i4",
  "double",
  "boolean",
  "string",
  "dateTime.iso8601",
  "base64",
  "nil",
  "i1",
  "i2",
  "i8",
  "float",
  "biginteger",
  "bigdecimal",
  "dateTime",
] as const;

/** The name of a known element. */
export function tagName(tag: number): string {
  return NAMES[tag] ?? "";
}

/** Names of one length, for {@link tagOf}: at most six, most often the first of them. */
const BY_LENGTH: readonly (readonly number[])[] = byLength();

function byLength(): number[][] {
  const lengths: number[][] = Array.from({ length: 17 }, () => []);
  const frequent = [Tag.Value, Tag.Name, Tag.Member, Tag.String, Tag.Int, Tag.Struct];
  const rest = [...NAMES.keys()].filter((tag) => tag !== Tag.Document && tag !== Tag.ExtendedDateTime);
  for (const tag of new Set<number>([...frequent, ...rest])) lengths[tagName(tag).length]?.push(tag);
  return lengths;
}

/** The number of a name as it stands in the document, without prefix. */
export function tagOf(name: string): number {
  const candidates = BY_LENGTH[name.length];
  if (candidates === undefined) return Tag.Unknown;
  for (let i = 0; i < candidates.length; i++) {
    const tag = candidates[i] ?? Tag.Unknown;
    if (NAMES[tag] === name) return tag;
  }
  return Tag.Unknown;
}

/** Whether an element holds text alone. */
export function isScalar(tag: number): boolean {
  return tag >= Tag.Int;
}

export function isExtension(tag: number): boolean {
  return tag >= Tag.Nil;
}

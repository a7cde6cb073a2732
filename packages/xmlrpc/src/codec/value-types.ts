import { invalid } from "./faults.ts";
import {
  isBlank,
  readBase64,
  readBigInteger,
  readBoolean,
  readDateTime,
  readDecimal,
  readDouble,
  readInt,
} from "./scalars.ts";
import { Tag } from "./tags.ts";

/** How values are read. */
export interface ValueRules {
  readonly strict: boolean;
  readonly nonFinite: boolean;
  readonly preferNumber: boolean;
  readonly asDate: boolean;
}

/** The value of an element that holds text. Throws FaultError -32600. */
export function readScalar(tag: number, text: string, rules: ValueRules): unknown {
  const { strict } = rules;
  switch (tag) {
    case Tag.String:
      return text;
    case Tag.Int:
      return readInt(text, "int", strict ? 32 : 64, strict);
    case Tag.I4:
      return readInt(text, "i4", strict ? 32 : 64, strict);
    case Tag.Double:
    case Tag.Float:
      return readDouble(text, strict, rules.nonFinite);
    case Tag.Boolean:
      return readBoolean(text);
    case Tag.DateTime:
    case Tag.ExtendedDateTime: {
      const date = readDateTime(text, strict);
      return rules.asDate ? date.toDate() : date;
    }
    case Tag.Base64:
      return readBase64(text, strict);
    case Tag.I8:
      return bigOf(readInt(text, "i8", 64, strict), rules);
    case Tag.BigInteger:
      return bigOf(readBigInteger(text), rules);
    case Tag.BigDecimal:
      return readDecimal(text);
    case Tag.I1:
      return readInt(text, "i1", 8, strict);
    case Tag.I2:
      return readInt(text, "i2", 16, strict);
    default:
      if (isBlank(text)) return null;
      throw invalid("nil holds text");
  }
}

function bigOf(number: number | bigint, rules: ValueRules): number | bigint {
  if (!rules.preferNumber) return BigInt(number);
  return number >= Number.MIN_SAFE_INTEGER && number <= Number.MAX_SAFE_INTEGER ? Number(number) : number;
}

import { FaultCode, FaultError } from "../fault.ts";
import { Decimal, MAX_DIGITS, XmlRpcDateTime } from "../values.ts";
import { invalid } from "./faults.ts";

/** The text of a type element to its value. All throw FaultError -32600. */

const INT = /^[+-]?\d+$/;
const I8_MIN = -(2n ** 63n);
const I8_MAX = 2n ** 63n - 1n;

export function readInt(text: string, tag: string, bits: 8 | 16 | 32 | 64, strict: boolean): number | bigint {
  const digits = strict ? text : trimBlanks(text);
  // Most numbers of a document are short: those need no BigInt and no bounds.
  if (digits.length > 20 || !INT.test(digits)) throw wrong(tag, text);
  const number = Number(digits);
  // Not -0: "-0" is an integer.
  if (Number.isSafeInteger(number)) {
    if (bits < 64 && (number < -(2 ** (bits - 1)) || number >= 2 ** (bits - 1))) throw outOfRange(tag, text);
    return number === 0 ? 0 : number;
  }
  const big = BigInt(digits.startsWith("+") ? digits.slice(1) : digits);
  if (bits < 64 || big < I8_MIN || big > I8_MAX) throw outOfRange(tag, text);
  return big;
}

export function readBigInteger(text: string): bigint {
  const digits = trimBlanks(text);
  if (digits.length > MAX_DIGITS || !INT.test(digits)) throw wrong("biginteger", text);
  return BigInt(digits.startsWith("+") ? digits.slice(1) : digits);
}

export function readDecimal(text: string): Decimal {
  try {
    return new Decimal(trimBlanks(text));
  } catch (cause) {
    throw wrong("bigdecimal", text, cause);
  }
}

export function readBoolean(text: string): boolean {
  if (text === "1") return true;
  if (text === "0") return false;
  throw wrong("boolean", text);
}

/** Longest text of a double, in characters. */
const MAX_DOUBLE = 400;
const DOUBLE_STRICT = /^[+-]?\d+\.\d+$/;
const DOUBLE_STRICT_WHOLE = /^[+-]?\d+$/;
const DOUBLE = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["nan", Number.NaN],
  ["INF", Number.POSITIVE_INFINITY],
  ["+INF", Number.POSITIVE_INFINITY],
  ["inf", Number.POSITIVE_INFINITY],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-INF", Number.NEGATIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

export function readDouble(text: string, strict: boolean, nonFinite: boolean): number {
  const digits = strict ? text : trimBlanks(text);
  if (digits.length > MAX_DOUBLE) throw wrong("double", text);
  if (strict ? DOUBLE_STRICT.test(digits) || DOUBLE_STRICT_WHOLE.test(digits) : DOUBLE.test(digits)) {
    const number = Number(digits);
    // 1e400 is a finite number that a double cannot hold: Infinity would be a wrong one.
    if (!Number.isFinite(number)) throw outOfRange("double", text);
    return number;
  }
  const special = nonFinite ? NON_FINITE.get(digits) : undefined;
  if (special === undefined) throw wrong("double", text);
  return special;
}

const DATE_STRICT = /^(\d{4})(\d\d)(\d\d)T(\d\d):(\d\d):(\d\d)$/;
const DATE =
  /^(?:(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d))(?:[T ](\d\d):?(\d\d):?(\d\d)(?:[.,](\d{1,9}))?(?:(Z)|([+-])(\d\d):?(\d\d))?)?$/;
const MAX_DATE = 64;

export function readDateTime(text: string, strict: boolean): XmlRpcDateTime {
  const plain = DATE_STRICT.exec(text);
  try {
    if (plain !== null) {
      return new XmlRpcDateTime({
        year: Number(plain[1]),
        month: Number(plain[2]),
        day: Number(plain[3]),
        hour: Number(plain[4]),
        minute: Number(plain[5]),
        second: Number(plain[6]),
      });
    }
    const found = strict || text.length > MAX_DATE ? null : DATE.exec(trimBlanks(text));
    if (found === null) throw wrong("dateTime.iso8601", text);
    const [, y1, mo1, d1, y2, mo2, d2, h, mi, s, fraction, z, sign, zh, zm] = found;
    return new XmlRpcDateTime({
      year: Number(y1 ?? y2),
      month: Number(mo1 ?? mo2),
      day: Number(d1 ?? d2),
      hour: Number(h ?? 0),
      minute: Number(mi ?? 0),
      second: Number(s ?? 0),
      millisecond: fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0")),
      offset: z === "Z" ? 0 : sign === undefined ? undefined : offsetOf(sign, Number(zh), Number(zm)),
      dateOnly: h === undefined,
    });
  } catch (thrown) {
    throw thrown instanceof FaultError ? thrown : wrong("dateTime.iso8601", text, thrown);
  }
}

/** Minutes east of UTC; NaN, which no date takes, for one that is none. */
function offsetOf(sign: string, hours: number, minutes: number): number {
  if (minutes > 59) return Number.NaN;
  return sign === "-" ? 0 - (hours * 60 + minutes) : hours * 60 + minutes;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function readBase64(text: string, strict: boolean): Uint8Array {
  const compact = /[ \t\r\n]/.test(text) ? text.replace(/[ \t\r\n]+/g, "") : text;
  if (!BASE64.test(compact)) throw wrong("base64", text);
  const rest = compact.length % 4;
  // Without padding one character is left over: no byte at all. With padding the length is a multiple of four.
  if (rest === 1 || (rest !== 0 && (strict || compact.endsWith("=")))) throw wrong("base64", text);
  const bytes = Buffer.from(compact, "base64");
  // Small buffers are cut from a pool that they would show through `.buffer`.
  return bytes.byteLength === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes);
}

/** XML's white space, which is less than `trim` removes. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlankCode(text.charCodeAt(start))) start++;
  while (end > start && isBlankCode(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

export function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isBlankCode(text.charCodeAt(i))) return false;
  return true;
}

export function isBlankCode(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

function wrong(tag: string, text: string, cause?: unknown): FaultError {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return invalid(`${shown} is no ${tag}`, cause);
}

function outOfRange(tag: string, text: string): FaultError {
  return new FaultError(FaultCode.InvalidRequest, `OverflowError: ${tag} out of range: ${text.slice(0, 40)}`);
}

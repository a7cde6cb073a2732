import type { ProtoReader } from "../reader.ts";
import type { ProtoWriter } from "../writer.ts";
import type { Scalar } from "../model/definitions.ts";

/** What one scalar type takes, and how it travels. `mustBe` ends the sentence "commit must be …". */
export interface ScalarRules {
  readonly mustBe: string;
  readonly empty: () => unknown;
  readonly accepts: (value: unknown) => boolean;
  /** Whether an accepted value is the default, which does not travel where a field has no presence. */
  readonly isDefault: (value: unknown) => boolean;
  readonly write: (writer: ProtoWriter, value: never) => void;
  readonly read: (reader: ProtoReader) => unknown;
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/** Whether a value is a bigint that fits a signed 64-bit field. */
export function isInt64(value: unknown): value is bigint {
  return typeof value === "bigint" && value >= MIN_INT64 && value <= MAX_INT64;
}

/** Whether a value is a bigint that fits an unsigned 64-bit field. */
export function isUint64(value: unknown): value is bigint {
  return typeof value === "bigint" && value >= 0n && value <= MAX_UINT64;
}

/** Whether a value fits a signed 32-bit field. */
function isInt32(value: unknown): value is number {
  // The bit operation makes a fraction, NaN or a number out of range into another number.
  return typeof value === "number" && (value | 0) === value;
}

/** Whether a value fits an unsigned 32-bit field. */
function isUint32(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}

/** Words for error messages; generated code names them too. */
export const MUST_BE = {
  int32: "a whole number of 32 bits",
  uint32: "a whole number of 32 bits, not negative",
  int64: "a bigint of 64 bits",
  uint64: "a bigint of 64 bits, not negative",
  number: "a number",
  bool: "a boolean",
  string: "a string",
  bytes: "a Uint8Array",
} as const;

const zero = (): number => 0;
const zeroBig = (): bigint => 0n;
const isZero = (value: unknown): boolean => value === 0;
const isZeroBig = (value: unknown): boolean => value === 0n;
// -0 is not the default: its bits differ.
const isPlusZero = (value: unknown): boolean => Object.is(value, 0);
const isNumber = (value: unknown): boolean => typeof value === "number";

/** The rules of every scalar type. */
export const SCALARS: Readonly<Record<Scalar, ScalarRules>> = {
  int32: rules(
    MUST_BE.int32,
    zero,
    isInt32,
    isZero,
    (w, v: number) => w.int32(v),
    (r) => r.int32(),
  ),
  sint32: rules(
    MUST_BE.int32,
    zero,
    isInt32,
    isZero,
    (w, v: number) => w.sint32(v),
    (r) => r.sint32(),
  ),
  sfixed32: rules(
    MUST_BE.int32,
    zero,
    isInt32,
    isZero,
    (w, v: number) => w.sfixed32(v),
    (r) => r.sfixed32(),
  ),
  uint32: rules(
    MUST_BE.uint32,
    zero,
    isUint32,
    isZero,
    (w, v: number) => w.uint32(v),
    (r) => r.uint32(),
  ),
  fixed32: rules(
    MUST_BE.uint32,
    zero,
    isUint32,
    isZero,
    (w, v: number) => w.fixed32(v),
    (r) => r.fixed32(),
  ),
  int64: rules(
    MUST_BE.int64,
    zeroBig,
    isInt64,
    isZeroBig,
    (w, v: bigint) => w.int64(v),
    (r) => r.int64(),
  ),
  sint64: rules(
    MUST_BE.int64,
    zeroBig,
    isInt64,
    isZeroBig,
    (w, v: bigint) => w.sint64(v),
    (r) => r.sint64(),
  ),
  sfixed64: rules(
    MUST_BE.int64,
    zeroBig,
    isInt64,
    isZeroBig,
    (w, v: bigint) => w.sfixed64(v),
    (r) => r.sfixed64(),
  ),
  uint64: rules(
    MUST_BE.uint64,
    zeroBig,
    isUint64,
    isZeroBig,
    (w, v: bigint) => w.uint64(v),
    (r) => r.uint64(),
  ),
  fixed64: rules(
    MUST_BE.uint64,
    zeroBig,
    isUint64,
    isZeroBig,
    (w, v: bigint) => w.fixed64(v),
    (r) => r.fixed64(),
  ),
  float: rules(
    MUST_BE.number,
    zero,
    isNumber,
    isPlusZero,
    (w, v: number) => w.float(v),
    (r) => r.float(),
  ),
  double: rules(
    MUST_BE.number,
    zero,
    isNumber,
    isPlusZero,
    (w, v: number) => w.double(v),
    (r) => r.double(),
  ),
  bool: rules(
    MUST_BE.bool,
    () => false,
    (v) => typeof v === "boolean",
    (v) => v === false,
    (w, v: boolean) => w.bool(v),
    (r) => r.bool(),
  ),
  string: rules(
    MUST_BE.string,
    () => "",
    (v) => typeof v === "string",
    (v) => v === "",
    (w, v: string) => w.string(v),
    (r) => r.string(),
  ),
  bytes: rules(
    MUST_BE.bytes,
    () => new Uint8Array(0),
    (v) => v instanceof Uint8Array,
    (v) => v instanceof Uint8Array && v.length === 0,
    (w, v: Uint8Array) => w.bytes(v),
    (r) => r.bytes(),
  ),
};

function rules<T>(
  mustBe: string,
  empty: () => unknown,
  accepts: (value: unknown) => boolean,
  isDefault: (value: unknown) => boolean,
  write: (writer: ProtoWriter, value: T) => unknown,
  read: (reader: ProtoReader) => unknown,
): ScalarRules {
  return { mustBe, empty, accepts, isDefault, write, read };
}

import { outOfRange, wrongValue } from "./parse-error.ts";

/** What a 64-bit field takes: a bigint, a safe integer, or two halves as other libraries keep them. */
export type LongValue = bigint | number | { readonly low: number; readonly high: number };

/** A 64-bit value as two halves of 32 bits, both unsigned. */
export class LongBits {
  low = 0;
  high = 0;

  /** Takes a value over. Negative ones become two's complement. Throws OUT_OF_RANGE for what 64 bits cannot hold exactly. */
  set(value: LongValue): void {
    if (typeof value === "number") this.#setNumber(value);
    else if (typeof value === "bigint") this.#setBigint(value);
    else {
      this.low = value.low >>> 0;
      this.high = value.high >>> 0;
    }
  }

  #setNumber(value: number): void {
    if (!Number.isSafeInteger(value)) {
      if (Number.isInteger(value)) throw outOfRange(`${value} is beyond 2^53 and not exact: pass a bigint`);
      throw wrongValue(`${String(value)} is not a whole number`);
    }
    this.low = value >>> 0;
    this.high = ((value - this.low) / 4_294_967_296) >>> 0;
  }

  #setBigint(value: bigint): void {
    if (value >= -9_007_199_254_740_991n && value <= 9_007_199_254_740_991n) {
      this.#setNumber(Number(value));
      return;
    }
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw outOfRange(`${value} does not fit 64 bits`);
    this.low = Number(value & 0xffff_ffffn);
    this.high = Number((value >> 32n) & 0xffff_ffffn);
  }

  zigZag(): void {
    const sign = (this.high | 0) >> 31;
    this.high = (((this.high << 1) | (this.low >>> 31)) ^ sign) >>> 0;
    this.low = ((this.low << 1) ^ sign) >>> 0;
  }

  undoZigZag(): void {
    const sign = -(this.low & 1);
    this.low = (((this.low >>> 1) | (this.high << 31)) ^ sign) >>> 0;
    this.high = ((this.high >>> 1) ^ sign) >>> 0;
  }

  unsigned(): bigint {
    if (this.high === 0) return BigInt(this.low);
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  signed(): bigint {
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low);
  }

  /** Throws OUT_OF_RANGE beyond 2^53 − 1. */
  unsignedNumber(): number {
    if (this.high > 0x1f_ffff) throw outOfRange(`${this.unsigned()} is beyond 2^53 - 1`);
    return this.high * 4_294_967_296 + this.low;
  }

  /** Throws OUT_OF_RANGE beyond ±(2^53 − 1). */
  signedNumber(): number {
    const value = (this.high | 0) * 4_294_967_296 + this.low;
    if (!Number.isSafeInteger(value)) throw outOfRange(`${this.signed()} is beyond 2^53 - 1`);
    return value;
  }
}

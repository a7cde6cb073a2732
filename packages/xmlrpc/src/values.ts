import { RpcError } from "@rpc/core";

/** Forces `<double>` for a whole number: `new Double(3)` is written as `3.0`. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }
}

/** Longest text of a {@link Decimal} and of a big integer, in characters: BigInt's own parser is quadratic. */
export const MAX_DIGITS = 4_096;

/** A decimal number of any precision (`bigdecimal`), kept as its text: `new Decimal("-0.10")`. */
export class Decimal {
  readonly text: string;

  /** Throws INVALID_ARGUMENT for anything but sign, digits, point, exponent, and for more than 4096 characters. */
  constructor(text: string) {
    if (text.length > MAX_DIGITS || !/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
      throw new RpcError("INVALID_ARGUMENT", `${JSON.stringify(text.slice(0, 40))} is no decimal number`, {
        reason: "INVALID_ARGUMENT",
      });
    }
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** The parts of an {@link XmlRpcDateTime}. */
export interface DateTimeParts {
  /** 1 to 9999. */
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  /** Default 0, as all that follow. */
  readonly hour?: number | undefined;
  readonly minute?: number | undefined;
  readonly second?: number | undefined;
  readonly millisecond?: number | undefined;
  /** Minutes east of UTC; undefined: naive, the wall clock of a place that the document does not name. */
  readonly offset?: number | undefined;
  /** The text had no time of day. */
  readonly dateOnly?: boolean | undefined;
}

/** What a naive date is the wall clock of: UTC, this machine's own zone, or minutes east of UTC. */
export type Zone = "utc" | "local" | number;

/**
 * A `dateTime.iso8601` as it stood in the document. XML-RPC names no zone, so a naive one is no instant until somebody says where it was
 * read: {@link toDate}.
 */
export class XmlRpcDateTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
  readonly offset: number | undefined;
  readonly dateOnly: boolean;

  /** Throws INVALID_ARGUMENT for a day or a time that does not exist. */
  constructor(parts: DateTimeParts) {
    this.year = parts.year;
    this.month = parts.month;
    this.day = parts.day;
    this.hour = parts.hour ?? 0;
    this.minute = parts.minute ?? 0;
    this.second = parts.second ?? 0;
    this.millisecond = parts.millisecond ?? 0;
    this.offset = parts.offset;
    this.dateOnly = parts.dateOnly ?? false;
    if (!isReal(this)) {
      throw new RpcError("INVALID_ARGUMENT", `${this.toString()} is no date and time of the calendar`, {
        reason: "INVALID_ARGUMENT",
      });
    }
  }

  /** The instant's wall clock in UTC, with offset 0. */
  static from(date: Date): XmlRpcDateTime {
    return new XmlRpcDateTime({
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      millisecond: date.getUTCMilliseconds(),
      offset: 0,
    });
  }

  /** The instant. `zone` says whose wall clock a naive one is (default `"utc"`); one with an offset ignores it. */
  toDate(zone: Zone = "utc"): Date {
    const date = new Date(0);
    if (zone === "local" && this.offset === undefined) {
      date.setFullYear(this.year, this.month - 1, this.day);
      date.setHours(this.hour, this.minute, this.second, this.millisecond);
      return date;
    }
    // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999.
    date.setUTCFullYear(this.year, this.month - 1, this.day);
    date.setUTCHours(this.hour, this.minute, this.second, this.millisecond);
    const offset = this.offset ?? (typeof zone === "number" ? zone : 0);
    if (offset !== 0) date.setTime(date.getTime() - offset * 60_000);
    return date;
  }

  /** `2005-02-10T11:41:23.250+05:30`; a naive one has no zone, a date alone no time. */
  toString(): string {
    const day = `${pad(this.year, 4)}-${pad(this.month, 2)}-${pad(this.day, 2)}`;
    if (this.dateOnly) return day;
    const time = `${pad(this.hour, 2)}:${pad(this.minute, 2)}:${pad(this.second, 2)}`;
    const fraction = this.millisecond === 0 ? "" : `.${pad(this.millisecond, 3)}`;
    return `${day}T${time}${fraction}${zoneText(this.offset)}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

function zoneText(offset: number | undefined): string {
  if (offset === undefined) return "";
  if (offset === 0) return "Z";
  const minutes = Math.abs(offset);
  return `${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`;
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, "0");
}

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function isReal(date: XmlRpcDateTime): boolean {
  return (
    isRealDay(date.year, date.month, date.day) &&
    isWithin(date.hour, 23) &&
    isWithin(date.minute, 59) &&
    isWithin(date.second, 59) &&
    isWithin(date.millisecond, 999) &&
    (date.offset === undefined || isWithin(Math.abs(date.offset), 24 * 60 - 1))
  );
}

function isWithin(number: number, last: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= last;
}

function isRealDay(year: number, month: number, day: number): boolean {
  if (!Number.isInteger(year) || year < 1 || year > 9999) return false;
  if (!Number.isInteger(day) || day < 1 || day > (DAYS[month - 1] ?? 0)) return false;
  return month !== 2 || day < 29 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0));
}

/** The id of a record; undefined, null and false stand for one that is not saved yet. */
export type RecordId = number | bigint | string | false | null | undefined;

/** A set of records of a model: answered as the array of its ids, without those that are not saved. */
export class Records {
  readonly model: string;
  readonly ids: readonly RecordId[];

  constructor(model: string, ids: readonly RecordId[]) {
    this.model = model;
    this.ids = ids;
  }

  toRpc(): unknown[] {
    return this.ids.filter((id) => id !== undefined && id !== null && id !== false);
  }
}

/** An object that says itself what it is on the wire: any value that can be marshalled. */
export interface Marshallable {
  toRpc(): unknown;
}

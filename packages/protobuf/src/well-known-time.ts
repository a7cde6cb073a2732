import { wrongField } from "./messages/field-error.ts";
import type { NestedCodec } from "./messages/nested.ts";
import { checkEnd } from "./messages/reading.ts";
import { parseError } from "./parse-error.ts";

const NANOS_PER_MS = 1_000_000;
// From 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999Z, as google/protobuf/timestamp.proto says.
const MIN_TIMESTAMP_MS = -62_135_596_800_000;
const MAX_TIMESTAMP_MS = 253_402_300_799_999;
const MAX_DURATION_MS = 315_576_000_000_000;

interface SecondsAndNanos {
  readonly seconds: number;
  readonly nanos: number;
}

/** google.protobuf.Timestamp as a Date: what is finer than a millisecond is cut off towards the past. */
export const timestampCodec: NestedCodec<Date> = {
  write(value, writer) {
    const ms = value instanceof Date ? value.getTime() : Number.NaN;
    if (!(ms >= MIN_TIMESTAMP_MS && ms <= MAX_TIMESTAMP_MS))
      throw wrongField("", "a Date between the years 1 and 9999", value);
    const seconds = Math.floor(ms / 1_000);
    writeParts(writer, { seconds, nanos: (ms - seconds * 1_000) * NANOS_PER_MS });
  },
  read(reader, end, _depth, into) {
    const before = into === undefined ? undefined : partsOfDate(into);
    const { seconds, nanos } = readParts(reader, end, before);
    const ms = seconds * 1_000 + Math.floor(nanos / NANOS_PER_MS);
    if (nanos < 0 || nanos > 999_999_999 || ms < MIN_TIMESTAMP_MS || ms > MAX_TIMESTAMP_MS) {
      throw parseError("a Timestamp lies outside the years 1 to 9999, or its nanos outside 0 to 999999999");
    }
    return new Date(ms);
  },
};

/** google.protobuf.Duration as milliseconds, with a fraction down to the nanosecond as far as a number can say it. */
export const durationCodec: NestedCodec<number> = {
  write(value, writer) {
    if (typeof value !== "number" || !(Math.abs(value) <= MAX_DURATION_MS))
      throw wrongField("", "milliseconds within ±10,000 years", value);
    let seconds = Math.trunc(value / 1_000);
    let nanos = Math.round((value - seconds * 1_000) * NANOS_PER_MS);
    if (Math.abs(nanos) === 1_000_000_000) {
      seconds += Math.sign(nanos);
      nanos = 0;
    }
    writeParts(writer, { seconds, nanos });
  },
  read(reader, end, _depth, into) {
    const { seconds, nanos } = readParts(reader, end, into === undefined ? undefined : partsOfMs(into));
    if (Math.abs(seconds) > MAX_DURATION_MS / 1_000 || Math.abs(nanos) > 999_999_999 || seconds * nanos < 0) {
      throw parseError("a Duration exceeds 10,000 years, or its nanos do not fit its seconds");
    }
    return seconds * 1_000 + nanos / NANOS_PER_MS;
  },
};

function partsOfDate(date: Date): SecondsAndNanos {
  const seconds = Math.floor(date.getTime() / 1_000);
  return { seconds, nanos: (date.getTime() - seconds * 1_000) * NANOS_PER_MS };
}

function partsOfMs(ms: number): SecondsAndNanos {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * NANOS_PER_MS) };
}

function writeParts(writer: Parameters<NestedCodec["write"]>[1], { seconds, nanos }: SecondsAndNanos): void {
  if (seconds !== 0) writer.uint32(8).int64(BigInt(seconds));
  if (nanos !== 0) writer.uint32(16).int32(nanos);
}

function readParts(
  reader: Parameters<NestedCodec["read"]>[0],
  end: number,
  before: SecondsAndNanos | undefined,
): SecondsAndNanos {
  let seconds = before?.seconds ?? 0;
  let nanos = before?.nanos ?? 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 8) seconds = Number(reader.int64());
    else if (tag === 16) nanos = reader.int32();
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkEnd(reader, end);
  return { seconds, nanos };
}

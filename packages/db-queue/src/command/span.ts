import { RpcError } from "@rpc/core";

/** Milliseconds, or text: `"500ms"`, `"10s"`, `"2m"`, `"1h"`, `"1d"`, and the old form `"now +10sec"`, `"now +2mins"`. */
export type Span = number | string;

const UNITS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ms: 1,
    s: 1000,
    sec: 1000,
    secs: 1000,
    second: 1000,
    seconds: 1000,
    m: 60_000,
    min: 60_000,
    mins: 60_000,
    minute: 60_000,
    minutes: 60_000,
    h: 3_600_000,
    hour: 3_600_000,
    hours: 3_600_000,
    d: 86_400_000,
    day: 86_400_000,
    days: 86_400_000,
  }),
);

const SPAN = /^(?:now\s*\+\s*)?(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]{1,7})$/;

/** A span in milliseconds. Throws INVALID_ARGUMENT for what is none; `what` names it in the message. */
export function spanMs(span: Span, what: string): number {
  if (typeof span === "number") {
    if (span >= 0 && Number.isFinite(span)) return span;
    throw refused(what, String(span));
  }
  const match = typeof span === "string" ? SPAN.exec(span.trim().toLowerCase()) : null;
  const unit = UNITS.get(match?.[2] ?? "");
  if (unit === undefined) throw refused(what, shown(span));
  return Number(match?.[1]) * unit;
}

function shown(span: unknown): string {
  return typeof span === "string" ? JSON.stringify(span.slice(0, 40)) : typeof span;
}

function refused(what: string, got: string): RpcError {
  return new RpcError(
    "INVALID_ARGUMENT",
    `${what} must be milliseconds or text such as "10s", "2m", "1h", got ${got}`,
    {
      reason: "INVALID_ARGUMENT",
      delivered: "no",
    },
  );
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);
const DAY_MS = 86_400_000;

/** Milliseconds of a text such as `500ms`, `10s`, `2m`, `1h`, `7d`; undefined for any other. */
export function spanMs(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,12}(?:\.\d{1,6})?)(ms|[smhd])$/.exec(text.trim()) ?? [];
  const ms = UNITS.get(unit);
  return ms === undefined ? undefined : Number(count) * ms;
}

/** Six characters at most: `12ms`, `1.2s`, `42s`, `3m`, `5h`, `12d`. */
export function shortSpan(ms: number): string {
  const span = Math.max(0, ms);
  if (span < 1000) return `${Math.round(span)}ms`;
  if (span < 9950) return `${(span / 1000).toFixed(1)}s`;
  if (span < 60_000) return `${Math.floor(span / 1000)}s`;
  if (span < 3_600_000) return `${Math.floor(span / 60_000)}m`;
  return span < DAY_MS ? `${Math.floor(span / 3_600_000)}h` : `${Math.floor(span / DAY_MS)}d`;
}

/** ISO 8601 in UTC; what no calendar has (a foreign program wrote it) stays a number. */
export function isoTime(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

/** The time of day here, `10:43:11.123`. */
export function localTime(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Date and time of day here, `2026-11-21 10:43:11.123`. */
export function localDateTime(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${localTime(at)}`;
}

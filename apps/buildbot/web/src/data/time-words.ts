const UNITS = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

const WORDS = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `3 minutes ago`, `in 2 hours`, `just now`. */
export function agoWords(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  if (Math.abs(seconds) < 45) return seconds > 5 ? "in a moment" : "just now";
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) < size && unit !== "minute") continue;
    return WORDS.format(Math.round(seconds / size) || Math.sign(seconds), unit);
  }
  return "";
}

/** `7 ms`, `0.4 s`, `1.5 s`, `12 s`, `3 min 5 s`, `2 h 4 min`. */
export function durationWords(ms: number): string {
  if (ms > 0 && ms < 1) return "< 1 ms";
  if (ms >= 1 && ms < 95) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${Number((Math.max(0, ms) / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** `512 B`, `1.4 MB`. */
export function byteWords(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let left = bytes;
  let unit = 0;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

import { Text, type TextProps } from "@mantine/core";
import { agoWords, durationWords } from "../data/time-words.ts";
import { useNow } from "../data/use-now.ts";
import { useTimes } from "../data/use-times.ts";

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const MINUTE = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } as const;
const THIS_YEAR = new Intl.DateTimeFormat(undefined, MINUTE);
const ANY_YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", ...MINUTE });

/** How long ago, or when, as is chosen; the other one when pointed at. */
export function Ago({ at, ...props }: { at: number } & TextProps) {
  const now = useNow(5_000);
  const isRelative = useTimes() === "relative";
  const ago = agoWords(at, now);
  return (
    <Text span inherit {...props}>
      <time dateTime={new Date(at).toISOString()} title={isRelative ? FULL.format(at) : ago}>
        {isRelative ? ago : shortTime(at, now)}
      </time>
    </Text>
  );
}

function shortTime(at: number, now: number): string {
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (isThisYear ? THIS_YEAR : ANY_YEAR).format(at);
}

/** From then until then, or until now. */
export function Elapsed({ from, to }: { from: number; to?: number | undefined }) {
  return to === undefined ? <Running from={from} /> : <span>{durationWords(to - from)}</span>;
}

function Running({ from }: { from: number }) {
  const now = useNow();
  return <span>{durationWords(Math.max(0, Math.floor((now - from) / 1000)) * 1000)}</span>;
}

import { Text, type TextProps } from "@mantine/core";
import { agoWords, durationWords } from "../data/time-words.ts";
import { useNow } from "../data/use-now.ts";

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** How long ago; the instant itself when pointed at. */
export function Ago({ at, ...props }: { at: number } & TextProps) {
  const now = useNow(5_000);
  return (
    <Text span inherit {...props}>
      <time dateTime={new Date(at).toISOString()} title={FULL.format(at)}>
        {agoWords(at, now)}
      </time>
    </Text>
  );
}

/** From then until then, or until now. */
export function Elapsed({ from, to }: { from: number; to?: number | undefined }) {
  return to === undefined ? <Running from={from} /> : <span>{durationWords(to - from)}</span>;
}

function Running({ from }: { from: number }) {
  const now = useNow();
  return <span>{durationWords(Math.max(0, Math.floor((now - from) / 1000)) * 1000)}</span>;
}

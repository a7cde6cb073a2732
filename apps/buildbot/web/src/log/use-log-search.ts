import { useDebouncedValue } from "@mantine/hooks";
import { useCallback, useEffect, useMemo, useState } from "react";
import { builds } from "../rpc/connection.ts";

const LIMIT = 500;
const NONE: readonly number[] = [];

export interface LogSearch {
  readonly text: string;
  /** Lines, from 0. */
  readonly found: readonly number[];
  readonly at: number;
  /** What the field says of it. */
  readonly words: string;
  setText(text: string): void;
  step(by: 1 | -1): void;
}

/** The server looks: the page holds a part of the log only. */
export function useLogSearch(build: number, step: number): LogSearch {
  const [text, setText] = useState("");
  const [wanted] = useDebouncedValue(text, 250);
  const [result, setResult] = useState<{ text: string; lines: readonly number[]; isFailure?: boolean }>({
    text: "",
    lines: NONE,
  });
  const [at, setAt] = useState(0);
  useEffect(() => {
    if (wanted === "") return setResult({ text: "", lines: NONE });
    const stop = new AbortController();
    builds.searchLog({ build, step, text: wanted, limit: LIMIT }, { signal: stop.signal }).then(
      (hits) => {
        setResult({ text: wanted, lines: hits.map(({ line }) => line) });
        setAt(0);
      },
      () => {
        if (!stop.signal.aborted) setResult({ text: wanted, lines: NONE, isFailure: true });
      },
    );
    return () => stop.abort();
  }, [build, step, wanted]);
  const { lines } = result;
  const count = lines.length === LIMIT ? `${LIMIT} or more` : String(lines.length);
  const none = result.isFailure === true ? "the search has failed" : "not found";
  const words = text === "" ? "" : result.text === text ? (lines.length === 0 ? none : `${at + 1} of ${count}`) : "…";
  const found = text === "" ? NONE : lines;
  const turn = useCallback(
    (by: 1 | -1) => setAt((before) => (lines.length === 0 ? 0 : (before + by + lines.length) % lines.length)),
    [lines],
  );
  // The same as long as it says the same: a log is drawn with each picture, and what has not changed is left out.
  return useMemo(
    () => ({ text, found, at, words, setText: (next) => setText(next.slice(0, 200)), step: turn }),
    [text, found, at, words, turn],
  );
}

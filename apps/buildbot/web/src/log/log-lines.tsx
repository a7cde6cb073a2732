import { Text } from "@mantine/core";
import {
  type CSSProperties,
  type Ref,
  useEffect,
  useEffectEvent,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
} from "react";
import { LogRow } from "./log-row.tsx";
import styles from "./log.module.css";
import { type LiveLog, useVersion } from "./use-log.ts";
import { useRows } from "./use-rows.ts";

const ROW_PX = 20;
/** Browsers end an element at about 33 million pixels. Of a longer log the end is shown. */
const MAX_LINES = 1_500_000;

export const firstShown = (total: number): number => Math.max(0, total - MAX_LINES);

export interface LogLinesHandle {
  /** From 0. */
  readonly goTo: (line: number) => void;
  readonly toEnd: () => void;
}

interface Props {
  readonly ref: Ref<LogLinesHandle>;
  readonly log: LiveLog;
  readonly step: number;
  readonly anchor: number | undefined;
  readonly found: readonly number[];
  /** The one of these that is looked at. */
  readonly find: number | undefined;
  readonly isFollowing: boolean;
  readonly setFollowing: (isFollowing: boolean) => void;
}

export function LogLines({ ref, log, step, anchor, found, find, isFollowing, setFollowing }: Props) {
  useVersion(log);
  const { windows, wasGrowing, hasEnded } = log;
  const { total } = windows;
  const base = firstShown(total);
  const scroll = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const rows = useRows(scroll, total - base, ROW_PX);
  const first = base + rows.first;
  const last = base + rows.end - 1;

  // Beyond what is shown of it lines go at the top: what is read stays where it is.
  const lastBase = useRef(base);
  useLayoutEffect(() => {
    const gone = base - lastBase.current;
    lastBase.current = base;
    if (gone > 0 && !isFollowing && scroll.current !== null) scroll.current.scrollTop -= gone * ROW_PX;
  }, [base, isFollowing]);

  useEffect(() => windows.look(first, last), [windows, first, last, windows.version]);

  const goTo = useEffectEvent((line: number) => {
    setFollowing(false);
    rows.goTo(line - base, "middle");
  });
  const isThere = anchor !== undefined && anchor < total;
  useEffect(() => {
    if (isThere) goTo(anchor);
  }, [anchor, isThere]);
  useEffect(() => {
    if (find !== undefined) goTo(find);
  }, [find]);

  const toEnd = useEffectEvent(() => {
    if (total > base) rows.goTo(total - base - 1, "end");
  });
  // Before it is drawn: what has come is drawn once, where it will stand.
  useLayoutEffect(() => {
    if (isFollowing && wasGrowing) toEnd();
  }, [isFollowing, wasGrowing, total]);

  useImperativeHandle(ref, () => ({
    goTo: (line) => {
      setFollowing(false);
      rows.goTo(line - base, "middle");
    },
    toEnd: () => rows.goTo(total - base, "end"),
  }));

  const onScroll = (element: HTMLDivElement): void => {
    const { scrollTop, scrollHeight, clientHeight } = element;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 2 * ROW_PX;
    // The page itself scrolls down only: who goes up wants to read.
    if (scrollTop < lastTop.current && !isAtEnd) setFollowing(false);
    else if (isAtEnd && wasGrowing && !hasEnded && scrollTop > lastTop.current) setFollowing(true);
    lastTop.current = scrollTop;
    rows.scrolled();
  };

  const marked = useMemo(() => new Set(found), [found]);
  const markOf = (line: number): "none" | "found" | "here" => {
    if (line === find || (find === undefined && line === anchor)) return "here";
    return marked.has(line) ? "found" : "none";
  };

  return (
    <div
      ref={scroll}
      className={styles.scroll}
      onScroll={(event) => onScroll(event.currentTarget)}
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label="log"
    >
      {total === 0 && (
        <Text c="dimmed" size="sm" p="md">
          {hasEnded ? "Nothing was written." : "Nothing has been written yet."}
        </Text>
      )}
      <div
        className={styles.all}
        style={{ height: (total - base) * ROW_PX, "--digits": String(total).length } as CSSProperties}
      >
        <div className={styles.shown} style={{ transform: `translateY(${rows.first * ROW_PX}px)` }}>
          {Array.from({ length: Math.max(0, rows.end - rows.first) }, (_, place) => {
            const line = first + place;
            return (
              <LogRow key={line % rows.places} step={step} index={line} line={windows.line(line)} mark={markOf(line)} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

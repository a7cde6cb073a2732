import { Alert, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useEffect, useEffectEvent, useRef, useState } from "react";
import { wordsOf } from "../data/notices.ts";
import { LogBar } from "./log-bar.tsx";
import { LogRow } from "./log-row.tsx";
import styles from "./log.module.css";
import { useLineAnchor } from "./use-line-anchor.ts";
import { useLog } from "./use-log.ts";
import { useLogSearch } from "./use-log-search.ts";

const ROW_PX = 20;
/** Browsers end an element at about 33 million pixels. Of a longer log the end is shown. */
const MAX_LINES = 1_500_000;

export function LogView({ build, step }: { build: number; step: number }) {
  const log = useLog(build, step);
  const { windows } = log;
  const { total } = windows;
  const base = Math.max(0, total - MAX_LINES);
  const anchor = useLineAnchor();
  const search = useLogSearch(build, step);
  const scroll = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const [isFollowing, setFollowing] = useState(anchor === undefined);
  const rows = useVirtualizer({
    count: total - base,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: 30,
  });
  const items = rows.getVirtualItems();
  const first = base + (items[0]?.index ?? 0);
  const last = base + (items.at(-1)?.index ?? -1);

  useEffect(() => windows.look(first, last), [windows, first, last, windows.version]);

  const goTo = useEffectEvent((line: number) => {
    setFollowing(false);
    rows.scrollToIndex(line - base, { align: "center" });
  });
  const isThere = anchor !== undefined && anchor < total;
  useEffect(() => {
    if (isThere) goTo(anchor);
  }, [anchor, isThere]);
  const find = search.found[search.at];
  useEffect(() => {
    if (find !== undefined) goTo(find);
  }, [find]);

  const isGrowing = log.wasGrowing && !log.hasEnded;
  const { wasGrowing } = log;
  const toEnd = useEffectEvent(() => {
    if (total > base) rows.scrollToIndex(total - base - 1, { align: "end" });
  });
  useEffect(() => {
    if (isFollowing && wasGrowing) toEnd();
  }, [isFollowing, wasGrowing, total]);

  const onScroll = (element: HTMLDivElement): void => {
    const { scrollTop, scrollHeight, clientHeight } = element;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 2 * ROW_PX;
    // The page itself scrolls down only: who goes up wants to read.
    if (scrollTop < lastTop.current && !isAtEnd) setFollowing(false);
    else if (isAtEnd && isGrowing && scrollTop > lastTop.current) setFollowing(true);
    lastTop.current = scrollTop;
  };

  const found = new Set(search.found);
  const markOf = (line: number): "none" | "found" | "here" => {
    if (line === find || (find === undefined && line === anchor)) return "here";
    return found.has(line) ? "found" : "none";
  };

  return (
    <div className={styles.frame}>
      <LogBar
        search={search}
        raw={`/raw/${build}/${step}`}
        lines={total}
        isGrowing={isGrowing}
        isFollowing={isFollowing}
        toEnd={() => {
          setFollowing(true);
          if (total > base) rows.scrollToIndex(total - base - 1, { align: "end" });
        }}
      />
      {log.error && <Alert color="red">{wordsOf(log.error)}</Alert>}
      {base > 0 && (
        <Alert color="yellow" p="xs">
          The first {base.toLocaleString("en")} lines are in the raw log only.
        </Alert>
      )}
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
            {log.hasEnded ? "Nothing was written." : "Nothing has been written yet."}
          </Text>
        )}
        <div
          className={styles.all}
          style={{ height: rows.getTotalSize(), "--digits": String(total).length } as CSSProperties}
        >
          <div className={styles.shown} style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}>
            {items.map(({ index }) => (
              <LogRow
                key={index}
                step={step}
                index={base + index}
                line={windows.line(base + index)}
                mark={markOf(base + index)}
              />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

import { useCallback, useRef, useState, useSyncExternalStore } from "react";
import { LogBar } from "./log-bar.tsx";
import { LogLines, type LogLinesHandle } from "./log-lines.tsx";
import { LogNotes } from "./log-notes.tsx";
import styles from "./log.module.css";
import { keepLine, lineAddress, useLineAnchor } from "./use-line-anchor.ts";
import { useLog } from "./use-log.ts";
import { useLogSearch } from "./use-log-search.ts";

/** A step's log. What scrolls and grows is drawn apart from the bar above it, which is dear and seldom changes. */
export function LogView({ build, step }: { build: number; step: number }) {
  const log = useLog(build, step);
  const isGrowing = useSyncExternalStore(log.watch, log.isGrowing);
  const anchor = useLineAnchor();
  const search = useLogSearch(build, step);
  const lines = useRef<LogLinesHandle>(null);
  const [isFollowing, setFollowing] = useState(anchor === undefined);

  const goTo = useCallback(
    (line: number): void => {
      keepLine(lineAddress(step, line));
      // Its address may have been the page's already.
      lines.current?.goTo(line);
    },
    [step],
  );
  const toEnd = useCallback((): void => {
    setFollowing(true);
    lines.current?.toEnd();
  }, []);

  return (
    <div className={styles.frame}>
      <LogBar
        log={log}
        search={search}
        raw={`/raw/${build}/${step}`}
        isGrowing={isGrowing}
        isFollowing={isFollowing}
        toEnd={toEnd}
        goTo={goTo}
      />
      <LogNotes log={log} />
      <LogLines
        ref={lines}
        log={log}
        step={step}
        anchor={anchor}
        found={search.found}
        find={search.found[search.at]}
        isFollowing={isFollowing}
        setFollowing={setFollowing}
      />
    </div>
  );
}

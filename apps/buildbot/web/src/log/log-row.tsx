import { memo, type MouseEvent } from "react";
import { MAX_SHOWN, spansOf } from "./ansi.ts";
import type { LogLine } from "./line-windows.ts";
import styles from "./log.module.css";
import { keepLine, lineAddress } from "./use-line-anchor.ts";

interface Props {
  /** Its address stays the same when another step becomes the one of interest. */
  readonly step: number;
  /** From 0. */
  readonly index: number;
  readonly line: LogLine | undefined;
  readonly mark: "none" | "found" | "here";
}

const STREAMS = { out: undefined, err: "error output", head: "said by the bot" };

export const LogRow = memo(function LogRow({ step, index, line, mark }: Props) {
  const address = lineAddress(step, index);
  const keep = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    keepLine(address);
  };
  return (
    <div className={styles.row} data-stream={line?.stream} data-mark={mark} title={line && STREAMS[line.stream]}>
      <a className={styles.number} href={address} onClick={keep} aria-label={`line ${index + 1}`} tabIndex={-1}>
        {index + 1}
      </a>
      <span className={styles.text}>
        {line === undefined
          ? "…"
          : spansOf(line.text).map(({ text, classes, color, background }, place) => (
              <span
                key={place}
                className={classes.map((name) => styles[name] ?? "").join(" ") || undefined}
                style={color || background ? { color, background } : undefined}
              >
                {text}
              </span>
            ))}
        {line !== undefined && line.text.length > MAX_SHOWN && <i> … the raw log has the rest of this line</i>}
      </span>
    </div>
  );
});

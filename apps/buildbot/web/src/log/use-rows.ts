import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";

/** Drawn above and below what is in view. */
const SPARE = 12;

export interface Rows {
  /** Those that are drawn; `end` is not among them. */
  readonly first: number;
  readonly end: number;
  /** So many may be drawn at once: a row's place among them is its number modulo this, and what it is drawn with is used again. */
  readonly places: number;
  readonly scrolled: () => void;
  /** Brings a row into view, in the middle or at the lower edge. */
  readonly goTo: (row: number, where: "middle" | "end") => void;
}

/** Which rows of one height are in view. Nothing is kept or computed for each row: a log has millions, and grows with each picture. */
export function useRows(scroll: RefObject<HTMLElement | null>, count: number, rowPx: number): Rows {
  const [view, setView] = useState({ top: 0, rows: 0 });
  const shown = useRef(view);

  const look = useCallback(
    (isAtOnce: boolean): void => {
      const element = scroll.current;
      if (element === null) return;
      // In steps of some rows: most of the events of a slow scroll change nothing.
      const top = Math.floor(element.scrollTop / rowPx / 4) * 4;
      const rows = Math.ceil(element.clientHeight / rowPx) + 4;
      if (top === shown.current.top && rows === shown.current.rows) return;
      shown.current = { top, rows };
      // In the frame of the scroll itself: a frame later is one with nothing in it.
      if (isAtOnce) flushSync(() => setView(shown.current));
      else setView(shown.current);
    },
    [scroll, rowPx],
  );

  useLayoutEffect(() => look(false), [look, count]);
  useEffect(() => {
    const element = scroll.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => look(false));
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroll, look]);

  const goTo = useCallback(
    (row: number, where: "middle" | "end"): void => {
      const element = scroll.current;
      if (element === null) return;
      const above = element.clientHeight - rowPx;
      // The browser keeps it within what there is.
      element.scrollTop = row * rowPx - (where === "end" ? above : above / 2);
      look(false);
    },
    [scroll, rowPx, look],
  );
  const scrolled = useCallback(() => look(true), [look]);

  const end = Math.min(count, view.top + view.rows + SPARE);
  return { first: Math.max(0, Math.min(view.top - SPARE, end)), end, places: view.rows + 2 * SPARE, scrolled, goTo };
}

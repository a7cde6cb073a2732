import { useSyncExternalStore } from "react";

const watch = (changed: () => void): (() => void) => {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
};

/** The line that `#L120` names, from 0: 119. */
export function useLineAnchor(): number | undefined {
  const hash = useSyncExternalStore(watch, () => location.hash);
  const line = Number(/^#L(\d{1,9})$/.exec(hash)?.[1] ?? 0);
  return line > 0 ? line - 1 : undefined;
}

/** `line` from 0. */
export const lineAddress = (step: number, line: number): string => `?step=${step}#L${line + 1}`;

/** Makes `?step=1#L120` the page's address without going there: the line is on screen already. */
export function keepLine(address: string): void {
  history.replaceState(history.state, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

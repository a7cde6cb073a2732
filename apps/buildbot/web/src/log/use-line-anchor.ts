import { useSyncExternalStore } from "react";

const watch = (changed: () => void): (() => void) => {
  // A link within the page is none of the browser's; the router tells of it.
  const names = ["hashchange", "popstate", "pushState", "replaceState"];
  for (const name of names) addEventListener(name, changed);
  return () => names.forEach((name) => removeEventListener(name, changed));
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

import { useSyncExternalStore } from "react";

/** One clock for the whole page, so that a hundred times on it make one timer. */
let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = Date.now();
    watchers.forEach((tell) => tell());
  }, 1000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Milliseconds since 1970, in whole steps: what is drawn with it is drawn again once per step. */
export function useNow(stepMs = 1000): number {
  return useSyncExternalStore(watch, () => {
    if (timer === undefined) now = Math.max(now, Date.now() - 999);
    return Math.floor(now / stepMs) * stepMs;
  });
}

import { useSyncExternalStore } from "react";

/** `relative`: 3 minutes ago. `absolute`: Nov 21, 14:05. */
export type Times = "relative" | "absolute";

const KEY = "buildbot-times";
const watchers = new Set<() => void>();
let times: Times = kept() === "absolute" ? "absolute" : "relative";

/** Of all times of the page, and of this browser's next visits. */
export function setTimes(next: Times): void {
  times = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing forgets this as well.
  }
  watchers.forEach((tell) => tell());
}

export function turnTimes(): void {
  setTimes(times === "relative" ? "absolute" : "relative");
}

export function useTimes(): Times {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    () => times,
  );
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

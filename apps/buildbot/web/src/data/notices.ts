import { RpcError } from "@rpc/core";
import { useSyncExternalStore } from "react";

export interface Notice {
  readonly id: number;
  readonly kind: "done" | "failed";
  readonly title: string;
  readonly text: string;
}

const SHOWN_MS = { done: 5_000, failed: 12_000 };

let notices: readonly Notice[] = [];
let next = 1;
const watchers = new Set<() => void>();

function put(list: readonly Notice[]): void {
  notices = list;
  watchers.forEach((tell) => tell());
}

export function notice(kind: Notice["kind"], title: string, text = ""): void {
  const id = next++;
  put([...notices.slice(-3), { id, kind, title, text }]);
  setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}

export function dismiss(id: number): void {
  put(notices.filter((one) => one.id !== id));
}

export function useNotices(): readonly Notice[] {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    () => notices,
  );
}

/** Does what a button is for, and says when it could not be. Undefined: it could not. */
export async function attempt<Value>(title: string, act: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await act();
  } catch (error) {
    notice("failed", title, wordsOf(error));
    return undefined;
  }
}

/** Of the contracts' errors, which are words for programs. */
const REASONS: Readonly<Record<string, string>> = {
  NoSuchBuild: "There is no such build.",
  NoSuchBuilder: "There is no such builder.",
};

/** Without the method's full name before it, which says nothing to who has pressed a button. */
export function wordsOf(error: unknown): string {
  const { code, reason, message } = RpcError.from(error);
  // Why a browser could not connect is nothing that it tells; that it cannot, the page says at its head as well.
  if (code === "UNAVAILABLE" && /^wss?:/.test(message)) return "The server cannot be reached just now.";
  const words = reason === undefined ? undefined : REASONS[reason];
  return words ?? message.replace(/^buildbot\.v1\.\w+\.\w+: /, "");
}

import type { EventClient, RpcError } from "@rpc/core";
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";
import { bots, builds, house } from "./connection.ts";

/** One subscription for all who listen in this page. */
interface Feed<Value> {
  readonly begin: () => void;
  readonly listen: (listener: (value: Value) => void) => () => void;
}

let epoch = 0;
let refusal: RpcError | undefined;
const watchers = new Set<() => void>();
const tell = (): void => watchers.forEach((watcher) => watcher());

function feed<Value>(event: EventClient<Value>): Feed<Value> {
  const listeners = new Set<(value: Value) => void>();
  return {
    begin: () => {
      const subscription = event.subscribe({ onGap: missed }, (value, { lost }) => {
        listeners.forEach((listener) => listener(value));
        if (lost > 0) missed();
      });
      // A refusal comes here too; there is nothing else to be done with it.
      subscription.ready.catch(() => undefined);
      void subscription.closed.then((error) => {
        refusal ??= error;
        tell();
      });
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Something may have been missed: whatever is shown is asked for again. */
function missed(): void {
  epoch += 1;
  tell();
}

export const buildFeed = feed(builds.changed);
export const queueFeed = feed(builds.queueChanged);
export const houseFeed = feed(house.changed);
export const botFeed = feed(bots.changed);
export const commandFeed = feed(bots.commandChanged);

/** Before the first question: one session keeps order, so nothing happens between an answer and the first event unseen. */
export function beginFeeds(): void {
  for (const { begin } of [buildFeed, queueFeed, houseFeed, botFeed, commandFeed]) begin();
}

const watch = (watcher: () => void): (() => void) => {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
};

/** Counts the gaps: what depends on it is loaded again after each. */
export const useEpoch = (): number => useSyncExternalStore(watch, () => epoch);

/** Why the server does not tell this page what happens, when it does not. */
export const useRefusal = (): RpcError | undefined => useSyncExternalStore(watch, () => refusal);

export function useFeed<Value>(source: Feed<Value>, listener: (value: Value) => void): void {
  const latest = useEffectEvent(listener);
  useEffect(() => source.listen((value) => latest(value)), [source]);
}

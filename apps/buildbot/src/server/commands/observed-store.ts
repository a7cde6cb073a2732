import { RpcError } from "@rpc/core";
import type { QueueStore } from "@rpc/db-queue";

type WakeListener = Parameters<QueueStore["watch"]>[0];

export interface Observer {
  /** A command was given to a bot, which wakes nobody. */
  claimed(): void;
  /** A bot has come or gone. */
  presenceChanged(): void;
}

/** The same store; `observer` hears what its wake-ups do not say. */
export function observedStore(store: QueueStore, observer: Observer): QueueStore {
  const seen: Pick<QueueStore, "claim" | "subscribe" | "unsubscribe" | "watch"> = {
    claim: async (requests) => {
      const answers = await store.claim(requests);
      if (answers.some((answer) => !(answer instanceof RpcError) && answer.claims.length > 0)) observer.claimed();
      return answers;
    },
    subscribe: async (subscription) => {
      const answer = await store.subscribe(subscription);
      observer.presenceChanged();
      return answer;
    },
    unsubscribe: async (agent) => {
      const was = await store.unsubscribe(agent);
      observer.presenceChanged();
      return was;
    },
    watch: (listener) => store.watch(observedListener(listener, observer)),
  };
  return new Proxy(store, {
    get(target, key) {
      if (Object.hasOwn(seen, key)) return seen[key as keyof typeof seen];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function observedListener(listener: WakeListener, observer: Observer): WakeListener {
  return {
    wake: (topic, outcome) => listener.wake(topic, outcome),
    wakeAll: () => listener.wakeAll(),
    claimOn: (topic) => {
      const offer = listener.claimOn?.(topic);
      if (offer === undefined) return undefined;
      return {
        request: offer.request,
        claimed: (answer) => {
          observer.claimed();
          offer.claimed(answer);
        },
      };
    },
  };
}

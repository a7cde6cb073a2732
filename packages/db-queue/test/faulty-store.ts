import { RpcError } from "@rpc/core";
import type { QueueStore } from "../src/store/store.ts";

type Verb = {
  [Name in keyof QueueStore]-?: QueueStore[Name] extends (...given: never[]) => Promise<unknown> ? Name : never;
}[keyof QueueStore];

/** What happens to a call of a verb; undefined: nothing. `run` is the call itself. */
export type StoreFault = (run: () => Promise<unknown>) => Promise<unknown>;

export interface FaultyStore {
  readonly store: QueueStore;
  /** How often each verb was called. */
  readonly calls: Map<string, number>;
  /** Holds until the function that it gives is called. */
  break(verbs: Verb | readonly Verb[], fault?: StoreFault): () => void;
}

export const away: StoreFault = async () => {
  throw new RpcError("UNAVAILABLE", "the database is away", { reason: "DATABASE_AWAY", delivered: "no" });
};

/** It was done, and nobody is told. */
export const lostAnswer: StoreFault = async (run) => {
  await run();
  throw new RpcError("UNAVAILABLE", "the connection was lost", { reason: "CONNECTION_LOST", delivered: "unknown" });
};

export const silent: StoreFault = () => new Promise(() => undefined);

/** The same store, some of whose verbs fail on demand. */
export function faultyStore(store: QueueStore): FaultyStore {
  const faults = new Map<string, StoreFault>();
  const calls = new Map<string, number>();
  const broken = new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function" || typeof name !== "string") return member;
      return (...given: unknown[]): unknown => {
        calls.set(name, (calls.get(name) ?? 0) + 1);
        const run = (): Promise<unknown> => Reflect.apply(member, target, given) as Promise<unknown>;
        const fault = faults.get(name);
        return fault === undefined ? run() : fault(run);
      };
    },
  });
  return {
    store: broken,
    calls,
    break: (verbs, fault = away) => {
      const names = typeof verbs === "string" ? [verbs] : verbs;
      for (const name of names) faults.set(name, fault);
      return () => {
        for (const name of names) faults.delete(name);
      };
    },
  };
}

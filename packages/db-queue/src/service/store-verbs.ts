import {
  type Clock,
  createRouter,
  type Handler,
  type HandlerContext,
  type ImplementationOf,
  RpcError,
} from "@rpc/core";
import type { AddressRow } from "../store/store-words.ts";
import { agentFault, type Desk } from "./desk.ts";
import { countWithin } from "./message-size.ts";
import type { Caller } from "./rights.ts";
import { StoreService, WakeUpService } from "./store-contract.ts";
import { type Item, itemOf } from "./store-shapes.ts";
import { topicStream } from "./topic-stream.ts";
import { waitForTopics } from "./waits.ts";

type CallerOf = (context: HandlerContext) => Caller;

/** `rpc.queue.v1.StoreService`. */
export function storeVerbs(desk: Desk, clock: Clock, callerOf: CallerOf): Handler {
  const { store, hub } = desk;
  const verbs: ImplementationOf<typeof StoreService> = {
    findAddress: async ({ address }, context) => {
      const caller = callerOf(context);
      if (typeof address === "string" && !caller.knows(address)) throw caller.denied(`use address "${address}"`);
      const row = await store.findAddress(address);
      // By its number nobody learns a name that is none of his business.
      return row !== undefined && caller.knows(row.name) ? row : null;
    },
    ensureAddress: ({ name }, context) => ensured(desk, callerOf(context), name),
    pauseAddress: async ({ name, paused }, context) => {
      managing(callerOf(context), name, paused ? "pause" : "resume");
      await store.pauseAddress(name, paused);
      return null;
    },
    removeAddress: ({ name }, context) => {
      managing(callerOf(context), name, "remove");
      return store.removeAddress(name);
    },
    listAddresses: async (_input, context) => {
      const caller = callerOf(context);
      return (await store.listAddresses()).filter(({ name }) => caller.knows(name));
    },
    subscribe: (subscription, context) => {
      const fault = agentFault(callerOf(context), subscription);
      if (fault !== undefined) throw fault;
      return store.subscribe(subscription);
    },
    unsubscribe: ({ address, agent, incarnation }, context) => {
      const fault = agentFault(callerOf(context), { address, agent, incarnation: incarnation ?? "" });
      if (fault !== undefined) throw fault;
      return store.unsubscribe({ address, agent, incarnation });
    },
    keepAlive: async ({ items }, context) =>
      (await desk.keepAlive(callerOf(context), items)).map((result) =>
        itemOf(result instanceof RpcError ? result : undefined),
      ),
    listAgents: async ({ address }, context) => {
      const caller = callerOf(context);
      if (address !== undefined && !caller.knows(address)) throw caller.denied(`list agents of "${address}"`);
      return (await store.listAgents(address)).filter((row) => caller.knows(row.address));
    },
    insert: async ({ items }, context) => itemsOf(await desk.insert(callerOf(context), items)),
    claim: async ({ items }, context) => itemsOf(await desk.claim(callerOf(context), items, context)),
    settle: async ({ items }, context) => itemsOf(await desk.settle(callerOf(context), items)),
    extend: async ({ items }, context) => itemsOf(await desk.extend(callerOf(context), items)),
    cancellations: async ({ items }, context) => itemsOf(await desk.cancellations(callerOf(context), items)),
    appendEvents: async ({ items }, context) => itemsOf(await desk.appendEvents(callerOf(context), items)),
    cancel: async ({ items }, context) => itemsOf(await desk.cancel(callerOf(context), items)),
    outcomes: async ({ ids }, context) => itemsOf(await desk.outcomes(callerOf(context), ids)),
    read: async ({ ids }, context) => itemsOf(await desk.read(callerOf(context), ids)),
    readEvents: async ({ id, afterSeq, limit }, context) => {
      const all = await desk.readEvents(callerOf(context), id, { afterSeq, limit });
      const rows = all.slice(
        0,
        countWithin(all, ({ data }) => data.length),
      );
      return { rows, isCut: rows.length < all.length };
    },
    list: (filter, context) => desk.list(callerOf(context), filter),
    stats: async ({ address, windowMs }, context) => {
      const caller = callerOf(context);
      if (address !== undefined && !caller.knows(address)) throw caller.denied(`see figures of "${address}"`);
      return (await store.stats({ address, windowMs })).filter((row) => caller.knows(row.address));
    },
    reap: (_input, context) => desk.reap(callerOf(context)),
    publish: async ({ topics }, context) => {
      await desk.publish(callerOf(context), topics);
      return null;
    },
    wait: ({ topics, since, timeoutMs, watcher }, context) => {
      const caller = callerOf(context);
      for (const topic of topics) if (!caller.mayWaitFor(topic)) throw caller.denied(`wait for "${topic}"`);
      return waitForTopics(hub, clock, { caller: caller.key, watcher, topics, since, timeoutMs, context });
    },
  };
  return createRouter(StoreService, verbs);
}

/** `rpc.queue.v1.WakeUpService`. */
export function wakeUps(desk: Desk, callerOf: CallerOf): Handler {
  return createRouter(WakeUpService, {
    watch: (changes, context) => topicStream(desk.hub, callerOf(context), changes, context),
  });
}

/** Who may not make it may find it, if it has to do with it. */
async function ensured({ store }: Desk, caller: Caller, name: string): Promise<AddressRow> {
  if (caller.mayManage(name)) return store.ensureAddress(name);
  const row = caller.knows(name) ? await store.findAddress(name) : undefined;
  if (row === undefined) throw caller.denied(`make address "${name}"`);
  return row;
}

function managing(caller: Caller, address: string, what: string): void {
  if (!caller.mayManage(address)) throw caller.denied(`${what} address "${address}"`);
}

function itemsOf<T>(results: readonly (T | RpcError | undefined)[]): readonly Item<T>[] {
  return results.map((result) => itemOf<T>(result));
}

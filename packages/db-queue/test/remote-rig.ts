import { createMemoryTransport, type MemoryTransport } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { createRemoteStore, type RemoteStoreOptions } from "../src/remote/create-remote-store.ts";
import {
  type CommandServiceHandler,
  type CommandServiceOptions,
  createCommandService,
} from "../src/service/create-command-service.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { AgentRig } from "./agent-rig.ts";
import { openSqliteRig, type SqliteRig } from "./sqlite-rig.ts";
import type { StoreRig } from "./store-rig.ts";

export interface RemoteRig extends StoreRig {
  readonly sqlite: SqliteRig;
  readonly service: CommandServiceHandler;
  readonly transport: MemoryTransport;
  remote(options?: RemoteStoreOptions): QueueStore;
}

/** A store on SQLite, served over a transport in memory, and its remote half. */
export async function openRemoteRig(
  { migrated = true }: { readonly migrated?: boolean } = {},
  options: CommandServiceOptions = {},
): Promise<RemoteRig> {
  const sqlite = await openSqliteRig({ migrated });
  const { clock } = sqlite;
  const service = createCommandService(sqlite.store, { reaper: false, clock, random: () => 0.5, ...options });
  const transport = createMemoryTransport(service, { clock });
  const stores: QueueStore[] = [];
  const remote = (given: RemoteStoreOptions = {}): QueueStore => {
    const store = createRemoteStore(transport, { random: () => 0.5, ...given });
    stores.push(store);
    return store;
  };
  return {
    ...sqlite,
    sqlite,
    service,
    transport,
    remote,
    // Everything that the store's own suite wants to hear of.
    store: withTransactions(remote({ topics: ["*"] }), sqlite.store),
    another: () => withTransactions(remote({ topics: ["*"] }), sqlite.store),
    tick: async () => {
      for (let turn = 0; turn < 4; turn += 1) await sqlite.tick();
    },
    close: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await service.close();
      await transport.close();
      await sqlite.close();
    },
  };
}

/** A rig whose agents and queues work through a service. */
export function throughService<Rig extends AgentRig>(rig: Rig): Rig & { readonly remote: QueueStore } {
  // Timers of the wire and of the service are none of those that a test counts; the time is the same.
  const timers = createFakeClock(rig.clock.now());
  const service = createCommandService(rig.store, { reaper: false, clock: timers, random: () => 0.5 });
  const transport = createMemoryTransport(service, { clock: timers });
  const remote = createRemoteStore(transport, { clock: rig.clock, random: () => 0.5 });
  return {
    ...rig,
    remote,
    serve: (handler, options = {}) => rig.serve(handler, { store: remote, ...options }),
    begin: (handler, options = {}) => rig.begin(handler, { store: remote, ...options }),
    advance: async (ms, stepMs = 1000) => {
      for (let left = ms; left > 0; left -= stepMs) {
        timers.advance(Math.min(left, stepMs));
        await rig.advance(Math.min(left, stepMs), stepMs);
      }
    },
    close: async () => {
      await rig.close();
      await remote.close();
      await service.close();
      await transport.close();
    },
  };
}

/** Transactions begin where the database is, and it is reaped there. */
function withTransactions(remote: QueueStore, local: QueueStore): QueueStore {
  return new Proxy(remote, {
    get(target, name) {
      if (name === "inTransaction" || name === "reap") return local[name];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

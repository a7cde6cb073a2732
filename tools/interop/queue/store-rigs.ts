import type { Listener, Transport } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { createXmlRpcTransport, serveXmlRpc } from "@rpc/xmlrpc";
import { createRemoteStore } from "../../../packages/db-queue/src/remote/create-remote-store.ts";
import { createCommandService } from "../../../packages/db-queue/src/service/create-command-service.ts";
import type { QueueStore } from "../../../packages/db-queue/src/store/store.ts";
import { openSqliteRig } from "../../../packages/db-queue/test/sqlite-rig.ts";
import type { StoreRig } from "../../../packages/db-queue/test/store-rig.ts";

interface Wire {
  readonly serve: (service: ReturnType<typeof createCommandService>) => Promise<Listener>;
  readonly dial: (endpoint: string) => Transport;
}

export const WIRES: Readonly<Record<string, Wire>> = {
  tcp: { serve: (service) => serveTcp(service), dial: (endpoint) => createTcpTransport(endpoint) },
  xmlrpc: { serve: (service) => serveXmlRpc(service), dial: (endpoint) => createXmlRpcTransport(endpoint) },
};

/** For the suite of stores: SQLite behind a service, over a real wire. */
export function rigOver({ serve, dial }: Wire): (options?: { readonly migrated?: boolean }) => Promise<StoreRig> {
  return async (options) => {
    const sqlite = await openSqliteRig(options);
    const service = createCommandService(sqlite.store, { reaper: false });
    const listener = await serve(service);
    const transports: Transport[] = [];
    const stores: QueueStore[] = [];
    const another = (): QueueStore => {
      const transport = dial(listener.endpoint);
      const store = createRemoteStore(transport, { topics: ["*"] });
      transports.push(transport);
      stores.push(store);
      return whereTheDatabaseIs(store, sqlite.store);
    };
    return {
      ...sqlite,
      store: another(),
      another,
      tick: async () => {
        await sqlite.tick();
        // A wire has its own pace.
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
      close: async () => {
        await Promise.all(stores.map((store) => store.close()));
        await Promise.all(transports.map((transport) => transport.close()));
        await service.close();
        await listener.close();
        await sqlite.close();
      },
    };
  };
}

/** Transactions of the caller's, and the reaper, are not for remote stores. */
function whereTheDatabaseIs(remote: QueueStore, local: QueueStore): QueueStore {
  return new Proxy(remote, {
    get: (target, name) => {
      if (name === "inTransaction" || name === "reap") return local[name];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

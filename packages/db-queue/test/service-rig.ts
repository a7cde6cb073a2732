import {
  type ClientOf,
  createClient,
  createMemoryTransport,
  type Handler,
  type MemoryTransport,
  type Peer,
} from "@rpc/core";
import type { FakeClock } from "@rpc/testkit";
import { createRemoteStore, type RemoteStoreOptions } from "../src/remote/create-remote-store.ts";
import { CommandService } from "../src/service/command-contract.ts";
import {
  type CommandServiceHandler,
  type CommandServiceOptions,
  createCommandService,
} from "../src/service/create-command-service.ts";
import type { QueueStore } from "../src/store/store.ts";
import { openSqliteRig, type SqliteRig } from "./sqlite-rig.ts";
import { ADDRESS } from "./store-rig.ts";

export interface Visitor {
  readonly verbs: ClientOf<typeof CommandService>;
  readonly transport: MemoryTransport;
  readonly remote: (options?: RemoteStoreOptions) => QueueStore;
}

export interface ServiceRig {
  readonly sqlite: SqliteRig;
  /** With the login. */
  readonly store: QueueStore;
  readonly clock: FakeClock;
  readonly service: CommandServiceHandler;
  /** Somebody who has proved to be `identity`, over a wire of its own. */
  visitor(identity?: string): Visitor;
  close(): Promise<void>;
}

export const AGENT = { address: ADDRESS, agent: "bot", incarnation: "bot-1" };

/** A service before a store on SQLite, at an address that is there. */
export async function openServiceRig(options: CommandServiceOptions = {}): Promise<ServiceRig> {
  const sqlite = await openSqliteRig();
  const { store, clock } = sqlite;
  await store.ensureAddress(ADDRESS);
  const service = createCommandService(store, { reaper: false, clock, random: () => 0.5, ...options });
  const closing: (() => Promise<void>)[] = [];
  const visitor = (identity?: string): Visitor => {
    const transport = createMemoryTransport(as(identity, service), { clock });
    closing.push(() => transport.close());
    const remote = (given: RemoteStoreOptions = {}): QueueStore => {
      const made = createRemoteStore(transport, { random: () => 0.5, ...given });
      closing.unshift(() => made.close());
      return made;
    };
    return { verbs: createClient(CommandService, transport), transport, remote };
  };
  return {
    sqlite,
    store,
    clock,
    service,
    visitor,
    close: async () => {
      for (const close of closing) await close();
      await service.close();
      await sqlite.close();
    },
  };
}

/** A handler whose callers all have this identity, as a listener with secrets would have proved it. */
function as(identity: string | undefined, handler: Handler): Handler {
  const known = <Context extends object>(context: Context & { readonly peer?: Peer | undefined }): Context =>
    new Proxy(context, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === "peer") return Object.create(target.peer ?? null, { identity: { value: identity } });
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  return {
    ...handler,
    call: (input, context) => handler.call(input, known(context)),
    stream: (input, context) => handler.stream(input, known(context)),
  };
}

/** What a promise is rejected with: `CODE REASON`. */
export async function refused(promise: PromiseLike<unknown>): Promise<string> {
  try {
    return `not refused: ${JSON.stringify(await promise)}`;
  } catch (thrown) {
    const { code, reason } = thrown as { code?: string; reason?: string };
    return `${code ?? String(thrown)} ${reason ?? ""}`.trim();
  }
}

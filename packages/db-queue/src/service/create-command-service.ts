import { type Clock, type Handler, mergeRouters, type RpcError } from "@rpc/core";
import type { ReaperOptions } from "../issuer/reaper.ts";
import type { QueueStore } from "../store/store.ts";
import { commandVerbs } from "./command-verbs.ts";
import { openDesk } from "./open-desk.ts";
import type { RightsLookup } from "./rights.ts";
import { storeVerbs, wakeUps } from "./store-verbs.ts";

export interface CommandServiceOptions {
  /**
   * What each caller may do, by the identity that it has proved to the listener. Who is not listed may do nothing. Left out: whoever may call
   * the service may do everything, so leave it out only where the listener lets in nobody else.
   */
  readonly rights?: RightsLookup | undefined;
  /** Ends what has expired, and takes back what agents have lost: one for each store of a process. Default: on, from the first call on. */
  readonly reaper?: ReaperOptions | false | undefined;
  /** What no caller hears of: a database that could not be tidied up. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** For timers. Default: the process's. */
  readonly clock?: Clock | undefined;
  /** From 0 to below 1, spreads the reaper's looks. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Serves a queue to who has no login to its database. */
export interface CommandServiceHandler extends Handler, AsyncDisposable {
  /** Waits that are open, and streams of wake-ups. */
  readonly waiting: number;
  /** Idempotent. Refuses waits and ends those that are open; the store stays open. */
  close(): Promise<void>;
}

/**
 * The queue's verbs as contracts, for any listener: `serveTcp(createCommandService(store, { rights }), …)`, or beside your own by
 * `mergeRouters`. `rpc.queue.v1.CommandService` is for programs that are written by hand, the other two for `createRemoteStore`. Creating it
 * does no I/O; the tables must be up to date (`store.migrate()`). Throws INVALID_ARGUMENT for rights that cannot be.
 */
export function createCommandService(store: QueueStore, options: CommandServiceOptions = {}): CommandServiceHandler {
  const { desk, hub, clock, callerOf, close } = openDesk(store, options);
  const handler = mergeRouters(
    commandVerbs(desk, clock, callerOf),
    storeVerbs(desk, clock, callerOf),
    wakeUps(desk, callerOf),
  );
  return {
    ...handler,
    get waiting() {
      return hub.waiterCount;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

import { type Clock, type Handler, type HandlerContext, mergeRouters, type RpcError, systemClock } from "@rpc/core";
import { reaperOf, type ReaperOptions } from "../issuer/reaper.ts";
import type { QueueStore } from "../store/store.ts";
import { commandVerbs } from "./command-verbs.ts";
import { Desk } from "./desk.ts";
import { Caller, checkRights, type RightsLookup } from "./rights.ts";
import { storeVerbs, wakeUps } from "./store-verbs.ts";
import { WakeHub } from "./wake-hub.ts";

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

const AGENT_LOST_MS = 90_000;

/**
 * The queue's verbs as contracts, for any listener: `serveTcp(createCommandService(store, { rights }), …)`, or beside your own by
 * `mergeRouters`. `rpc.queue.v1.CommandService` is for programs that are written by hand, the other two for `createRemoteStore`. Creating it
 * does no I/O; the tables must be up to date (`store.migrate()`). Throws INVALID_ARGUMENT for rights that cannot be.
 */
export function createCommandService(store: QueueStore, options: CommandServiceOptions = {}): CommandServiceHandler {
  const { rights, reaper: reaping = {}, clock = systemClock, random = Math.random } = options;
  checkRights(rights);
  const hub = new WakeHub(store, clock);
  const agentLostMs = (reaping === false ? undefined : reaping.agentLostMs) ?? AGENT_LOST_MS;
  const desk = new Desk(store, hub, { clock, agentLostMs });
  let stopReaping: (() => Promise<void>) | undefined;
  const callerOf = (context: HandlerContext): Caller => {
    const caller = new Caller(context.peer, rights);
    if (!caller.mayCall) throw caller.denied("use the queue");
    if (stopReaping === undefined && reaping !== false && !hub.isClosed) {
      stopReaping = reaperOf(store, { ...reaping, clock, random }).start({
        reaped: () => undefined,
        failed: (error) => report(options.onError, error),
      });
    }
    return caller;
  };
  const close = async (): Promise<void> => {
    hub.close();
    await stopReaping?.();
  };
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

function report(onError: CommandServiceOptions["onError"], error: RpcError): void {
  try {
    onError?.(error);
  } catch {
    // A log that is broken must not take the reaper with it.
  }
}

import { type Clock, type HandlerContext, type RpcError, systemClock } from "@rpc/core";
import { reaperOf } from "../issuer/reaper.ts";
import type { QueueStore } from "../store/store.ts";
import type { CommandServiceOptions } from "./create-command-service.ts";
import { Desk } from "./desk.ts";
import { Caller, checkRights } from "./rights.ts";
import { WakeHub } from "./wake-hub.ts";

const AGENT_LOST_MS = 90_000;

/** What stands behind the verbs, whoever's they are. */
export interface OpenDesk {
  readonly desk: Desk;
  readonly hub: WakeHub;
  readonly clock: Clock;
  /** Throws PERMISSION_DENIED for who may do nothing. */
  readonly callerOf: (context: HandlerContext) => Caller;
  readonly close: () => Promise<void>;
}

/** Throws INVALID_ARGUMENT for rights that cannot be. */
export function openDesk(store: QueueStore, options: CommandServiceOptions): OpenDesk {
  const { rights, reaper: reaping = {}, clock = systemClock, random = Math.random } = options;
  checkRights(rights);
  const hub = new WakeHub(store, clock);
  const agentLostMs = (reaping === false ? undefined : reaping.agentLostMs) ?? AGENT_LOST_MS;
  const desk = new Desk(store, hub, { agentLostMs });
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
  return { desk, hub, clock, callerOf, close };
}

function report(onError: CommandServiceOptions["onError"], error: RpcError): void {
  try {
    onError?.(error);
  } catch {
    // A log that is broken must not take the reaper with it.
  }
}

import { type Awaitable, type Clock, type HandlerContext, RpcError, systemClock } from "@rpc/core";
import { MAX_TIMER_MS } from "@rpc/core/transport";
import { CommandFailure } from "../command/command-failure.ts";

/** What commands need, and what may not be there: a master that is restarted now and then, a device. */
export interface Target<T> {
  /** The live one; undefined or null: it is not active. */
  readonly get: () => T | null | undefined;
  /** For people: `<name> is not active`. Default: "The target". */
  readonly name?: string | undefined;
  /** Asked for when a command found none, once for however many commands: `restartAfterMs` after the first of them. */
  readonly restart?: (() => Awaitable<void>) | undefined;
  /** Default: 10,000. */
  readonly restartAfterMs?: number | undefined;
  /** What `restart` has thrown. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** Default: the process's. */
  readonly clock?: Clock | undefined;
}

/** Targets whose restart has been asked for and has not ended. */
const RESTARTING = new WeakSet<object>();

/**
 * A handler that gets the live target as its first argument. Without one it fails with `CommandFailure("Error!", "<name> is not active")`,
 * and asks for its restart. What comes of the command is what came of `handle`: its promise is awaited, its failure passed on.
 */
export function withTarget<T, Input, Output>(
  target: Target<T> | Target<T>["get"],
  handle: (target: T, input: Input, context: HandlerContext) => Awaitable<Output>,
): (input: Input, context: HandlerContext) => Awaitable<Output> {
  const described: Target<T> = typeof target === "function" ? { get: target } : target;
  return (input, context) => {
    const live = described.get();
    if (live !== undefined && live !== null) return handle(live, input, context);
    restartLater(described, target);
    throw new CommandFailure("Error!", `${described.name ?? "The target"} is not active`);
  };
}

/** `key`: what several handlers have in common. */
function restartLater<T>(target: Target<T>, key: object): void {
  const { restart, restartAfterMs = 10_000, clock = systemClock, onError } = target;
  if (restart === undefined || RESTARTING.has(key)) return;
  RESTARTING.add(key);
  const run = async (): Promise<void> => {
    try {
      // It may have come back by itself.
      const live = target.get();
      if (live === undefined || live === null) await restart();
    } catch (thrown) {
      const { code, message, reason } = RpcError.from(thrown);
      onError?.(
        new RpcError(code, `${target.name ?? "The target"} could not be restarted: ${message}`, {
          reason,
          cause: thrown,
        }),
      );
    } finally {
      RESTARTING.delete(key);
    }
  };
  clock.setTimeout(() => void run(), Math.min(Math.max(0, restartAfterMs), MAX_TIMER_MS));
}

import { type Clock, type Handler, RpcError, type Transport } from "@rpc/core";
import { createRemoteStore, serveDbQueue } from "@rpc/db-queue";
import { sleep } from "./waiting.ts";

const COMMANDS_AT_ONCE = 8;
const PAUSE_MS = 5_000;

export interface CommandAgentOptions {
  readonly transport: Transport;
  /** Where its commands wait, and as who it takes them; asked for anew after a loss. */
  readonly greeted: () => { readonly name: string; readonly address: string };
  readonly greet: () => Promise<void>;
  readonly incarnation: string;
  /** How often it looks without having been woken. */
  readonly pollMs: number;
  /** What a command has to end when the bot does: the one that ends it is answered as well. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onError: (error: RpcError) => void;
}

/** Takes the bot's commands until `signal` aborts, however often the server is lost. ABORTED: another bot has come under its name. */
export async function serveCommands(router: Handler, options: CommandAgentOptions): Promise<RpcError | undefined> {
  const { transport, greeted, greet, incarnation, pollMs, drainMs, clock, random, signal, onError } = options;
  while (!signal.aborted) {
    const { name, address } = greeted();
    const store = createRemoteStore(transport, { clock, random, onError });
    try {
      const agent = await serveDbQueue(router, {
        store,
        address,
        name,
        incarnation,
        concurrency: COMMANDS_AT_ONCE,
        reaper: false,
        pollMs,
        drainMs,
        signal,
        clock,
        random,
        onError,
      });
      const error = await agent.closed;
      if (error !== undefined) throw error;
    } catch (caught) {
      if (signal.aborted) break;
      const error = RpcError.from(caught);
      onError(error);
      if (error.reason === "FENCED") {
        // Two of one name would take each other's place for ever.
        return new RpcError("ABORTED", `another bot has come as ${name}: this one ends`, { cause: error });
      }
      await sleep(clock, PAUSE_MS, signal);
      await greet();
    } finally {
      await store.close().catch(() => undefined);
    }
  }
  return undefined;
}

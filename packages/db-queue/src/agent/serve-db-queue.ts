import type {
  Capabilities,
  CloseOptions,
  Gauge,
  Handler,
  Listener,
  ListenerEvents,
  MetricsSource,
  Peer,
  Peers,
  RpcError,
} from "@rpc/core";
import { CAPABILITIES } from "../issuer/capabilities.ts";
import { Agent } from "./agent.ts";
import { agentSettings, type DbQueueAgentOptions } from "./agent-options.ts";

/** A process that runs the commands of one address. It has no peers: who has issued a command need not be there. */
export interface DbQueueAgent extends Listener, MetricsSource {
  readonly address: string;
  readonly name: string;
  readonly incarnation: string;
  /** Commands that run now. */
  readonly running: number;
  /**
   * Settles when the agent has ended: with undefined after `close`, an aborted `signal` or a single shot; else with what ended it. FENCED:
   * another incarnation of its name has come, or somebody has unsubscribed it; it does not subscribe again. Never rejects.
   */
  readonly closed: Promise<RpcError | undefined>;
  /**
   * Takes no more, gives back what has not started (as if it had never been claimed), and lets running commands finish for `drainMs`
   * (default 0). The others have their signals aborted and end as failed, reason `LEASE_LOST`: those with attempts left are queued again
   * at once, for those without nobody knows how far they came. Then it unsubscribes. Waits for a database that is away for no longer than
   * a lease. Idempotent.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Serves a handler to an address of a command queue. Resolves when commands may come: the address is there, the agent is subscribed and
 * `onStartup` has ended. A database that is away is waited for, now and later, in pauses from 1 to 30 s; it never ends the agent. Rejects
 * with NO_ADDRESS, with what `onStartup` has thrown, with FENCED when another incarnation came meanwhile, and with what no other try can
 * help against.
 */
export async function serveDbQueue(handler: Handler, options: DbQueueAgentOptions): Promise<DbQueueAgent> {
  const settings = agentSettings(options);
  const agent = new Agent(handler, settings);
  const { signal, service } = options;
  const abort = (): void => void agent.end(undefined);
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort);
  const isOwnStore = service !== undefined && options.store === undefined && options.queue === undefined;
  const closed = agent.closed.then(async (error) => {
    signal?.removeEventListener("abort", abort);
    if (isOwnStore) await settings.store.close();
    return error;
  });
  try {
    await agent.start();
  } catch (thrown) {
    await closed;
    throw thrown;
  }
  return new QueueAgent(agent, closed);
}

class QueueAgent implements DbQueueAgent {
  readonly #agent: Agent;
  readonly closed: Promise<RpcError | undefined>;

  constructor(agent: Agent, closed: Promise<RpcError | undefined>) {
    this.#agent = agent;
    this.closed = closed;
  }

  get endpoint(): string {
    return this.#agent.endpoint;
  }
  get address(): string {
    return this.#agent.settings.ref.address;
  }
  get name(): string {
    return this.#agent.settings.ref.agent;
  }
  get incarnation(): string {
    return this.#agent.settings.ref.incarnation;
  }
  get running(): number {
    return this.#agent.runningCount;
  }
  get capabilities(): Capabilities {
    return CAPABILITIES;
  }
  get peers(): Peers {
    return NO_PEERS;
  }

  on<Name extends keyof ListenerEvents>(_event: Name, _listen: (...values: ListenerEvents[Name]) => void): () => void {
    // Nobody comes and goes here.
    return () => undefined;
  }

  read(): readonly Gauge[] {
    const { runningCount, waitingCount, unansweredCount } = this.#agent;
    const labels = { address: this.address, agent: this.name };
    return [
      { name: "rpc_queue_agent_running", value: runningCount, labels, help: "Handlers that run." },
      { name: "rpc_queue_agent_prefetched", value: waitingCount, labels, help: "Commands that wait in the agent." },
      { name: "rpc_queue_agent_unanswered", value: unansweredCount, labels, help: "Answers not yet in their rows." },
    ];
  }

  async close(options: CloseOptions = {}): Promise<void> {
    await this.#agent.end(undefined, options.drainMs ?? 0);
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Nobody can be told or called: the set of peers is always empty. */
const NO_PEERS: Peers = Object.freeze({
  size: 0,
  broadcast: () => ({ sent: 0, failed: [], accepted: Promise.resolve(0) }),
  // oxlint-disable-next-line require-yield -- there is nobody whose answer could be yielded
  async *callAll() {
    return;
  },
  random: () => undefined,
  leastBusy: () => undefined,
  [Symbol.iterator]: (): Iterator<Peer> => [][Symbol.iterator](),
});

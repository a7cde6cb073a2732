import type {
  ClientOf,
  Clock,
  Contract,
  ContractMethod,
  MethodDefinition,
  MetricsSource,
  ReceivedBy,
  SentBy,
} from "@rpc/core";
import type { QueueStore } from "../store/store.ts";
import type {
  AddressRow,
  AgentRow,
  CommandFilter,
  CommandRow,
  CommandState,
  QueueStats,
} from "../store/store-words.ts";
import type { AgentOutcome } from "./broadcast.ts";
import type { DynamicProxy } from "./dynamic-proxy.ts";
import type { DbQueueEvents } from "./engine.ts";
import type { CommandHandle } from "./handle.ts";
import type { ByName, KeepEvents, ProxyOptions, SendOptions } from "./options.ts";
import type { ReaperOptions } from "./reaper.ts";
import type { QueueTransaction } from "./transaction.ts";

export interface DbQueueOptions {
  /** Who issues, for whoever looks at the table and for handlers: nobody proves it. Default: the program's name and its process id. */
  readonly name?: string | undefined;
  /** How often outcomes are asked for that nobody was woken for, give or take a quarter. Default: 15,000. */
  readonly pollMs?: number | undefined;
  /** Of a command, by position and by name each. Default: 1 MiB. */
  readonly maxArgumentBytes?: number | undefined;
  /** Of a result; a larger one rejects RESOURCE_EXHAUSTED. Default: 4 MiB. */
  readonly maxResultBytes?: number | undefined;
  /** Of a command's metadata. Default: 16 KiB. */
  readonly maxMetadataBytes?: number | undefined;
  /**
   * Commands that wait for the database; one more is refused RESOURCE_EXHAUSTED. When no connection can be made, all that wait are told
   * together. Default: 100,000.
   */
  readonly maxUnsent?: number | undefined;
  /**
   * Whose progress and log agents write into the table. `"observed"`: those of calls that somebody listens to, and of all that is sent with a
   * handle; a plain awaited call writes none. `"all"`: everybody's, for whoever looks at the table. Default: `"observed"`.
   */
  readonly keepEvents?: KeepEvents | undefined;
  /** `failFast`: an agent seen so recently is alive. Default: 45,000, three signs of life. */
  readonly liveAgentMs?: number | undefined;
  /** Ends what has expired while this process waits for outcomes; one runs for each store. False: other processes do it. */
  readonly reaper?: ReaperOptions | false | undefined;
  /** Where deadlines of calls and polls come from. Default: the process's clock. */
  readonly clock?: Clock | undefined;
  /** From 0 to below 1, spreads polls. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Issues commands, and tells what has become of them. */
export interface DbQueue extends MetricsSource, AsyncDisposable {
  readonly store: QueueStore;

  /** Makes the address when it is not there. */
  ensureAddress(name: string): Promise<AddressRow>;
  /** With its commands, whatever their state. Whether there was one. */
  removeAddress(name: string): Promise<boolean>;
  /** No command of it starts any more; those that run go on. NO_ADDRESS. */
  pause(address: string): Promise<void>;
  resume(address: string): Promise<void>;

  /**
   * The typed client of a contract at an address. Rejections: what the handler threw; EXPIRED, CANCELLED, LEASE_LOST (nobody knows how far it
   * came), NO_AGENT and PAUSED with `failFast`, NO_ADDRESS, CONFLICT. A cancelled call, and one whose deadline passes, rejects at once. The
   * command's id is in `handle.responseMetadata`, `rpc-command-id`, of a call that was begun with `.start()`.
   */
  proxy<C extends Contract>(contract: C, address: string, options?: ProxyOptions): ClientOf<C>;
  /** Any method of an address, by its name. */
  proxy(address: string, options?: ProxyOptions): DynamicProxy;

  /** A command by its method's name, with arguments by position and by name. Never throws: a refusal is in the handle. */
  readonly send: ByName<CommandHandle>;
  /** The same for a method of a contract. */
  issue<D extends MethodDefinition<"unary" | "job">>(
    address: string,
    method: ContractMethod<D>,
    input: SentBy<D["input"]>,
    options?: SendOptions,
  ): CommandHandle<ReceivedBy<D["output"]>, ReceivedBy<D["progress"]>>;
  /** A notification of a contract: as `notify`, it settles with the id when it is in the table. */
  issue<D extends MethodDefinition<"notification">>(
    address: string,
    method: ContractMethod<D>,
    input: SentBy<D["input"]>,
    options?: SendOptions,
  ): Promise<number>;
  /** A command whose outcome nobody wants: its row is deleted when it ends. Settles with its id when it is in the table. */
  readonly notify: ByName<Promise<number>>;

  /**
   * A command for each agent that is subscribed now. The result is what it has come to at each, by agent's name, once all have ended or are
   * lost; none when nobody is subscribed, or NO_AGENT with `failFast`.
   */
  readonly broadcast: ByName<CommandHandle<readonly AgentOutcome[]>>;
  /** The same for a method of a contract. */
  issueToAll<D extends MethodDefinition<"unary" | "job">>(
    address: string,
    method: ContractMethod<D>,
    input: SentBy<D["input"]>,
    options?: SendOptions,
  ): CommandHandle<readonly AgentOutcome<ReceivedBy<D["output"]>>[]>;

  /** A command that was sent here or elsewhere, by its id. Without its method the values are any. Throws INVALID_ARGUMENT for what is no id. */
  handle(id: number | string): CommandHandle;
  handle<D extends MethodDefinition>(
    id: number | string,
    method: ContractMethod<D>,
  ): CommandHandle<ReceivedBy<D["output"]>, ReceivedBy<D["progress"]>>;

  /**
   * Issues in a transaction that the caller has begun on a connection of its own, and ends by itself afterwards: a `DatabaseSync` of
   * node:sqlite, or a client of pg. Gives what `run` gives. FAILED_PRECONDITION for what is none of this store's.
   */
  inTransaction<T>(transaction: unknown, run: (transaction: QueueTransaction) => T | Promise<T>): Promise<T>;

  /** Newest first. */
  list(filter?: CommandFilter): Promise<readonly CommandRow[]>;
  stats(options?: {
    readonly address?: string | undefined;
    readonly windowMs?: number | undefined;
  }): Promise<readonly QueueStats[]>;
  /** All addresses when left out. */
  agents(address?: string): Promise<readonly AgentRow[]>;
  /** What the command is then: `cancelled`; `claimed` or `waiting`, asked to end; another, too late. NOT_FOUND. */
  cancel(id: number | string, reason?: string): Promise<CommandState>;
  /**
   * Sends a failed, expired or cancelled command once more, as a new one with `retryOf` in its meta; gives its id, for `handle`. Asked for
   * twice it is sent once, unless the first try is dead as well. FAILED_PRECONDITION for another and for a broadcast, NOT_FOUND.
   */
  retry(id: number | string, options?: Pick<SendOptions, "expires" | "delay" | "maxAttempts">): Promise<number>;
  /** Wakes whoever waits for a topic, in every process. */
  publish(topic: string): Promise<void>;

  /** Returns the function that takes the listener away again. What a listener throws is lost. */
  on<Name extends keyof DbQueueEvents>(event: Name, listen: (...values: DbQueueEvents[Name]) => void): () => void;
  /**
   * Idempotent. Refuses new commands, waits until all that were sent are in the table, and rejects who still waits for an outcome
   * UNAVAILABLE; their commands go on. The store stays open.
   */
  close(): Promise<void>;
}

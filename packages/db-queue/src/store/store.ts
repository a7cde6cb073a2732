import type { RpcError } from "@rpc/core";
import type {
  AddressRow,
  AgentRef,
  AgentRow,
  Answer,
  Appended,
  Cancel,
  Cancelled,
  ClaimRef,
  ClaimRequest,
  Claimed,
  CommandFilter,
  CommandRow,
  EventBatch,
  EventRow,
  Extended,
  Inserted,
  LeaseExtension,
  MigrationReport,
  NewCommand,
  Outcome,
  QueueStats,
  ReapOptions,
  Reaped,
  Retention,
  Settled,
  Subscribed,
  Subscription,
} from "./store-words.ts";

/**
 * Where calls wait. One row is one call and its outcome.
 *
 * An *issuer* inserts *commands* for an *address*, a named mailbox. *Agents* are processes subscribed to an address; a restarted agent has
 * the same name and another *incarnation*, which fences the one before. A *claim* is a command given to an agent under a *lease* with a
 * fencing *token*; every answer carries the token and is refused when it is no longer the row's. A *wake-up* says that there may be
 * something to read on a *topic*; it carries no payload, may come for nothing, and the tables alone are true.
 *
 * Rules for those who implement it:
 * - Every verb that takes a list does it in one transaction and answers in the list's order. An item that cannot be done is an RpcError in
 *   its place and undoes no other; the promise rejects, with an RpcError, only when nothing of the call has been kept.
 * - The database's clock decides. What goes in is a duration (`…Ms`); what comes out is an instant of that clock in milliseconds since 1970
 *   (`…At`), or a duration where a caller would have to subtract.
 * - Values are JSON texts. The same value comes back, not always the same text.
 * - Who is woken finds what was committed: a wake-up never comes before the commit, and none after a rollback.
 */
export interface QueueStore extends AsyncDisposable {
  /** For messages and logs; never holds a secret. */
  readonly endpoint: string;

  /** Brings the tables up to date. Idempotent; any number of processes may do it at once. */
  migrate(): Promise<MigrationReport>;

  /** By name, or by id. */
  findAddress(address: string | number): Promise<AddressRow | undefined>;
  /** Makes it when it is not there. INVALID_ARGUMENT for an empty name or one of more than 200 characters. */
  ensureAddress(name: string): Promise<AddressRow>;
  /** A paused address gives no claims; the end of the pause wakes its agents. NO_ADDRESS. */
  pauseAddress(name: string, paused: boolean): Promise<void>;
  /** With its commands, whatever their state. Whether there was one. */
  removeAddress(name: string): Promise<boolean>;
  listAddresses(): Promise<readonly AddressRow[]>;

  /** Before the first claim. Another incarnation of the same name is fenced from now on, and its leases end. NO_ADDRESS. */
  subscribe(subscription: Subscription): Promise<Subscribed>;
  /** Without an incarnation whichever is subscribed. Whether there was one. Its running claims keep their leases. */
  unsubscribe(agent: {
    readonly address: string;
    readonly agent: string;
    readonly incarnation?: string | undefined;
  }): Promise<boolean>;
  /** Signs of life. FENCED: another incarnation has come, or nobody is subscribed by that name. */
  keepAlive(agents: readonly AgentRef[]): Promise<readonly (RpcError | undefined)[]>;
  /** All addresses when left out. */
  listAgents(address?: string): Promise<readonly AgentRow[]>;

  /** NO_ADDRESS, CONFLICT; NO_AGENT and PAUSED where the command asks for an agent. */
  insert(commands: readonly NewCommand[]): Promise<readonly (Inserted | RpcError)[]>;
  /** That this very list will be inserted soon: what it takes beside the database may be done ahead, while that is busy with others. */
  readyInsert?(commands: readonly NewCommand[]): void;
  /**
   * Gives ready commands to agents: the highest priority first, then the oldest; of one ordering key one at a time, in the order of the ids.
   * Expired ones are never given. NO_ADDRESS, FENCED.
   */
  claim(requests: readonly ClaimRequest[]): Promise<readonly (Claimed | RpcError)[]>;
  /** Ends claims. LEASE_LOST when the token is not the row's any more; an answer after the lease's end counts while nobody has taken the row. */
  settle(answers: readonly Answer[]): Promise<readonly (Settled | RpcError)[]>;
  /** Prolongs leases from now on. LEASE_LOST. */
  extend(leases: readonly LeaseExtension[]): Promise<readonly (Extended | RpcError)[]>;
  /** Why claims are to end; undefined: nobody wants that, or it is this claim's no more. Reads nothing else of them. */
  cancellations(claims: readonly ClaimRef[]): Promise<readonly (string | undefined)[]>;
  /** LEASE_LOST. A batch with a number is written once. A `progress` event becomes the row's `progress` as well. Wakes `events of: <id>`. */
  appendEvents(batches: readonly EventBatch[]): Promise<readonly (Appended | RpcError)[]>;
  /**
   * A queued command ends at once, a claimed one is asked to (topic `cancel of: <id>`), a broadcast does either with each copy, a finished
   * one stays as it is. NOT_FOUND.
   */
  cancel(cancels: readonly Cancel[]): Promise<readonly (Cancelled | RpcError)[]>;

  /** The short form of `read` for those who wait: undefined for an id that is not there. */
  outcomes(ids: readonly number[]): Promise<readonly (Outcome | undefined)[]>;
  read(ids: readonly number[]): Promise<readonly (CommandRow | undefined)[]>;
  /** Events after `afterSeq` (default 0, from the first), in order. `limit` default 100, at most 1000. */
  readEvents(
    id: number,
    options?: { readonly afterSeq?: number | undefined; readonly limit?: number | undefined },
  ): Promise<readonly EventRow[]>;
  list(filter?: CommandFilter): Promise<readonly CommandRow[]>;
  /** One entry for each address, in the order of their names; only the one when it is given. */
  stats(options?: {
    readonly address?: string | undefined;
    readonly windowMs?: number | undefined;
  }): Promise<readonly QueueStats[]>;

  /** Ends what has expired, takes claims back whose lease is over, ends copies for agents that are gone. Any process may, at any time. */
  reap(options?: ReapOptions): Promise<Reaped>;
  /** Deletes old finished commands with their events and copies; an idempotency key can be used again afterwards. How many went. */
  prune(retention: Retention): Promise<number>;

  /**
   * Tells the listener of wake-ups until it is closed. `ready` settles when none can be missed any more: listen first, then read, then wait.
   * Whoever listens to nothing costs nothing. It keeps no process alive: who waits has a timer of its own.
   */
  watch(listener: WakeListener): Watch;
  /** Wakes all who wait for these topics, in every process. Twice the same topic counts once. */
  publish(topics: readonly string[]): Promise<void>;

  /**
   * The same verbs inside a transaction that the caller has begun on a connection of its own, and ends by itself: nothing is there, and
   * nobody is woken, before it commits. FAILED_PRECONDITION: `handle` is none of this store's kind, or in no transaction.
   */
  inTransaction(handle: unknown): StoreTransaction;

  /** Idempotent. Finishes what was asked for, then lets go of the database. Later verbs fail FAILED_PRECONDITION. */
  close(): Promise<void>;
}

/** What can be done in a caller's own transaction. A verb that rejects has left the transaction as it was, and usable. */
export interface StoreTransaction {
  ensureAddress(name: string): Promise<AddressRow>;
  removeAddress(name: string): Promise<boolean>;
  insert(commands: readonly NewCommand[]): Promise<readonly (Inserted | RpcError)[]>;
  cancel(cancels: readonly Cancel[]): Promise<readonly (Cancelled | RpcError)[]>;
  publish(topics: readonly string[]): Promise<void>;
}

/** Called outside of any transaction, never from within a verb or `watch`, but for `claimOn`. What it throws is lost. */
export interface WakeListener {
  /** `outcome`: what the command of a `result of:` topic has come to, where the store knows it without a look at the table. */
  wake(topic: string, outcome?: Outcome): void;
  /**
   * Any topic may have been meant: the way to other processes was lost and is back, or cannot tell. `ended`, where the store can look: which
   * commands have ended since the last wake-up; undefined: cannot tell. What was deleted is not among them. Asked at once, or not at all.
   */
  wakeAll(ended?: () => readonly number[] | undefined): void;
  /**
   * For a store that runs verbs in this process: asked inside of a transaction that is about to wake a topic, whether to claim in it. What it
   * gives is told the answer after the commit, instead of being woken; when there is no commit, it hears nothing. Must call no verb.
   */
  claimOn?(topic: string): ClaimOffer | undefined;
}

/** A claim without a transaction of its own. */
export interface ClaimOffer {
  readonly request: ClaimRequest;
  claimed(answer: Claimed | RpcError): void;
}

export interface Watch {
  readonly ready: Promise<void>;
  close(): void;
}

/** Topics that the store itself wakes, at the commit of what they say. */
export const commandTopic = (address: string): string => `command on: ${address}`;
export const resultTopic = (id: number): string => `result of: ${id}`;
export const cancelTopic = (id: number): string => `cancel of: ${id}`;
export const eventsTopic = (id: number): string => `events of: ${id}`;
/** Rows of a table of the application's own have changed; see `modelTrigger`. */
export const updatedModelTopic = (model: string): string => `updated_model:${model}`;

import {
  type CallOptions,
  type ClientOf,
  type Clock,
  createClient,
  RpcError,
  systemClock,
  type Transport,
} from "@rpc/core";
import { gapOf } from "@rpc/core/transport";
import { isOver } from "../issuer/outcomes.ts";
import { eventsPage, StoreService, WakeUpService } from "../service/store-contract.ts";
import { list, type Shape } from "../service/shapes.ts";
import * as shapes from "../service/store-shapes.ts";
import { type AnswerWords, type Item, safeJson } from "../service/store-shapes.ts";
import { storeClosedError } from "../store/store-errors.ts";
import type { QueueStore } from "../store/store.ts";
import type { EventRow, JsonText, Outcome } from "../store/store-words.ts";
import { PolledLine } from "./polled-line.ts";
import { PushedLine } from "./pushed-line.ts";
import { remoteError, storeError } from "./remote-errors.ts";
import { inParts, readAs, readInParts } from "./remote-lists.ts";
import type { Position } from "./topics.ts";
import { RemoteWakeUps } from "./wake-ups.ts";

export interface RemoteStoreOptions {
  /** How long a verb may take; then UNAVAILABLE, `NO_ANSWER`. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Topics of the application whose wake-ups are wanted, beside those of the commands that pass through; `["*"]`: of everything. Default: none. */
  readonly topics?: readonly string[] | undefined;
  /** Whether the transport is closed with the store. Default: false. */
  readonly closeTransport?: boolean | undefined;
  /** Told when wake-ups do not come; they are listened for again. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** For timers. Default: the transport's. */
  readonly clock?: Clock | undefined;
  /** From 0 to below 1, spreads pauses. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/**
 * The store behind a `createCommandService`, over whatever transport leads there: for `serveDbQueue` and `createDbQueue` where there is no
 * login to the database. Wake-ups are pushed where the transport streams, else waited for by long calls. It knows no transactions of the
 * caller's (FAILED_PRECONDITION), and neither migrates nor deletes (UNIMPLEMENTED); rows that the caller may not see are not there. Creating
 * it does no I/O.
 */
export function createRemoteStore(transport: Transport, options: RemoteStoreOptions = {}): QueueStore {
  return new RemoteStore(transport, options);
}

type ListCall<Input, Output> = (
  input: { readonly items: readonly Input[] },
  options: CallOptions,
) => Promise<readonly Item<Output>[]>;
type Results<T> = readonly (T | RpcError)[];
/** How many rows a service gives at once. */
const MAX_EVENTS = 1000;
const ALL_ADDRESSES = list(shapes.addressRow, Number.POSITIVE_INFINITY);
const ALL_AGENTS = list(shapes.agentRow, Number.POSITIVE_INFINITY);
const ALL_COMMANDS = list(shapes.commandRow);
const ALL_STATS = list(shapes.queueStats, Number.POSITIVE_INFINITY);

class RemoteStore implements QueueStore {
  readonly endpoint: string;
  readonly #transport: Transport;
  readonly #client: ClientOf<typeof StoreService>;
  readonly #wakeUps: RemoteWakeUps;
  readonly #closesTransport: boolean;
  readonly #callOptions: CallOptions;
  readonly #pending = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined = undefined;

  constructor(transport: Transport, options: RemoteStoreOptions) {
    const { clock = transport.clock ?? systemClock, random = Math.random, topics: lasting = [], onError } = options;
    this.endpoint = `queue at ${transport.endpoint}`;
    this.#transport = transport;
    this.#closesTransport = options.closeTransport ?? false;
    this.#callOptions = { timeoutMs: options.timeoutMs ?? 30_000 };
    this.#client = createClient(StoreService, transport);
    const streams = gapOf(transport.capabilities.bidiStream) === undefined;
    const line = streams ? new PushedLine(createClient(WakeUpService, transport)) : new PolledLine(this.#client);
    this.#wakeUps = new RemoteWakeUps(line, { clock, random, lasting, onError: onError ?? (() => undefined) });
  }

  migrate: QueueStore["migrate"] = () => Promise.reject(remoteError("migrate", this.endpoint, "UNIMPLEMENTED"));
  prune: QueueStore["prune"] = () => Promise.reject(remoteError("delete commands", this.endpoint, "UNIMPLEMENTED"));
  inTransaction: QueueStore["inTransaction"] = () => {
    throw remoteError("take part in a transaction of yours", this.endpoint, "FAILED_PRECONDITION");
  };

  findAddress: QueueStore["findAddress"] = async (address) => {
    const row = await this.#ask((options) => this.#client.findAddress({ address }, options));
    return row === null || row === undefined ? undefined : readAs(shapes.addressRow, row);
  };
  ensureAddress: QueueStore["ensureAddress"] = (name) =>
    this.#rows(shapes.addressRow, (options) => this.#client.ensureAddress({ name }, options));
  pauseAddress: QueueStore["pauseAddress"] = async (name, paused) => {
    await this.#ask((options) => this.#client.pauseAddress({ name, paused }, options));
  };
  removeAddress: QueueStore["removeAddress"] = (name) =>
    this.#ask((options) => this.#client.removeAddress({ name }, options));
  listAddresses: QueueStore["listAddresses"] = () =>
    this.#rows(ALL_ADDRESSES, (options) => this.#client.listAddresses(undefined, options));
  listAgents: QueueStore["listAgents"] = (address) =>
    this.#rows(ALL_AGENTS, (options) => this.#client.listAgents({ address }, options));

  subscribe: QueueStore["subscribe"] = async (subscription) => {
    const { position, known } = this.#wakeUps;
    const subscribed = await this.#rows(shapes.subscribed, (options) => this.#client.subscribe(subscription, options));
    known.subscribed(subscription.address, subscription.agent, position);
    return subscribed;
  };
  unsubscribe: QueueStore["unsubscribe"] = ({ address, agent, incarnation }) => {
    this.#wakeUps.known.unsubscribed(address, agent);
    return this.#ask((options) => this.#client.unsubscribe({ address, agent, incarnation }, options));
  };
  keepAlive: QueueStore["keepAlive"] = async (agents) => {
    const results = await this.#askList(agents, this.#client.keepAlive, shapes.nothing);
    return results.map((result) => (result instanceof RpcError ? result : undefined));
  };

  insert: QueueStore["insert"] = async (commands) => {
    const { position, known, isWatched } = this.#wakeUps;
    const results = await this.#askList(commands.map(withSafeTexts), this.#client.insert, shapes.inserted, textsOf);
    if (isWatched) known.awaited(unendedIn(results), position);
    return results;
  };
  claim: QueueStore["claim"] = async (requests) => {
    const { position, known, isWatched } = this.#wakeUps;
    const results = await this.#askList(requests, this.#client.claim, shapes.claimed);
    const claims = results.flatMap((result) => (result instanceof RpcError ? [] : result.claims));
    if (isWatched)
      known.claimed(
        claims.map(({ id }) => id),
        position,
      );
    return results;
  };
  settle: QueueStore["settle"] = async (answers) => {
    const results = await this.#askList(
      answers.map(withSafeTexts<AnswerWords>),
      this.#client.settle,
      shapes.settled,
      textsOf,
    );
    this.#over(answers, results, (result) => !(result instanceof RpcError));
    return results;
  };
  extend: QueueStore["extend"] = async (leases) => {
    const results = await this.#askList(leases, this.#client.extend, shapes.extended);
    this.#over(leases, results, () => false);
    return results;
  };
  cancellations: QueueStore["cancellations"] = async (claims) => {
    const reasons = await this.#askList(claims, this.#client.cancellations, shapes.cancelReason);
    return reasons.map((reason) => (reason instanceof RpcError ? undefined : reason));
  };
  appendEvents: QueueStore["appendEvents"] = (batches) => {
    const safe = batches.map(({ events, ...claim }) => ({ ...claim, events: events.map(withSafeTexts) }));
    return this.#askList(safe, this.#client.appendEvents, shapes.appended, ({ events }) =>
      events.reduce((sum, each) => sum + textsOf(each), 0),
    );
  };
  cancel: QueueStore["cancel"] = (cancels) => this.#askList(cancels, this.#client.cancel, shapes.cancelled);

  outcomes: QueueStore["outcomes"] = (ids) =>
    this.#read(ids, shapes.outcome, (some, options) => this.#client.outcomes({ ids: some }, options));
  read: QueueStore["read"] = (ids) =>
    this.#read(ids, shapes.commandRow, (some, options) => this.#client.read({ ids: some }, options));
  readEvents: QueueStore["readEvents"] = async (id, { afterSeq = 0, limit = 100 } = {}) => {
    const { position, known, isWatched } = this.#wakeUps;
    const all: EventRow[] = [];
    for (let isCut = true; isCut;) {
      const query = { id, afterSeq: all.at(-1)?.seq ?? afterSeq, limit: Math.min(limit, MAX_EVENTS) - all.length };
      const page = await this.#rows(eventsPage, (options) => this.#client.readEvents(query, options));
      all.push(...page.rows);
      isCut = page.isCut && page.rows.length > 0;
    }
    if (isWatched) known.read(id, position);
    return all;
  };
  list: QueueStore["list"] = (filter = {}) => this.#rows(ALL_COMMANDS, (options) => this.#client.list(filter, options));
  stats: QueueStore["stats"] = (query = {}) => this.#rows(ALL_STATS, (options) => this.#client.stats(query, options));
  reap: QueueStore["reap"] = () => this.#rows(shapes.reaped, (options) => this.#client.reap(undefined, options));

  watch: QueueStore["watch"] = (listener) => {
    if (this.#closed === undefined) return this.#wakeUps.watch(listener);
    const ready = Promise.reject(storeClosedError(this.endpoint));
    // As of a watch that is open: who does not ask for it is not to fall over it.
    ready.catch(() => undefined);
    return { ready, close: () => undefined };
  };
  publish: QueueStore["publish"] = async (topics) => {
    if (topics.length > 0) await this.#ask((options) => this.#client.publish({ topics }, options));
  };

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#wakeUps.close();
    if (this.#closesTransport) await this.#transport.close();
  }

  async #ask<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw storeClosedError(this.endpoint);
    const answer = call(this.#callOptions);
    this.#pending.add(answer);
    try {
      return await answer;
    } catch (thrown) {
      throw storeError(thrown, this.endpoint);
    } finally {
      this.#pending.delete(answer);
    }
  }

  async #rows<T>(shape: Shape<T>, call: (options: CallOptions) => Promise<T>): Promise<T> {
    return readAs(shape, await this.#ask(call));
  }

  #askList<Input, Output>(
    items: readonly Input[],
    call: ListCall<Input, Output>,
    shape: Shape<Output>,
    size: (item: Input) => number = () => 0,
  ): Promise<Results<Output>> {
    if (this.#closed !== undefined) return Promise.reject(storeClosedError(this.endpoint));
    return inParts(items, size, shape, (part) => this.#ask((options) => call({ items: part }, options)));
  }

  async #read<Row extends Outcome>(
    ids: readonly number[],
    shape: Shape<Row>,
    call: (ids: readonly number[], options: CallOptions) => Promise<readonly Item<Row>[]>,
  ): Promise<readonly (Row | undefined)[]> {
    if (this.#closed !== undefined) throw storeClosedError(this.endpoint);
    const { position, isWatched } = this.#wakeUps;
    const rows = await readInParts(ids, shape, (some) => this.#ask((options) => call(some, options)));
    if (isWatched) this.#await(rows, position);
    return rows;
  }

  /** Whoever has looked at a command that runs wants to know how it ends. */
  #await(rows: readonly (Outcome | undefined)[], since: Position | undefined): void {
    const ids = rows.flatMap((row) => (row === undefined || isOver(row.state) ? [] : [row.id]));
    this.#wakeUps.known.awaited(ids, since);
  }

  /** Claims that have ended, one way or the other. */
  #over<T>(
    claims: readonly { readonly id: number }[],
    results: Results<T>,
    hasEnded: (result: T | RpcError) => boolean,
  ): void {
    const over = claims.filter((_, index) => {
      const result = results[index];
      if (result === undefined) return false;
      return hasEnded(result) || (result instanceof RpcError && result.reason === "LEASE_LOST");
    });
    this.#wakeUps.known.settled(over.map(({ id }) => id));
  }
}

interface Texts {
  readonly args?: JsonText | undefined;
  readonly kwargs?: JsonText | undefined;
  readonly meta?: JsonText | undefined;
  readonly result?: JsonText | undefined;
  readonly error?: JsonText | undefined;
  readonly data?: JsonText | undefined;
}

const NAMES = ["args", "kwargs", "meta", "result", "error", "data"] as const;

function textsOf(item: Texts): number {
  let characters = 0;
  for (const name of NAMES) characters += item[name]?.length ?? 0;
  return characters;
}

function withSafeTexts<T extends Texts>(item: T): T {
  const safe: Partial<Record<(typeof NAMES)[number], JsonText>> = {};
  let isOther = false;
  for (const name of NAMES) {
    const text = item[name];
    const written = text === undefined ? undefined : safeJson(text);
    if (written === undefined || written === text) continue;
    safe[name] = written;
    isOther = true;
  }
  return isOther ? { ...item, ...safe } : item;
}

function unendedIn(results: Results<{ readonly id: number; readonly state: Outcome["state"] }>): readonly number[] {
  return results.flatMap((result) => (result instanceof RpcError || isOver(result.state) ? [] : [result.id]));
}

import { basename } from "node:path";
import { type Contract, type ContractMethod, createClient, RpcError, systemClock, type Transport } from "@rpc/core";
import { DEFAULT_LIMITS, type MethodDescriptor } from "@rpc/core/transport";
import { argumentsOf, DYNAMIC_CONTRACT, rowArguments } from "../command/arguments.ts";
import { readMeta, metaText } from "../command/meta.ts";
import { spanMs } from "../command/span.ts";
import { Metadata } from "@rpc/core";
import { noCommandError } from "../store/store-errors.ts";
import type { QueueStore } from "../store/store.ts";
import type { CommandRow, NewCommand, QueueStats } from "../store/store-words.ts";
import { readOutcomes } from "./broadcast.ts";
import type { DbQueue, DbQueueOptions } from "./db-queue.ts";
import { dynamicProxy } from "./dynamic-proxy.ts";
import { Engine } from "./engine.ts";
import { gaugesOf } from "./gauges.ts";
import { type ReadResult, SentCommand } from "./handle.ts";
import { descriptorOfMethod, isContract, methodNamed } from "./methods.ts";
import { checkedKeepEvents, metaOf, newCommand, type ProxyOptions, type SendOptions } from "./options.ts";
import { isOver } from "./outcomes.ts";
import { type CommandMaker, runInTransaction } from "./transaction.ts";
import { QueueTransport } from "./transport.ts";

type Kwargs = Readonly<Record<string, unknown>>;

const ENGINES = new WeakMap<DbQueue, Engine>();
/** How old figures of the table may be that a reading gives. */
const STATS_MS = 10_000;

/**
 * The issuing half: commands for agents that may be there now, later, or in another network. Creating it does no I/O. The store's tables must
 * be up to date (`store.migrate()`), and its addresses made (`ensureAddress`).
 */
export function createDbQueue(store: QueueStore, options: DbQueueOptions = {}): DbQueue {
  const engine = new Engine(store, {
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    pollMs: checkedCount("pollMs", options.pollMs ?? 15_000, 86_400_000),
    createdBy: options.name ?? `${basename(process.argv[1] ?? "node").replace(/\.[^.]*$/, "")}-${process.pid}`,
    maxArgumentBytes: checkedCount("maxArgumentBytes", options.maxArgumentBytes ?? 1024 * 1024),
    maxResultBytes: checkedCount("maxResultBytes", options.maxResultBytes ?? DEFAULT_LIMITS.maxMessageBytes),
    maxMetadataBytes: checkedCount("maxMetadataBytes", options.maxMetadataBytes ?? DEFAULT_LIMITS.maxMetadataBytes),
    maxUnsent: checkedCount("maxUnsent", options.maxUnsent ?? 100_000),
    liveAgentMs: checkedCount("liveAgentMs", options.liveAgentMs ?? 45_000),
    keepEvents: checkedKeepEvents(options.keepEvents ?? "observed"),
    reaper: options.reaper ?? {},
  });
  const queue = new IssuingQueue(engine);
  ENGINES.set(queue, engine);
  return queue;
}

/**
 * The calls of one address as a transport, for `createClient`, `failover`, `pair` and the others: each is a command, awaited. Closing it
 * leaves the queue as it is.
 */
export function createDbQueueTransport(queue: DbQueue, address: string, options: ProxyOptions = {}): Transport {
  const engine = ENGINES.get(queue);
  if (engine === undefined) throw invalid("createDbQueueTransport() needs a queue that createDbQueue() has made");
  return new QueueTransport(engine, address, options);
}

class IssuingQueue implements DbQueue {
  readonly store: QueueStore;
  readonly #engine: Engine;
  readonly #maker: CommandMaker;
  #stats: readonly QueueStats[] = [];
  #statsAt = Number.NEGATIVE_INFINITY;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.store = engine.store;
    this.#maker = {
      byName: (address, method, args, kwargs, options, words) =>
        this.#named(address, method, args, kwargs, options, words),
      byContract: (address, method, input, options) => this.#typed(address, descriptorOfMethod(method), input, options),
    };
  }

  ensureAddress: DbQueue["ensureAddress"] = (name) => this.store.ensureAddress(name);
  removeAddress: DbQueue["removeAddress"] = (name) => this.store.removeAddress(name);
  pause: DbQueue["pause"] = (address) => this.store.pauseAddress(address, true);
  resume: DbQueue["resume"] = (address) => this.store.pauseAddress(address, false);
  list: DbQueue["list"] = (filter) => this.store.list(filter);
  stats: DbQueue["stats"] = (options) => this.store.stats(options);
  agents: DbQueue["agents"] = (address) => this.store.listAgents(address);
  publish: DbQueue["publish"] = (topic) => this.store.publish([topic]);
  on: DbQueue["on"] = (event, listen) => this.#engine.on(event, listen);
  close: DbQueue["close"] = () => this.#engine.close();

  // One implementation of two signatures: which one it is, the first argument says.
  readonly proxy = ((first: Contract | string, ...rest: readonly unknown[]) => {
    if (!isContract(first)) {
      const options = rest[0] as ProxyOptions | undefined;
      return dynamicProxy(first, (method, args) => this.send(first, method, args, {}, options));
    }
    const [address, options] = rest as [string, ProxyOptions?];
    return createClient(first, new QueueTransport(this.#engine, address, options ?? {}));
  }) as DbQueue["proxy"];

  readonly send: DbQueue["send"] = (address, method, args, kwargs, options) =>
    this.#sent(methodNamed(method), () => this.#named(address, method, args, kwargs, options));

  readonly issue = ((address: string, method: ContractMethod, input: unknown, options?: SendOptions) => {
    const descriptor = descriptorOfMethod(method);
    const sent = this.#sent(descriptor, () => this.#typed(address, descriptor, input, options));
    return descriptor.kind === "notification" ? sent.accepted : sent;
  }) as DbQueue["issue"];

  readonly notify: DbQueue["notify"] = (address, method, args, kwargs, options) => {
    const words = { notification: true };
    return this.#sent(methodNamed(method), () => this.#named(address, method, args, kwargs, options, words)).accepted;
  };

  // What it gives is the reader's, which no type follows.
  readonly broadcast = ((address, method, args, kwargs, options) => {
    const make = (): NewCommand => this.#named(address, method, args, kwargs, options, { broadcast: true });
    return this.#sent(methodNamed(method), make, readOutcomes);
  }) as DbQueue["broadcast"];

  readonly issueToAll = ((address: string, method: ContractMethod, input: unknown, options?: SendOptions) => {
    const descriptor = descriptorOfMethod(method);
    const make = (): NewCommand => this.#typed(address, descriptor, input, options, { broadcast: true });
    return this.#sent(descriptor, make, readOutcomes);
  }) as DbQueue["issueToAll"];

  readonly handle = ((id: number | string, method?: ContractMethod) =>
    new SentCommand(this.#engine, method === undefined ? methodNamed(`command ${id}`) : descriptorOfMethod(method), {
      id: checkedId(id),
    })) as DbQueue["handle"];

  async inTransaction<T>(transaction: unknown, run: Parameters<typeof runInTransaction<T>>[2]): Promise<T> {
    if (this.#engine.refusal !== undefined) throw this.#engine.refusal;
    return runInTransaction(this.store.inTransaction(transaction), this.#maker, run);
  }

  async cancel(id: number | string, reason?: string): ReturnType<DbQueue["cancel"]> {
    return this.#engine.cancel(checkedId(id), reason?.slice(0, 1000).toWellFormed());
  }

  async retry(
    id: number | string,
    options: Pick<SendOptions, "expires" | "delay" | "maxAttempts"> = {},
  ): Promise<number> {
    let row = await this.#row(checkedId(id));
    if (!isDead(row)) {
      const message = `command ${row.id} is ${row.state}: only one that has failed, expired or was cancelled is sent once more`;
      throw new RpcError("FAILED_PRECONDITION", message, { reason: "NOT_DEAD" });
    }
    if ((await this.store.list({ parentId: row.id, limit: 1 })).length > 0) {
      const message = `command ${row.id} is a broadcast, whose agents may not be the same any more: retry its copies (list({parentId: ${row.id}})) or broadcast anew`;
      throw new RpcError("FAILED_PRECONDITION", message, { reason: "BROADCAST" });
    }
    for (;;) {
      const again = new SentCommand(this.#engine, methodNamed(row.method), { command: againOf(row, options) });
      const next = await again.accepted;
      row = await this.#row(next);
      // One that was sent once more before, and is dead as well: the last of them is the one to be tried again.
      if (!isDead(row)) return next;
    }
  }

  async #row(id: number): Promise<CommandRow> {
    const [row] = await this.store.read([id]);
    if (row === undefined) throw noCommandError(id);
    return row;
  }

  read(): ReturnType<DbQueue["read"]> {
    const now = this.#engine.settings.clock.now();
    if (now - this.#statsAt >= STATS_MS && this.#engine.refusal === undefined) {
      this.#statsAt = now;
      // For the next reading: a reading waits for no database.
      this.store.stats().then(
        (stats) => (this.#stats = stats),
        (thrown: unknown) => this.#engine.emit("error", RpcError.from(thrown)),
      );
    }
    return gaugesOf(this.#engine, this.#stats);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #sent(method: MethodDescriptor, make: () => NewCommand, read?: ReadResult): SentCommand {
    try {
      if (this.#engine.refusal !== undefined) throw this.#engine.refusal;
      return new SentCommand(this.#engine, method, { command: make() }, read);
    } catch (thrown) {
      return new SentCommand(this.#engine, method, { error: RpcError.from(thrown) }, read);
    }
  }

  #named(
    address: string,
    name: string,
    args: readonly unknown[] = [],
    kwargs: Kwargs = {},
    options: SendOptions = {},
    words: { readonly broadcast?: boolean; readonly notification?: boolean } = {},
  ): NewCommand {
    const method = methodNamed(name);
    const meta = metaOf(method, DYNAMIC_CONTRACT, metadataIn(options));
    return newCommand(address, method, rowArguments(args, kwargs), options, { ...words, meta }, this.#engine.settings);
  }

  #typed(
    address: string,
    method: MethodDescriptor,
    input: unknown,
    options: SendOptions = {},
    words: { readonly broadcast?: boolean } = {},
  ): NewCommand {
    const meta = metaOf(method, DYNAMIC_CONTRACT, metadataIn(options));
    const all = { ...words, meta, notification: method.kind === "notification" };
    return newCommand(address, method, argumentsOf(method, input), options, all, this.#engine.settings);
  }
}

function metadataIn({ metadata }: SendOptions): { readonly metadata?: Metadata } {
  return metadata === undefined ? {} : { metadata: new Metadata(metadata) };
}

function isDead({ state }: CommandRow): boolean {
  return isOver(state) && state !== "done";
}

/** Another try of a dead command, with all that it had but its key: that still belongs to the dead one. Its own key keeps it to one try. */
function againOf(row: CommandRow, options: Pick<SendOptions, "expires" | "delay" | "maxAttempts">): NewCommand {
  const { callId: _, deadlineLagMs: __, ...meta } = readMeta(row.meta);
  const livedMs = row.expiresAt === undefined ? undefined : row.expiresAt - row.createdAt;
  return {
    address: row.address,
    method: row.method,
    args: row.args,
    kwargs: row.kwargs,
    meta: metaText({ ...meta, retryOf: row.id }),
    priority: row.priority,
    orderingKey: row.orderingKey,
    idempotencyKey: `retry of ${row.id}`,
    targetAgent: row.targetAgent,
    maxAttempts: options.maxAttempts ?? row.maxAttempts,
    delayMs: options.delay === undefined ? undefined : spanMs(options.delay, "delay"),
    expiresMs: options.expires === undefined ? livedMs : spanMs(options.expires, "expires"),
    createdBy: row.createdBy,
  };
}

function checkedId(id: number | string): number {
  const number = typeof id === "number" ? id : /^\d{1,16}$/.test(id) ? Number(id) : Number.NaN;
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw invalid(`a command's id is a whole number above 0, got ${JSON.stringify(String(id).slice(0, 40))}`);
}

function checkedCount(option: string, value: number, most = Number.MAX_VALUE): number {
  if (value >= 1 && value <= most) return value;
  throw invalid(`${option} must be a number from 1${most === Number.MAX_VALUE ? "" : ` to ${most}`}, got ${value}`);
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
}

import { type CallContext, RpcError } from "@rpc/core";
import { noCommandError } from "../store/store-errors.ts";
import type { QueueStore } from "../store/store.ts";
import type {
  AgentRef,
  Answer,
  Appended,
  Cancel,
  Cancelled,
  Claim,
  Claimed,
  ClaimRef,
  ClaimRequest,
  CommandFilter,
  CommandRow,
  EventBatch,
  EventRow,
  Extended,
  Inserted,
  LeaseExtension,
  NewCommand,
  Outcome,
  Reaped,
  Settled,
} from "../store/store-words.ts";
import { answerOf, commandTextFault, eventTextFault } from "./checked-texts.ts";
import { Gatherer } from "./gatherer.ts";
import { tooLargeAnswer } from "./unsayable.ts";
import { countWithin, isTooLargeAlone, MESSAGE_CHARACTERS } from "./message-size.ts";
import type { Caller } from "./rights.ts";
import type { AnswerWords } from "./store-shapes.ts";
import type { WakeHub } from "./wake-hub.ts";

type Results<T> = readonly (T | RpcError)[];

/** Own commands that are remembered for each issuer, so that their rows need not be read to know whose they are. */
const MAX_OWN = 20_000;
/** Rows that are looked through for the own ones of a caller who may not see the others. */
const MAX_LISTED = 5000;
/** Rows are read whole: so many at once fit into memory, whatever is in them. */
const ROWS_AT_ONCE = 50;

/** The store as callers from outside have it: each verb for those only who may, and those of all callers of a turn gathered into one. */
export class Desk {
  readonly store: QueueStore;
  readonly hub: WakeHub;
  readonly #agentLostMs: number;
  readonly #inserts: Gatherer<NewCommand, Inserted>;
  readonly #claims: Gatherer<ClaimRequest, Claimed>;
  readonly #answers: Gatherer<Answer, Settled>;
  readonly #extensions: Gatherer<LeaseExtension, Extended>;
  readonly #events: Gatherer<EventBatch, Appended>;
  readonly #cancels: Gatherer<Cancel, Cancelled>;
  readonly #outcomes: Gatherer<number, { readonly row: Outcome | undefined }>;
  readonly #rows: Gatherer<number, { readonly row: CommandRow | undefined }>;
  readonly #lives: Gatherer<AgentRef, { readonly isAlive: true }>;
  readonly #own = new Map<string, Set<number>>();
  #reaping: Promise<Reaped> | undefined = undefined;
  #nextReaping: Promise<Reaped> | undefined = undefined;

  constructor(store: QueueStore, hub: WakeHub, options: { readonly agentLostMs: number }) {
    this.store = store;
    this.hub = hub;
    this.#agentLostMs = options.agentLostMs;
    this.#inserts = new Gatherer((items) => store.insert(items));
    this.#claims = new Gatherer((items) => store.claim(items));
    this.#answers = new Gatherer((items) => store.settle(items));
    this.#extensions = new Gatherer((items) => store.extend(items));
    this.#events = new Gatherer((items) => store.appendEvents(items));
    this.#cancels = new Gatherer((items) => store.cancel(items));
    this.#outcomes = new Gatherer(async (ids) => (await store.outcomes(ids)).map((row) => ({ row })));
    this.#rows = new Gatherer(async (ids) => (await store.read(ids)).map((row) => ({ row })));
    this.#lives = new Gatherer(async (agents) =>
      (await store.keepAlive(agents)).map((error) => error ?? { isAlive: true as const }),
    );
  }

  // ---- agents

  claim(caller: Caller, requests: readonly ClaimRequest[], context: CallContext): Promise<Results<Claimed>> {
    const may = (request: ClaimRequest): ClaimRequest | RpcError => agentFault(caller, request) ?? request;
    return partly(requests, may, async (items) => {
      const results = (await this.#claims.ask(items)).map((result) => this.#withinMessage(result));
      // Whoever asked has gone: nobody would know of the claims before their leases are over.
      if (context.cancelReason !== undefined)
        for (const result of results) if (!(result instanceof RpcError)) this.#giveBack(result.claims);
      for (const [index, result] of results.entries()) {
        const request = items[index];
        if (request === undefined || result instanceof RpcError || result.nextDueMs === undefined) continue;
        this.hub.dueIn(request.address, result.nextDueMs);
      }
      return results;
    });
  }

  keepAlive(caller: Caller, agents: readonly AgentRef[]): Promise<Results<{ readonly isAlive: true }>> {
    return partly(
      agents,
      (agent) => agentFault(caller, agent) ?? agent,
      (items) => this.#lives.ask(items),
    );
  }

  // Whose command it is, the token shows: nobody else has it.

  settle(caller: Caller, answers: readonly AnswerWords[]): Promise<Results<Settled>> {
    answering(caller);
    return partly(answers, answerOf, (items) => this.#answers.ask(items));
  }

  extend(caller: Caller, leases: readonly LeaseExtension[]): Promise<Results<Extended>> {
    answering(caller);
    return this.#extensions.ask(leases);
  }

  cancellations(caller: Caller, claims: readonly ClaimRef[]): Promise<readonly (string | undefined)[]> {
    answering(caller);
    return this.store.cancellations(claims);
  }

  appendEvents(caller: Caller, batches: readonly EventBatch[]): Promise<Results<Appended>> {
    answering(caller);
    return partly(
      batches,
      (batch) => eventTextFault(batch) ?? batch,
      (items) => this.#events.ask(items),
    );
  }

  // ---- issuers

  async insert(caller: Caller, commands: readonly NewCommand[]): Promise<Results<Inserted>> {
    const may = (command: NewCommand): NewCommand | RpcError => {
      if (!caller.mayIssue(command.address)) return caller.denied(`send commands to "${command.address}"`);
      return commandTextFault(command) ?? { ...command, createdBy: caller.issuer ?? command.createdBy };
    };
    const results = await partly(commands, may, (items) => this.#inserts.ask(items));
    if (!caller.mayAll) {
      for (const result of results)
        if (!(result instanceof RpcError) && !result.existing) this.#remember(caller, result.id);
    }
    return results;
  }

  async cancel(caller: Caller, cancels: readonly Cancel[]): Promise<Results<Cancelled>> {
    const denied = await this.#deniedAmong(
      caller,
      cancels.map(({ id }) => id),
      (row) => caller.mayEnd(row),
      "cancel",
    );
    return partly(
      cancels,
      (cancel) => denied.get(cancel.id) ?? cancel,
      (items) => this.#cancels.ask(items),
    );
  }

  /** Undefined: there is none. As many as one message holds, from the first on. */
  async outcomes(caller: Caller, ids: readonly number[]): Promise<Results<Outcome | undefined>> {
    return withinMessage(ids, outcomeSize, async (some) => {
      const denied = await this.#deniedAmong(caller, some, (row) => caller.maySee(row), "see");
      const results = await partly(
        some,
        (id) => denied.get(id) ?? id,
        (items) => this.#outcomes.ask(items),
      );
      return results.map((result) => (result instanceof RpcError ? result : result.row));
    });
  }

  /** The same. */
  async read(caller: Caller, ids: readonly number[]): Promise<Results<CommandRow | undefined>> {
    return withinMessage(ids, rowSize, async (some) => {
      const results = await this.#rows.ask(some);
      return results.map((result, index) => {
        if (result instanceof RpcError || result.row === undefined)
          return result instanceof RpcError ? result : undefined;
        return caller.maySee(result.row) ? result.row : caller.denied(`see command ${some[index] ?? 0}`);
      });
    });
  }

  async readOne(caller: Caller, id: number): Promise<CommandRow> {
    const [row] = await this.read(caller, [id]);
    if (row instanceof RpcError) throw row;
    if (row === undefined) throw noCommandError(id);
    return row;
  }

  async readEvents(
    caller: Caller,
    id: number,
    options: { readonly afterSeq?: number | undefined; readonly limit?: number | undefined },
  ): Promise<readonly EventRow[]> {
    const denied = await this.#deniedAmong(caller, [id], (row) => caller.maySee(row), "see");
    const error = denied.get(id);
    if (error !== undefined) throw error;
    return this.store.readEvents(id, options);
  }

  /** Who may not see all of them sees its own. */
  async list(caller: Caller, filter: CommandFilter): Promise<readonly CommandRow[]> {
    if (caller.mayAll || (filter.address !== undefined && caller.mayManage(filter.address)))
      return this.store.list(filter);
    if (filter.address !== undefined && !caller.knows(filter.address))
      throw caller.denied(`list commands of "${filter.address}"`);
    const { limit = 100 } = filter;
    const own: CommandRow[] = [];
    let { beforeId } = filter;
    for (let seen = 0; seen < MAX_LISTED && own.length < limit;) {
      const page = await this.store.list({ ...filter, beforeId, limit: ROWS_AT_ONCE });
      seen += page.length;
      own.push(...page.filter((row) => caller.maySee(row)));
      if (page.length < ROWS_AT_ONCE) break;
      beforeId = page.at(-1)?.id;
    }
    return own.slice(0, limit);
  }

  // ---- everybody

  /** For anybody who may do anything at all: one at a time, and one more for all who ask meanwhile, as what they mean may be younger. */
  reap(_caller: Caller): Promise<Reaped> {
    if (this.#reaping === undefined) {
      this.#reaping = this.store.reap({ agentLostMs: this.#agentLostMs }).finally(() => (this.#reaping = undefined));
      return this.#reaping;
    }
    this.#nextReaping ??= this.#reaping
      .catch(() => undefined)
      .then(() => {
        this.#nextReaping = undefined;
        return this.reap(_caller);
      });
    return this.#nextReaping;
  }

  async publish(caller: Caller, topics: readonly string[]): Promise<void> {
    for (const topic of topics) if (!caller.mayPublish(topic)) throw caller.denied(`publish "${topic}"`);
    await this.store.publish(topics);
  }

  /** The refusals, by id. Ids that nobody has are refused by the verb itself. */
  async #deniedAmong(
    caller: Caller,
    ids: readonly number[],
    may: (row: CommandRow) => boolean,
    what: string,
  ): Promise<ReadonlyMap<number, RpcError>> {
    const denied = new Map<number, RpcError>();
    if (caller.mayAll) return denied;
    const own = caller.issuer === undefined ? undefined : this.#own.get(caller.issuer);
    const unknown = ids.filter((id) => own?.has(id) !== true);
    if (unknown.length === 0) return denied;
    for (let from = 0; from < unknown.length; from += ROWS_AT_ONCE) {
      const some = unknown.slice(from, from + ROWS_AT_ONCE);
      for (const [index, result] of (await this.#rows.ask(some)).entries()) {
        const id = some[index] ?? 0;
        if (result instanceof RpcError) denied.set(id, result);
        else if (result.row !== undefined && !may(result.row)) denied.set(id, caller.denied(`${what} command ${id}`));
      }
    }
    return denied;
  }

  #remember(caller: Caller, id: number): void {
    if (caller.issuer === undefined) return;
    let own = this.#own.get(caller.issuer);
    if (own === undefined) this.#own.set(caller.issuer, (own = new Set()));
    own.add(id);
    if (own.size <= MAX_OWN) return;
    for (const oldest of own) {
      own.delete(oldest);
      break;
    }
  }

  /** Claims beyond a message's size go back, and wake their agents again. */
  #withinMessage(result: Claimed | RpcError): Claimed | RpcError {
    if (result instanceof RpcError) return result;
    const { claims } = result;
    const count = countWithin(claims, ({ args, kwargs, meta }) => args.length + kwargs.length + meta.length);
    const [first] = claims;
    const isTooLarge = first !== undefined && isTooLargeAlone(first);
    if (count === claims.length && !isTooLarge) return result;
    this.#giveBack(claims.slice(count));
    // It would be claimed, and lost, again and again.
    if (isTooLarge) this.#answers.ask([tooLargeAnswer(first)]).catch(() => undefined);
    return { claims: claims.slice(isTooLarge ? 1 : 0, count), nextDueMs: undefined };
  }

  #giveBack(claims: readonly Claim[]): void {
    const answers = claims.map(({ id, token }): Answer => ({ id, token, outcome: "released" }));
    // What does not arrive ends with its lease.
    this.#answers.ask(answers).catch(() => undefined);
  }
}

export function agentFault(caller: Caller, { address, agent }: AgentRef): RpcError | undefined {
  return caller.mayServe(address, agent) ? undefined : caller.denied(`be agent "${agent}" of "${address}"`);
}

function answering(caller: Caller): void {
  if (!caller.mayAnswer) throw caller.denied("answer commands");
}

/** In pieces, until a message is full. */
async function withinMessage<Row>(
  ids: readonly number[],
  size: (row: Row) => number,
  ask: (ids: readonly number[]) => Promise<Results<Row | undefined>>,
): Promise<Results<Row | undefined>> {
  const all: (Row | RpcError | undefined)[] = [];
  let characters = 0;
  for (let from = 0; from < ids.length; from += ROWS_AT_ONCE) {
    for (const result of await ask(ids.slice(from, from + ROWS_AT_ONCE))) {
      if (!(result instanceof RpcError) && result !== undefined) characters += size(result);
      if (characters > MESSAGE_CHARACTERS && all.length > 0) return all;
      all.push(result);
    }
  }
  return all;
}

const outcomeSize = ({ result, error }: Outcome): number => (result?.length ?? 0) + (error?.length ?? 0);
const rowSize = (row: CommandRow): number =>
  outcomeSize(row) + row.args.length + row.kwargs.length + row.meta.length + (row.progress?.length ?? 0);

/** Asks for what passes the check; what does not has its error in its place. */
async function partly<Given, Item, Result>(
  given: readonly Given[],
  check: (given: Given) => Item | RpcError,
  ask: (items: readonly Item[]) => Promise<Results<Result>>,
): Promise<Results<Result>> {
  const checked = given.map(check);
  const good = checked.filter((each): each is Item => !(each instanceof RpcError));
  const results = good.length === 0 ? [] : await ask(good);
  let next = 0;
  return checked.map((each) => (each instanceof RpcError ? each : (results[next++] as Result | RpcError)));
}

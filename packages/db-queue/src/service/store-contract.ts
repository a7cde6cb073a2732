import {
  bidiStream,
  type Contract,
  defineContract,
  type MethodDefinition,
  type NoErrors,
  type StandardSchema,
  unary,
} from "@rpc/core";
import type * as Words from "../store/store-words.ts";
import {
  either,
  list,
  milliseconds,
  nullable,
  optional,
  record,
  loose,
  type Shape,
  text,
  whole,
  yesNo,
} from "./shapes.ts";
import * as shapes from "./store-shapes.ts";

type Verb<Input, Output> = MethodDefinition<
  "unary",
  StandardSchema<Input>,
  StandardSchema<Output>,
  undefined,
  NoErrors
>;
type ListVerb<Input, Output> = Verb<{ readonly items: readonly Input[] }, readonly shapes.Item<Output>[]>;
interface Ids {
  readonly ids: readonly number[];
}

/** Several topics waited for at once; `*`: any, for who may see everything. */
export interface WaitForAny {
  readonly topics: readonly string[];
  readonly since?: string | undefined;
  readonly timeoutMs?: number | undefined;
  /** Who comes again by this name ends its wait before: not over every wire is it heard that a caller has left one. */
  readonly watcher?: string | undefined;
}

export interface WokenTopics {
  readonly seq: string;
  /** Those that were woken since; `*`: each may have been. */
  readonly topics: readonly string[];
}

/** What a stream of wake-ups is told. */
export interface TopicChange {
  readonly add?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
  /** Added topics that were woken since then are told at once. */
  readonly since?: string | undefined;
}

export const eventsPage: Shape<EventsPage> = loose<EventsPage>({ rows: list(shapes.eventRow), isCut: yesNo });

/**
 * The verbs of a store, in lists and with JSON texts, for `createRemoteStore`. Whoever writes a client by hand takes
 * `rpc.queue.v1.CommandService`.
 */
export const StoreService: Contract<{
  readonly findAddress: Verb<{ readonly address: string | number }, Words.AddressRow | null>;
  readonly ensureAddress: Verb<{ readonly name: string }, Words.AddressRow>;
  readonly pauseAddress: Verb<{ readonly name: string; readonly paused: boolean }, unknown>;
  readonly removeAddress: Verb<{ readonly name: string }, boolean>;
  readonly listAddresses: Verb<unknown, readonly Words.AddressRow[]>;
  readonly subscribe: Verb<Words.Subscription, Words.Subscribed>;
  readonly unsubscribe: Verb<Unsubscription, boolean>;
  readonly keepAlive: ListVerb<Words.AgentRef, unknown>;
  readonly listAgents: Verb<{ readonly address?: string | undefined }, readonly Words.AgentRow[]>;
  readonly insert: ListVerb<Words.NewCommand, Words.Inserted>;
  readonly claim: ListVerb<Words.ClaimRequest, Words.Claimed>;
  readonly settle: ListVerb<shapes.AnswerWords, Words.Settled>;
  readonly extend: ListVerb<Words.LeaseExtension, Words.Extended>;
  readonly cancellations: ListVerb<Words.ClaimRef, string | undefined>;
  readonly appendEvents: ListVerb<Words.EventBatch, Words.Appended>;
  readonly cancel: ListVerb<Words.Cancel, Words.Cancelled>;
  readonly outcomes: Verb<Ids, readonly shapes.Item<Words.Outcome>[]>;
  readonly read: Verb<Ids, readonly shapes.Item<Words.CommandRow>[]>;
  readonly readEvents: Verb<EventsQuery, EventsPage>;
  readonly list: Verb<Words.CommandFilter, readonly Words.CommandRow[]>;
  readonly stats: Verb<StatsQuery, readonly Words.QueueStats[]>;
  readonly reap: Verb<unknown, Words.Reaped>;
  readonly publish: Verb<{ readonly topics: readonly string[] }, unknown>;
  readonly wait: Verb<WaitForAny, WokenTopics>;
}> = defineContract("rpc.queue.v1.StoreService", storeVerbs());

/** Wake-ups, pushed. Apart from the verbs, which wires without streams carry as well. */
export const WakeUpService: Contract<{
  readonly watch: MethodDefinition<
    "bidiStream",
    StandardSchema<TopicChange>,
    StandardSchema<WokenTopics>,
    undefined,
    NoErrors
  >;
}> = defineContract("rpc.queue.v1.WakeUpService", {
  watch: bidiStream({
    input: record<TopicChange>({
      add: optional(list(shapes.topic)),
      remove: optional(list(shapes.topic)),
      since: optional(text(100)),
    }),
    output: loose<WokenTopics>({ seq: text(), topics: list(text(), Number.POSITIVE_INFINITY) }),
    doc: "Topics that were woken; the first message has none, and comes when no wake-up can be missed any more",
  }),
});

interface Unsubscription {
  readonly address: string;
  readonly agent: string;
  readonly incarnation?: string | undefined;
}

interface EventsQuery {
  readonly id: number;
  readonly afterSeq?: number | undefined;
  readonly limit?: number | undefined;
}

export interface EventsPage {
  readonly rows: readonly Words.EventRow[];
  /** More had no room in one message. */
  readonly isCut: boolean;
}

interface StatsQuery {
  readonly address?: string | undefined;
  readonly windowMs?: number | undefined;
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- it is the type of StoreService
function storeVerbs() {
  // oxlint-disable-next-line typescript/explicit-function-return-type -- as above
  const listVerb = <Input, Output>(item: Shape<Input>, result: Shape<Output>, idempotent = false) =>
    unary({
      input: record<{ readonly items: readonly Input[] }>({ items: list(item) }),
      output: shapes.itemsOf(result),
      idempotent,
    });
  const named = record<{ readonly name: string }>({ name: text() });
  const ids = record<Ids>({ ids: list(shapes.id) });
  return {
    findAddress: unary({
      input: record<{ readonly address: string | number }>({ address: either<string, number>(text(), whole()) }),
      output: nullable(shapes.addressRow),
      idempotent: true,
    }),
    ensureAddress: unary({ input: named, output: shapes.addressRow, idempotent: true }),
    pauseAddress: unary({
      input: record<{ readonly name: string; readonly paused: boolean }>({ name: text(), paused: yesNo }),
      output: shapes.nothing,
      idempotent: true,
    }),
    removeAddress: unary({ input: named, output: yesNo }),
    listAddresses: unary({
      input: shapes.nothing,
      output: list(shapes.addressRow, Number.POSITIVE_INFINITY),
      idempotent: true,
    }),
    subscribe: unary({ input: shapes.subscription, output: shapes.subscribed, idempotent: true }),
    unsubscribe: unary({
      input: record<Unsubscription>({
        address: shapes.name,
        agent: shapes.name,
        incarnation: optional(shapes.name),
      }),
      output: yesNo,
      idempotent: true,
    }),
    keepAlive: listVerb(shapes.agentRef, shapes.nothing, true),
    listAgents: unary({
      input: record<{ readonly address?: string | undefined }>({ address: optional(text()) }),
      output: list(shapes.agentRow, Number.POSITIVE_INFINITY),
      idempotent: true,
    }),
    insert: listVerb(shapes.newCommand, shapes.inserted),
    claim: listVerb(shapes.claimRequest, shapes.claimed),
    settle: listVerb(shapes.answer, shapes.settled),
    extend: listVerb(shapes.leaseExtension, shapes.extended, true),
    cancellations: listVerb(shapes.claimRef, shapes.cancelReason, true),
    appendEvents: listVerb(shapes.eventBatch, shapes.appended),
    cancel: listVerb(shapes.cancel, shapes.cancelled, true),
    outcomes: unary({ input: ids, output: shapes.itemsOf(shapes.outcome), idempotent: true }),
    read: unary({ input: ids, output: shapes.itemsOf(shapes.commandRow), idempotent: true }),
    readEvents: unary({
      input: record<EventsQuery>({
        id: shapes.id,
        afterSeq: optional(whole(0)),
        limit: optional(whole(1, 1000)),
      }),
      output: eventsPage,
      idempotent: true,
    }),
    list: unary({ input: shapes.commandFilter, output: list(shapes.commandRow), idempotent: true }),
    stats: unary({
      input: record<StatsQuery>({ address: optional(text()), windowMs: optional(milliseconds()) }),
      output: list(shapes.queueStats, Number.POSITIVE_INFINITY),
      idempotent: true,
    }),
    reap: unary({ input: shapes.nothing, output: shapes.reaped }),
    publish: unary({
      input: record<{ readonly topics: readonly string[] }>({ topics: list(shapes.topic) }),
      output: shapes.nothing,
      idempotent: true,
    }),
    wait: unary({
      input: record<WaitForAny>({
        topics: list(shapes.topic),
        since: optional(text(100)),
        timeoutMs: optional(milliseconds()),
        watcher: optional(text(100)),
      }),
      output: loose<WokenTopics>({ seq: text(), topics: list(text(), Number.POSITIVE_INFINITY) }),
      idempotent: true,
    }),
  };
}

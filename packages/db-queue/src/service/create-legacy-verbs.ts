import { createRouter, type Handler, type HandlerContext, RpcError } from "@rpc/core";
import { LEASE_LOST_ERROR, leaseLostError, noAddressError } from "../store/store-errors.ts";
import type { QueueStore } from "../store/store.ts";
import { jsonOf, popped } from "./command-values.ts";
import { only, readiness } from "./command-verbs.ts";
import type { CommandServiceOptions } from "./create-command-service.ts";
import { agentFault } from "./desk.ts";
import {
  LegacyAddress,
  type LegacyCommand,
  LegacyCommandModel,
  type LegacyError,
  LegacySubscription,
} from "./legacy-contracts.ts";
import { type OpenDesk, openDesk } from "./open-desk.ts";
import { exceptionAnswer, failureAnswer } from "./pushed-errors.ts";
import type { AnswerWords } from "./store-shapes.ts";
import { unsayableAnswer } from "./unsayable.ts";
import { waitForTopics } from "./waits.ts";

export interface LegacyVerbsOptions extends CommandServiceOptions {
  /** Which records a call is about: `(context) => databaseCall(context).records` of `@rpc/xmlrpc`. */
  readonly records: (context: HandlerContext) => readonly unknown[];
  /** How long a popped command is its agent's, who has no verb to ask for more. Default: 3,600,000. */
  readonly leaseMs?: number | undefined;
}

/** A database for `databases({ name: … })` of `@rpc/xmlrpc`. */
export interface LegacyVerbs extends AsyncDisposable {
  readonly models: Readonly<Record<"base.command.address" | "base.command.command", Handler>>;
  /** `wait` and `publish`, as functions of the database. */
  readonly functions: Handler;
  /** The same for an endpoint of its own, such as `http://host/subscription`, by their bare names: `wait(expression)`. */
  readonly subscription: Handler;
  /** Idempotent. */
  close(): Promise<void>;
}

const LEASE_MS = 3_600_000;
/** Claims and positions that are remembered; the oldest go. */
const MAX_REMEMBERED = 100_000;
/** Commands that were looked at for one that an old agent may have. */
const MAX_TRIES = 100;

/**
 * The queue by the names of old: models `base.command.address` and `base.command.command`, functions `wait` and `publish`. They know no token, so
 * a claim belongs to who has popped it: the same identity at the same host, while this process lives. A late push is refused, LEASE_LOST. They
 * know no second try either: a command that comes again after its lease was lost is failed instead.
 */
export function createLegacyVerbs(store: QueueStore, options: LegacyVerbsOptions): LegacyVerbs {
  const open = openDesk(store, options);
  const claims = new Remembered<number, { readonly token: string; readonly caller: string }>();
  const names = new Remembered<string, string>();
  const functions = subscription(open);
  return {
    models: {
      "base.command.address": addressModel(open, names, options),
      "base.command.command": commandModel(open, claims, options),
    },
    functions,
    subscription: { ...functions, method: (method, kind) => functions.method(`subscription.${method}`, kind) },
    close: open.close,
    [Symbol.asyncDispose]: open.close,
  };
}

function addressModel(
  { desk, callerOf }: OpenDesk,
  incarnations: Remembered<string, string>,
  { records }: LegacyVerbsOptions,
): Handler {
  const addressOf = async (context: HandlerContext): Promise<string> => {
    const id = idIn(records(context));
    const row = await desk.store.findAddress(id);
    if (row === undefined || !callerOf(context).knows(row.name)) throw noAddressError(String(id));
    return row.name;
  };
  return createRouter(LegacyAddress, {
    search: async ({ domain }, context) => {
      const caller = callerOf(context);
      const [condition, ...others] = domain;
      const [field, operator, name] = Array.isArray(condition) ? (condition as readonly unknown[]) : [];
      if (others.length > 0 || field !== "name" || operator !== "=" || typeof name !== "string") {
        throw invalid("search() of addresses takes [('name', '=', <name>)] and nothing else");
      }
      const row = caller.knows(name) ? await desk.store.findAddress(name) : undefined;
      return row === undefined ? [] : [row.id];
    },
    subscribe: async ({ name: agent, incarnation = `${agent}-legacy` }, context) => {
      const ref = { address: await addressOf(context), agent, incarnation };
      const fault = agentFault(callerOf(context), ref);
      if (fault !== undefined) throw fault;
      await desk.store.subscribe(ref);
      incarnations.set(`${whereFrom(context)}\n${ref.address}\n${agent}`, incarnation);
      return true;
    },
    unsubscribe: async ({ name: agent }, context) => {
      const address = await addressOf(context);
      const incarnation = incarnations.get(`${whereFrom(context)}\n${address}\n${agent}`);
      // By its name alone an agent would unsubscribe its successor.
      if (incarnation === undefined) return false;
      const fault = agentFault(callerOf(context), { address, agent, incarnation });
      if (fault !== undefined) throw fault;
      return desk.store.unsubscribe({ address, agent, incarnation });
    },
  });
}

function commandModel(
  { desk, callerOf }: OpenDesk,
  claims: Remembered<number, { readonly token: string; readonly caller: string }>,
  { records, leaseMs = LEASE_MS }: LegacyVerbsOptions,
): Handler {
  const push = async (
    context: HandlerContext,
    answer: (claim: Pick<AnswerWords, "id" | "token">) => AnswerWords,
  ): Promise<true> => {
    const caller = callerOf(context);
    const id = idIn(records(context));
    const claim = claims.get(id);
    if (claim === undefined) throw leaseLostError(id);
    if (claim.caller !== whereFrom(context)) throw caller.denied(`answer command ${id}, which it has not popped`);
    only(await desk.settle(caller, [answer({ id, token: claim.token })]));
    claims.delete(id);
    return true;
  };
  return createRouter(LegacyCommandModel, {
    pop_command: async ({ address_name, agent_name, agent_incarnation }, context) => {
      const caller = callerOf(context);
      const request = { address: address_name, agent: agent_name, incarnation: agent_incarnation, max: 1, leaseMs };
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const [claim] = only(await desk.claim(caller, [request], context)).claims;
        if (claim === undefined) return false;
        const { id, token } = claim;
        const all = popped(claim);
        const { method, args, kwargs } = all;
        const command: LegacyCommand = { id, method, args, kwargs };
        const late: AnswerWords = { id, token, outcome: "failed", error: LEASE_LOST_ERROR, retryable: false };
        const refusal = claim.attempt > 1 ? late : unsayableAnswer(claim, all, context.peer);
        if (refusal === undefined) {
          claims.set(id, { token, caller: whereFrom(context) });
          return command;
        }
        // An answer to the first try could not be told from one to this.
        only(await desk.settle(caller, [refusal]));
      }
      return false;
    },
    push_result: ({ result }, context) =>
      push(context, ({ id, token }) => ({ id, token, outcome: "done", result: jsonOf(result) })),
    push_exception: ({ error }, context) => push(context, (claim) => legacyException(claim, error)),
    push_failure: ({ error }, context) => push(context, (claim) => failureAnswer(claim, textOf(error))),
  });
}

/** A title with a text is the handler's refusal, anything else what it has thrown. */
function legacyException(claim: Pick<AnswerWords, "id" | "token">, said: LegacyError): AnswerWords {
  const { code, message = "", error = "" } = said;
  if (error === "") return { ...exceptionAnswer(claim, { message }), retryable: false };
  return exceptionAnswer(claim, { title: message, text: error, code: typeof code === "number" ? code : undefined });
}

function textOf({ message = "", error = "" }: LegacyError): string {
  return error === "" ? message : `${message}: ${error}`;
}

function subscription({ desk, hub, clock, callerOf }: OpenDesk): Handler {
  /** Where each caller's last wait for each topic has ended: the old verbs have no place for it. */
  const positions = new Remembered<string, string>();
  return createRouter(LegacySubscription, {
    wait: async ({ expression }, context) => {
      const caller = callerOf(context);
      if (!caller.mayWaitFor(expression)) throw caller.denied(`wait for "${expression}"`);
      const key = `${whereFrom(context)}\n${expression}`;
      const { seq, topics } = await waitForTopics(hub, clock, {
        caller: caller.key,
        topics: [expression],
        since: positions.get(key),
        timeoutMs: undefined,
        context,
        isReady: readiness(desk, expression),
      });
      positions.set(key, seq);
      return topics.length > 0;
    },
    publish: async ({ expression }, context) => {
      await desk.publish(callerOf(context), [expression]);
      return true;
    },
  });
}

/** Who it is, and from which host; ports change with each connection. */
function whereFrom({ peer }: HandlerContext): string {
  const host = /^[a-z]+:\/\/(\[[^\]]*\]|[^:/]*)/.exec(peer.endpoint)?.[1] ?? peer.endpoint;
  return `${peer.identity ?? ""}\n${host}\n${peer.instanceId}`;
}

function idIn(records: readonly unknown[]): number {
  const [id, ...others] = records;
  if (typeof id === "number" && Number.isSafeInteger(id) && id > 0 && others.length === 0) return id;
  throw invalid("it is called on one record, by its id");
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
}

/** A map that forgets the oldest. */
class Remembered<Key, Value> {
  readonly #values = new Map<Key, Value>();

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  set(key: Key, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      break;
    }
  }

  delete(key: Key): void {
    this.#values.delete(key);
  }
}

import {
  type Clock,
  createRouter,
  type Handler,
  type HandlerContext,
  type ImplementationOf,
  RpcError,
} from "@rpc/core";
import { parsedJson } from "../command/json-text.ts";
import { spanMs } from "../command/span.ts";
import { readSpilled, spillIn } from "../command/spill.ts";
import { noCommandError } from "../store/store-errors.ts";
import { commandTopic, resultTopic } from "../store/store.ts";
import type { NewCommand, Outcome } from "../store/store-words.ts";
import { isOver } from "../issuer/outcomes.ts";
import { CommandService } from "./command-contract.ts";
import { jsonOf, outcomeWords, popped, rowWords } from "./command-values.ts";
import type * as Words from "./command-words.ts";
import { agentFault, type Desk } from "./desk.ts";
import { exceptionAnswer, failureAnswer } from "./pushed-errors.ts";
import type { Caller } from "./rights.ts";
import type { AnswerWords } from "./store-shapes.ts";
import { unsayableAnswer } from "./unsayable.ts";
import { DEFAULT_WAIT_MS, waitForTopics } from "./waits.ts";

const LEASE_MS = 30_000;
/** What one message holds. */
const MAX_RESULT_BYTES = 3 * 1024 * 1024;
/** `failFast`: an agent seen so recently is alive. */
const LIVE_AGENT_MS = 45_000;

/** `rpc.queue.v1.CommandService`. */
export function commandVerbs(desk: Desk, clock: Clock, callerOf: (context: HandlerContext) => Caller): Handler {
  const { store, hub } = desk;
  const settled = async (context: HandlerContext, answer: AnswerWords): Promise<Words.SettledOutput> =>
    only(await desk.settle(callerOf(context), [answer]));
  const agent = (context: HandlerContext, ref: Words.AgentName): void => {
    const fault = agentFault(callerOf(context), ref);
    if (fault !== undefined) throw fault;
  };
  const verbs: ImplementationOf<typeof CommandService> = {
    findAddress: async ({ address }, context) => {
      const caller = callerOf(context);
      if (!caller.knows(address)) throw caller.denied(`use address "${address}"`);
      const row = await store.findAddress(address);
      return row === undefined ? null : { id: row.id, name: row.name, paused: row.paused };
    },
    subscribe: async (subscription, context) => {
      agent(context, subscription);
      const { serverAt, replaced } = await store.subscribe(subscription);
      return { leaseMs: LEASE_MS, serverAt, replaced };
    },
    unsubscribe: (ref, context) => {
      agent(context, ref);
      return store.unsubscribe(ref);
    },
    keepAlive: async (ref, context) => only(await desk.keepAlive(callerOf(context), [ref])).isAlive,
    pop: async ({ max = 1, leaseMs = LEASE_MS, ...ref }, context) => {
      const { claims } = only(await desk.claim(callerOf(context), [{ ...ref, max, leaseMs }], context));
      return claims.flatMap((claim) => {
        const command = popped(claim);
        const refusal = unsayableAnswer(claim, command, context.peer);
        if (refusal === undefined) return [command];
        // What does not arrive ends with its lease.
        settled(context, refusal).catch(() => undefined);
        return [];
      });
    },
    extend: async ({ id, token, leaseMs = LEASE_MS }, context) => {
      const { cancel } = only(await desk.extend(callerOf(context), [{ id, token, leaseMs }]));
      return { leaseMs, cancel };
    },
    pushResult: ({ id, token, result }, context) =>
      settled(context, { id, token, outcome: "done", result: jsonOf(result) }),
    pushException: ({ error, ...claim }, context) => settled(context, exceptionAnswer(claim, error)),
    pushFailure: ({ message, code, ...claim }, context) => settled(context, failureAnswer(claim, message, code)),
    pushCancelled: ({ id, token, message = "" }, context) => {
      const error = JSON.stringify({ code: "CANCELLED", outcome: "unknown", ...(message !== "" && { message }) });
      return settled(context, { id, token, outcome: "cancelled", error });
    },
    pushEvents: async ({ id, token, batch, events }, context) => {
      const written = events.map(({ kind, data }) => ({ kind, data: jsonOf(data) }));
      return { seq: only(await desk.appendEvents(callerOf(context), [{ id, token, batch, events: written }])).seq };
    },
    release: ({ id, token }, context) => settled(context, { id, token, outcome: "released" }),
    wait: async ({ topic, since, timeoutMs }, context) => {
      const caller = callerOf(context);
      if (!caller.mayWaitFor(topic)) throw caller.denied(`wait for "${topic}"`);
      const isReady = readiness(desk, topic);
      const waited = { caller: caller.key, topics: [topic], since, timeoutMs, context, isReady };
      const { seq, topics } = await waitForTopics(hub, clock, waited);
      return { seq, fired: topics.length > 0 };
    },
    publish: async ({ topic }, context) => {
      await desk.publish(callerOf(context), [topic]);
      return true;
    },
    send: async (input, context) => {
      const { id, state, existing } = only(await desk.insert(callerOf(context), [commandOf(input)]));
      return { id, state, existing };
    },
    state: async ({ id }, context) => rowWords(await desk.readOne(callerOf(context), id)),
    result: ({ id, timeoutMs = DEFAULT_WAIT_MS }, context) =>
      awaited(desk, clock, callerOf(context), id, timeoutMs, context),
    cancel: async ({ id, reason }, context) => ({
      state: only(await desk.cancel(callerOf(context), [{ id, reason }])).state,
    }),
    list: async (filter, context) => (await desk.list(callerOf(context), filter)).map(rowWords),
  };
  return createRouter(CommandService, verbs);
}

/** The end of a command, or what it is when the time is over. */
async function awaited(
  desk: Desk,
  clock: Clock,
  caller: Caller,
  id: number,
  timeoutMs: number,
  context: HandlerContext,
): Promise<Words.OutcomeWords> {
  const until = clock.now() + timeoutMs;
  for (;;) {
    // From before the look, so that an end between the look and the wait is heard of.
    if (timeoutMs > 0) await desk.hub.listen();
    const since = desk.hub.position;
    const outcome = only(await desk.outcomes(caller, [id]));
    if (outcome === undefined) throw noCommandError(id);
    const leftMs = until - clock.now();
    if (isOver(outcome.state) || leftMs <= 0) return outcomeWords(await whole(desk, outcome));
    const topics = [resultTopic(id)];
    await waitForTopics(desk.hub, clock, { caller: caller.key, topics, since, timeoutMs: leftMs, context });
  }
}

/** A result that stands in the command's events, in one piece again. */
async function whole({ store }: Desk, outcome: Outcome): Promise<Outcome> {
  const { id, result } = outcome;
  const spill = result === undefined ? undefined : spillIn(parsedJson(result, "a result"));
  if (spill === undefined) return outcome;
  return { ...outcome, result: JSON.stringify(await readSpilled(store, id, spill, MAX_RESULT_BYTES)) };
}

function commandOf({ address, method, args, kwargs, options = {} }: Words.SendInput): NewCommand {
  const { expires, delay, failFast, ...rest } = options;
  return {
    address,
    method,
    args: args === undefined ? undefined : jsonOf(args),
    kwargs: kwargs === undefined ? undefined : jsonOf(kwargs),
    expiresMs: expires === undefined ? undefined : spanMs(expires, "expires"),
    delayMs: delay === undefined ? undefined : spanMs(delay, "delay"),
    agentSeenWithinMs: failFast === true ? LIVE_AGENT_MS : undefined,
    ...rest,
  };
}

export function only<T>(results: readonly (T | RpcError)[]): T {
  const [result] = results;
  if (result instanceof RpcError) throw result;
  // One item was asked for, and each has its answer.
  return result as T;
}

/** Whether a command could start, for who waits without having looked; undefined: the topic is of another kind. */
export function readiness({ store }: Desk, topic: string): (() => Promise<boolean>) | undefined {
  const prefix = commandTopic("");
  if (!topic.startsWith(prefix)) return undefined;
  return async () => {
    const [stats] = await store.stats({ address: topic.slice(prefix.length), windowMs: 1 });
    return stats !== undefined && !stats.paused && stats.readyCount > 0;
  };
}

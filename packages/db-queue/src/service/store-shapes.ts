import { isStatusCode, RpcError } from "@rpc/core";
import type * as Words from "../store/store-words.ts";
import {
  anything,
  list,
  mapped,
  milliseconds,
  number,
  oneOf,
  optional,
  loose,
  type Shape,
  text,
  whole,
  yesNo,
} from "./shapes.ts";

/** Shapes of the store's words, as they travel between a remote store and its service. */

/** What XML has no place for stands in JSON as its number: the value is the same. */
export function safeJson(json: Words.JsonText): Words.JsonText {
  return /[\ufffe\uffff]/.test(json) ? json.replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff") : json;
}

// oxlint-disable-next-line no-control-regex -- those it looks for
const ILLEGAL_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Names and keys; what a store refuses of them, the store says. */
export const name: Shape<string> = text(200);
export const topic: Shape<string> = text(4000);
export const leaseMs: Shape<number> = milliseconds(100);
/** JSON. Longer than a message it cannot be anyhow. */
const json: Shape<Words.JsonText> = mapped(text(), safeJson);
export const id: Shape<number> = whole(1);
export const state: Shape<Words.CommandState> = oneOf(
  "queued",
  "waiting",
  "claimed",
  "done",
  "failed",
  "expired",
  "cancelled",
);

/** One of a list that could not be done. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly reason?: string | undefined;
  readonly delivered?: string | undefined;
  readonly retryable: boolean;
}

/** What became of one of a list. Neither: nothing is there. */
export interface Item<T> {
  readonly value?: T | undefined;
  readonly refusal?: Refusal | undefined;
}

export function itemsOf<T>(value: Shape<T>): Shape<readonly Item<T>[]> {
  const refusal = loose<Refusal>({
    code: text(),
    message: text(),
    reason: optional(text()),
    delivered: optional(text()),
    retryable: yesNo,
  });
  return list(loose<Item<T>>({ value: optional(value), refusal: optional(refusal) }));
}

export function itemOf<T>(result: T | RpcError | undefined): Item<T> {
  if (!(result instanceof RpcError)) return { value: result };
  const { code, message, reason, delivered, retryable } = result;
  return { refusal: { code, message, reason, delivered, retryable } };
}

export function refusalOf({ refusal }: Item<unknown>): RpcError | undefined {
  if (refusal === undefined) return undefined;
  const { code, message, reason, delivered, retryable } = refusal;
  return new RpcError(isStatusCode(code) ? code : "UNKNOWN", message, {
    reason,
    retryable,
    delivered: delivered === "no" || delivered === "unknown" ? delivered : undefined,
  });
}

const agent = { address: name, agent: name, incarnation: name };
const claim = { id, token: text(100) };

export const agentRef: Shape<Words.AgentRef> = loose<Words.AgentRef>(agent);
export const subscription: Shape<Words.Subscription> = loose<Words.Subscription>({
  ...agent,
  methods: optional(list(text(200))),
  concurrency: optional(whole(1)),
});
export const subscribed: Shape<Words.Subscribed> = loose<Words.Subscribed>({
  replaced: optional(text()),
  serverAt: milliseconds(),
});
export const addressRow: Shape<Words.AddressRow> = loose<Words.AddressRow>({
  id: whole(),
  name: text(),
  paused: yesNo,
  createdAt: milliseconds(),
});
export const agentRow: Shape<Words.AgentRow> = loose<Words.AgentRow>({
  ...agent,
  methods: optional(list(text(), Number.POSITIVE_INFINITY)),
  concurrency: whole(),
  startedAt: milliseconds(),
  lastSeenAt: milliseconds(),
  unseenMs: number,
});

export const newCommand: Shape<Words.NewCommand> = loose<Words.NewCommand>({
  address: text(),
  method: text(),
  args: optional(json),
  kwargs: optional(json),
  meta: optional(json),
  priority: optional(number),
  orderingKey: optional(text()),
  idempotencyKey: optional(text()),
  targetAgent: optional(text()),
  maxAttempts: optional(number),
  delayMs: optional(number),
  expiresMs: optional(number),
  createdBy: optional(text()),
  broadcast: optional(yesNo),
  notification: optional(yesNo),
  agentSeenWithinMs: optional(number),
});
export const inserted: Shape<Words.Inserted> = loose<Words.Inserted>({
  id: whole(),
  state,
  existing: yesNo,
  copies: whole(),
});

export const claimRequest: Shape<Words.ClaimRequest> = loose<Words.ClaimRequest>({
  ...agent,
  max: whole(1, 1000),
  leaseMs,
  held: optional(list(text(100), Number.POSITIVE_INFINITY)),
});
/** Said for who looks, and by nobody else: what XML has no place for is not worth the loss of a claim. */
const shownText: Shape<string> = mapped(text(), (said) => said.replaceAll(ILLEGAL_IN_XML, "\ufffd"));
const oneClaim: Shape<Words.Claim> = loose<Words.Claim>({
  id,
  token: text(),
  method: shownText,
  args: json,
  kwargs: json,
  meta: json,
  attempt: whole(),
  maxAttempts: whole(),
  priority: whole(),
  orderingKey: optional(shownText),
  idempotencyKey: optional(shownText),
  createdBy: optional(shownText),
  createdAt: milliseconds(),
  remainingMs: optional(number),
  notification: yesNo,
});
export const claimed: Shape<Words.Claimed> = loose<Words.Claimed>({
  claims: list(oneClaim),
  nextDueMs: optional(number),
});

/** All members of all outcomes; which of them belong together, the service checks. */
export interface AnswerWords {
  readonly id: number;
  readonly token: string;
  readonly outcome: Words.Answer["outcome"];
  readonly result?: Words.JsonText | undefined;
  readonly error?: Words.JsonText | undefined;
  readonly retryable?: boolean | undefined;
  readonly retryDelayMs?: number | undefined;
}
export const answer: Shape<AnswerWords> = loose<AnswerWords>({
  ...claim,
  outcome: oneOf("done", "failed", "cancelled", "released"),
  result: optional(json),
  error: optional(json),
  retryable: optional(yesNo),
  retryDelayMs: optional(milliseconds()),
});
export const settled: Shape<Words.Settled> = loose<Words.Settled>({ state, delayMs: optional(milliseconds()) });
export const claimRef: Shape<Words.ClaimRef> = loose<Words.ClaimRef>(claim);
export const cancelReason: Shape<string | undefined> = optional(shownText);
export const leaseExtension: Shape<Words.LeaseExtension> = loose<Words.LeaseExtension>({ ...claim, leaseMs });
export const extended: Shape<Words.Extended> = loose<Words.Extended>({
  leaseUntilAt: milliseconds(),
  cancel: optional(shownText),
});
export const batch: Shape<number> = whole(1, 2_147_483_647);
export const eventBatch: Shape<Words.EventBatch> = loose<Words.EventBatch>({
  ...claim,
  batch: optional(batch),
  events: list(loose<Words.NewEvent>({ kind: text(), data: json })),
});
export const appended: Shape<Words.Appended> = loose<Words.Appended>({ seq: whole() });
export const cancel: Shape<Words.Cancel> = loose<Words.Cancel>({ id, reason: optional(text(1000)) });
export const cancelled: Shape<Words.Cancelled> = loose<Words.Cancelled>({ state });

const outcomeFields = { id, state, result: optional(json), error: optional(json) };
export const outcome: Shape<Words.Outcome> = loose<Words.Outcome>(outcomeFields);
export const commandRow: Shape<Words.CommandRow> = loose<Words.CommandRow>({
  ...outcomeFields,
  address: text(),
  parentId: optional(id),
  method: text(),
  args: json,
  kwargs: json,
  meta: json,
  priority: whole(),
  orderingKey: optional(text()),
  idempotencyKey: optional(text()),
  targetAgent: optional(text()),
  notification: yesNo,
  attempts: whole(),
  maxAttempts: whole(),
  notBeforeAt: milliseconds(),
  expiresAt: optional(milliseconds()),
  leaseUntilAt: optional(milliseconds()),
  agent: optional(text()),
  incarnation: optional(text()),
  cancelRequestedAt: optional(milliseconds()),
  cancelReason: optional(text()),
  createdAt: milliseconds(),
  createdBy: optional(text()),
  claimedAt: optional(milliseconds()),
  finishedAt: optional(milliseconds()),
  progress: optional(json),
});
export const eventRow: Shape<Words.EventRow> = loose<Words.EventRow>({
  seq: whole(),
  at: milliseconds(),
  kind: text(),
  data: json,
});
export const commandFilter: Shape<Words.CommandFilter> = loose<Words.CommandFilter>({
  address: optional(name),
  states: optional(list(state, 7)),
  method: optional(name),
  agent: optional(name),
  parentId: optional(id),
  beforeId: optional(id),
  limit: optional(whole(1, 1000)),
});
const percentiles: Shape<Words.Percentiles> = loose<Words.Percentiles>({
  p50: number,
  p95: number,
  max: number,
});
export const queueStats: Shape<Words.QueueStats> = loose<Words.QueueStats>({
  address: text(),
  paused: yesNo,
  readyCount: whole(),
  delayedCount: whole(),
  claimedCount: whole(),
  waitingCount: whole(),
  oldestReadyMs: optional(number),
  agentCount: whole(),
  finished: loose<Words.FinishedStats>({
    done: whole(),
    failed: whole(),
    expired: whole(),
    cancelled: whole(),
    retries: whole(),
    waitMs: optional(percentiles),
    runMs: optional(percentiles),
  }),
});
export const reaped: Shape<Words.Reaped> = loose<Words.Reaped>({
  expired: whole(),
  requeued: whole(),
  failed: whole(),
  cancelled: whole(),
  more: yesNo,
});

/** What has no answer says this. */
export const nothing: Shape<unknown> = anything;

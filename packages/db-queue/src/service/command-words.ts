import type { CommandState, NewEvent } from "../store/store-words.ts";

/** What the verbs of `rpc.queue.v1.CommandService` take and give. Values are values here, not their texts. */

export interface AddressName {
  readonly address: string;
}

export interface AddressFound {
  readonly id: number;
  readonly name: string;
  readonly paused: boolean;
}

/** Who an agent is: at which address, by which name, and in which life. */
export interface AgentName {
  readonly address: string;
  readonly agent: string;
  readonly incarnation: string;
}

export interface SubscribeInput extends AgentName {
  /** What it can do, for who looks. */
  readonly methods?: readonly string[] | undefined;
  /** Commands at once, for who looks. Default: 1. */
  readonly concurrency?: number | undefined;
}

export interface SubscribeOutput {
  /** A lease that makes sense. */
  readonly leaseMs: number;
  /** The database's clock, milliseconds since 1970. */
  readonly serverAt: number;
  /** The incarnation that was fenced, if there was one. */
  readonly replaced?: string | undefined;
}

export interface PopInput extends AgentName {
  /** At most so many. Default: 1. */
  readonly max?: number | undefined;
  /** From 100 to 86,400,000. Default: 30,000. */
  readonly leaseMs?: number | undefined;
}

export interface PoppedCommand {
  readonly id: number;
  /** Proves the claim in every answer. */
  readonly token: string;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
  /** 1 on the first try. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** How much time is left to the caller who waits; missing: as long as it takes. */
  readonly deadlineMs?: number | undefined;
  /** Nobody wants the outcome. */
  readonly notification: boolean;
}

export interface ClaimName {
  readonly id: number;
  readonly token: string;
}

export interface ExtendInput extends ClaimName {
  /** Default: 30,000. */
  readonly leaseMs?: number | undefined;
}

export interface ExtendOutput {
  /** The lease lasts so long from now on. */
  readonly leaseMs: number;
  /** Somebody wants it to end: the reason, empty when none was given. */
  readonly cancel?: string | undefined;
}

export interface ResultInput extends ClaimName {
  readonly result?: unknown;
}

/** What went wrong, for people; with `title` it is the handler's own refusal, and arrives as a CommandFailure. */
export interface ErrorWords {
  readonly message?: string | undefined;
  readonly title?: string | undefined;
  readonly text?: string | undefined;
  /** The refusal's own number. Default: 100. */
  readonly code?: number | undefined;
  /** Class of what was thrown. */
  readonly type?: string | undefined;
  readonly reason?: string | undefined;
  readonly details?: unknown;
  /** Another try may help; it is made when attempts are left. Default: false. */
  readonly retryable?: boolean | undefined;
  /** Not sooner than this. */
  readonly retryDelayMs?: number | undefined;
}

export interface ExceptionInput extends ClaimName {
  readonly error: string | ErrorWords;
}

export interface FailureInput extends ClaimName {
  readonly message: string;
  /** `METHOD_NOT_FOUND` (default) or `INVALID_ARGS`. */
  readonly code?: "METHOD_NOT_FOUND" | "INVALID_ARGS" | undefined;
}

export interface CancelledInput extends ClaimName {
  readonly message?: string | undefined;
}

export interface SettledOutput {
  readonly state: CommandState;
  /** `queued`: how long until the next try. */
  readonly delayMs?: number | undefined;
}

export interface EventWords {
  /** `log`: `data` is a text, or `{level, message, fields}`. `progress`: any value. Other kinds are the agent's own. */
  readonly kind: NewEvent["kind"];
  readonly data: unknown;
}

export interface EventsInput extends ClaimName {
  /** Counts the batches of one claim, from 1: one that is there already is not written again. */
  readonly batch?: number | undefined;
  readonly events: readonly EventWords[];
}

export interface EventsOutput {
  /** Number of the last one. */
  readonly seq: number;
}

export interface WaitInput {
  readonly topic: string;
  /** The `seq` of the wait before: what has happened since then answers at once. */
  readonly since?: string | undefined;
  /** At most 55,000. Default: 25,000. */
  readonly timeoutMs?: number | undefined;
}

export interface WaitOutput {
  readonly seq: string;
  /** False: the time was over. */
  readonly fired: boolean;
}

export interface TopicName {
  readonly topic: string;
}

export interface SendInput {
  readonly address: string;
  readonly method: string;
  readonly args?: readonly unknown[] | undefined;
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
  readonly options?: SendWords | undefined;
}

/** As `SendOptions`. */
export interface SendWords {
  readonly expires?: number | string | undefined;
  readonly delay?: number | string | undefined;
  readonly priority?: number | undefined;
  readonly orderingKey?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly targetAgent?: string | undefined;
  readonly maxAttempts?: number | undefined;
  readonly failFast?: boolean | undefined;
  /** A command for each agent that is subscribed now. */
  readonly broadcast?: boolean | undefined;
  /** The row is deleted when it ends. */
  readonly notification?: boolean | undefined;
}

export interface SendOutput {
  readonly id: number;
  readonly state: CommandState;
  /** Its idempotency key was there already. */
  readonly existing: boolean;
}

export interface CommandId {
  readonly id: number;
}

export interface CommandWords {
  readonly id: number;
  readonly address: string;
  readonly method: string;
  readonly state: CommandState;
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Who has it, or had it last. */
  readonly agent?: string | undefined;
  /** Instants of the database's clock, milliseconds since 1970. */
  readonly createdAt: number;
  readonly claimedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  readonly createdBy?: string | undefined;
  /** The last word of its handler. */
  readonly progress?: unknown;
}

export interface AwaitInput extends CommandId {
  /** How long it may be waited for, at most 55,000; 0: as it is now. Default: 25,000. */
  readonly timeoutMs?: number | undefined;
}

export interface OutcomeWords {
  readonly id: number;
  readonly state: CommandState;
  readonly result?: unknown;
  /** `code` is one of the words of a row's `error`, `message` is for people; what else there is, the row says. */
  readonly error?: Readonly<Record<string, unknown>> | undefined;
}

export interface CancelInput extends CommandId {
  readonly reason?: string | undefined;
}

export interface CancelOutput {
  /** `cancelled`; `claimed` or `waiting`: asked to end; another: too late. */
  readonly state: CommandState;
}

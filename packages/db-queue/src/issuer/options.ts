import { type Metadata, type MetadataInit, RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import type { RowArguments } from "../command/arguments.ts";
import { type CommandMeta, metaText } from "../command/meta.ts";
import { shortName } from "../command/method.ts";
import { type Span, spanMs } from "../command/span.ts";
import type { NewCommand } from "../store/store-words.ts";

/** What may be said about one command. */
export interface SendOptions {
  /** It does not start later than in this time: `"10s"`, `"2m"`, `"1h"` or milliseconds, measured by the database. Default: the caller's deadline; without one it never expires. */
  readonly expires?: Span | undefined;
  /** It does not start sooner than in this time. Default: 0. */
  readonly delay?: Span | undefined;
  /** Higher first, then oldest first. From −32,768 to 32,767. Default: 0. */
  readonly priority?: number | undefined;
  /** Commands of one address and key run one at a time, in the order in which they were sent. */
  readonly orderingKey?: string | undefined;
  /** A second command with the same key is the first one; with another method or other arguments it is refused ALREADY_EXISTS, reason `CONFLICT`. Until the first has been deleted. */
  readonly idempotencyKey?: string | undefined;
  /** Only the agent of this name gets it. */
  readonly targetAgent?: string | undefined;
  /** Tries, the first one included. 1: it runs once at most; more: a lost lease or a failure that another try may help starts it again, so that it may run twice. Default: the proxy's, else the contract's, else 5 for a job and 1 for all others. */
  readonly maxAttempts?: number | undefined;
  /** Refused at once, NO_AGENT or PAUSED, when no live agent is known. Default: false, it waits for one. */
  readonly failFast?: boolean | undefined;
  readonly metadata?: MetadataInit | undefined;
}

/** A verb that takes a method by its name, and arguments by position and by name. */
export type ByName<Sent> = (
  address: string,
  method: string,
  args?: readonly unknown[],
  kwargs?: Readonly<Record<string, unknown>>,
  options?: SendOptions,
) => Sent;

/** For all calls of a client; what belongs to one call stands in its own options. */
export type ProxyOptions = Omit<SendOptions, "idempotencyKey" | "metadata">;

/** Whose progress and log stand in the table: of commands that somebody observes, or of all. Never those of notifications. */
export type KeepEvents = "observed" | "all";

export interface CommandSettings {
  readonly createdBy: string | undefined;
  readonly maxArgumentBytes: number;
  readonly maxMetadataBytes: number;
  readonly liveAgentMs: number;
  readonly keepEvents: KeepEvents;
}

/** What a call says of itself, beside its options. */
export interface CallWords {
  readonly meta: CommandMeta;
  /** Until the caller's deadline; undefined: it has none. */
  readonly remainingMs?: number | undefined;
  readonly broadcast?: boolean | undefined;
  readonly notification?: boolean | undefined;
}

/** The command of a call. Throws INVALID_ARGUMENT for options that cannot be, RESOURCE_EXHAUSTED for arguments that are too large. */
export function newCommand(
  address: string,
  method: MethodDescriptor,
  { args, kwargs, payload }: RowArguments,
  options: SendOptions,
  words: CallWords,
  settings: CommandSettings,
): NewCommand {
  checkSize(method, args, settings.maxArgumentBytes);
  checkSize(method, kwargs, settings.maxArgumentBytes);
  checkMetadata(method, words.meta.metadata, settings.maxMetadataBytes);
  const delayMs = options.delay === undefined ? undefined : spanMs(options.delay, "delay");
  const given = options.expires === undefined ? undefined : spanMs(options.expires, "expires");
  if (given !== undefined && delayMs !== undefined && given <= delayMs) {
    const message = `${method.name}: it would expire (${given} ms) before its delay (${delayMs} ms) is over`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
  }
  const { remainingMs } = words;
  const expiresMs = given ?? (isFinal(remainingMs) ? Math.max(1, Math.ceil(remainingMs)) : undefined);
  const lagMs = remainingMs === undefined || expiresMs === undefined ? undefined : Math.ceil(remainingMs) - expiresMs;
  const meta: CommandMeta = {
    ...words.meta,
    payload,
    // Without its caller a command of a longer life goes on: its caller's deadline is none of its own.
    deadlineLagMs: lagMs !== undefined && lagMs >= 0 ? lagMs : undefined,
  };
  return {
    address,
    method: shortName(method),
    args,
    kwargs,
    meta: metaText(meta),
    priority: options.priority,
    orderingKey: options.orderingKey,
    idempotencyKey: options.idempotencyKey,
    targetAgent: options.targetAgent,
    maxAttempts: options.maxAttempts ?? method.maxAttempts ?? (method.kind === "job" ? JOB_ATTEMPTS : undefined),
    delayMs,
    expiresMs,
    createdBy: settings.createdBy,
    broadcast: words.broadcast,
    notification: words.notification,
    agentSeenWithinMs: options.failFast === true ? settings.liveAgentMs : undefined,
  };
}

/** As core's queues: a job runs at least once, wherever it is issued. */
const JOB_ATTEMPTS = 5;

/** Beyond ten years a store keeps no time, and nobody waits. */
const LONGEST_MS = 315_360_000_000;

function isFinal(remainingMs: number | undefined): remainingMs is number {
  return remainingMs !== undefined && remainingMs <= LONGEST_MS;
}

function checkMetadata(method: MethodDescriptor, metadata: Metadata | undefined, maxBytes: number): void {
  if (metadata === undefined || metadata.lengthInCharacters <= maxBytes) return;
  const message = `${method.name}: metadata of more than ${maxBytes} bytes; send what is large as an argument`;
  throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMetadataBytes", delivered: "no" });
}

function checkSize(method: MethodDescriptor, text: string | undefined, maxBytes: number): void {
  // At most three bytes a character: what is short enough by that need not be counted.
  if (text === undefined || text.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  const message = `${method.name}: its arguments have ${bytes} bytes, more than maxArgumentBytes (${maxBytes}); send a long list in chunks, as several calls, or raise the limit`;
  throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxArgumentBytes", delivered: "no" });
}

/** What a call says of its method and of itself in `meta`. */
export function metaOf(
  method: MethodDescriptor,
  dynamicContract: string,
  call: {
    readonly callId?: string;
    readonly metadata?: Metadata;
    readonly depth?: number;
    readonly observed?: boolean;
  },
): CommandMeta {
  return {
    contract: method.contract === dynamicContract || method.contract === "" ? undefined : method.contract,
    callId: call.callId,
    metadata: call.metadata,
    depth: call.depth === 0 ? undefined : call.depth,
    observed: call.observed === false ? false : undefined,
  };
}

/** Throws INVALID_ARGUMENT. */
export function checkedKeepEvents(value: KeepEvents): KeepEvents {
  if (value === "observed" || value === "all") return value;
  throw new RpcError("INVALID_ARGUMENT", `keepEvents must be "observed" or "all", got ${JSON.stringify(value)}`, {
    reason: "INVALID_ARGUMENT",
    delivered: "no",
  });
}

import type { CallContext } from "../words/call-context.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import type { ContractDescriptor } from "../words/method.ts";
import { EncodedPayload, type Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { StatusCode } from "../words/status.ts";
import { type Awaitable, type Handler, SERVING } from "../words/transport.ts";
import { shown } from "../tools/bytes.ts";
import { decodePayload, payloadBytes, payloadOf } from "../tools/payloads.ts";
import { ANYBODY } from "../tools/key-ring.ts";
import { isPromiseLike } from "../tools/promise-like.ts";

export interface ReplyCacheOptions {
  /** Replies kept at most; the oldest goes first. Default: 10,000. */
  readonly maxEntries?: number | undefined;
  /** Bytes of them at most. Default: 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** How long a reply is kept after its handler has ended. Default: 300,000. */
  readonly keepMs?: number | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

const DEFAULT_MAX_ENTRIES = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_KEEP_MS = 300_000;
/** What an entry costs beside its key and its output: objects, and an error's texts. */
const ENTRY_BYTES = 512;

/** They say nothing about the work itself, and trying again is what such a caller does. */
const NOT_KEPT: ReadonlySet<StatusCode> = new Set(["CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"]);

/**
 * A handler that runs a unary call once per idempotency key: a repeat gets the first one's output or error with its response metadata, and
 * waits for it while it runs. Keys belong to a peer (its identity, or its process where it has none or shares one secret with all) and to a method. Outcomes CANCELLED,
 * DEADLINE_EXCEEDED and UNAVAILABLE are not kept. A key that comes with another input fails ALREADY_EXISTS, reason `CONFLICT`; inputs are
 * compared by a hash of their encoded form, so the order of a record's members counts. Calls without a key pass through.
 *
 * It lives in memory: replies do not survive this process. Throws INVALID_ARGUMENT for an option that is negative or no number.
 */
export function replyCache(handler: Handler, options: ReplyCacheOptions = {}): Handler {
  const cache = new ReplyCache(handler, options);
  return {
    topicPort: handler.topicPort,
    workQueue: handler.workQueue,
    [SERVING]: handler[SERVING],
    // Asked each time: a dynamic router's contracts change.
    get contracts(): readonly ContractDescriptor[] {
      return handler.contracts;
    },
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => cache.call(input, context),
    stream: (input, context) => handler.stream(input, context),
  };
}

/** How a call ended. The output is kept encoded, so that neither its handler nor a reader can change what the next one gets. */
interface Outcome {
  readonly output: EncodedPayload | undefined;
  readonly error: RpcError | undefined;
  readonly metadata: readonly (readonly [string, string])[];
}

interface RunningCall {
  readonly inputHash: string;
  /** Resolves, never rejects; undefined: the outcome is not to be shared. */
  readonly ended: Promise<Outcome | undefined>;
}

interface KeptReply extends Outcome {
  readonly inputHash: string;
  readonly until: number;
  readonly bytes: number;
}

class ReplyCache {
  readonly #handler: Handler;
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #keepMs: number;
  /** Bounded by the calls that the listener's peers may have in flight. */
  readonly #running = new Map<string, RunningCall>();
  /** Oldest first. */
  readonly #kept = new Map<string, KeptReply>();
  #bytes = 0;

  constructor(handler: Handler, options: ReplyCacheOptions) {
    this.#handler = handler;
    this.#clock = options.clock ?? systemClock;
    this.#maxEntries = atLeastZero("maxEntries", options.maxEntries ?? DEFAULT_MAX_ENTRIES);
    this.#maxBytes = atLeastZero("maxBytes", options.maxBytes ?? DEFAULT_MAX_BYTES);
    this.#keepMs = atLeastZero("keepMs", options.keepMs ?? DEFAULT_KEEP_MS);
  }

  call(input: unknown, context: CallContext): Awaitable<unknown> {
    const key = keyOf(context);
    return key === undefined ? this.#handler.call(input, context) : this.#callOnce(key, input, context);
  }

  #callOnce(key: string, input: unknown, context: CallContext): Awaitable<unknown> {
    const inputHash = hashOf(payloadBytes(payloadOf(context.method.input.codec, input)));
    this.#dropOld();
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      checkSame(kept.inputHash, inputHash, context);
      return replay(kept, context);
    }
    const running = this.#running.get(key);
    if (running !== undefined) {
      checkSame(running.inputHash, inputHash, context);
      return this.#join(running, key, input, context);
    }
    return this.#run(key, inputHash, input, context);
  }

  async #join(running: RunningCall, key: string, input: unknown, context: CallContext): Promise<unknown> {
    const outcome = await running.ended;
    if (outcome !== undefined) return replay(outcome, context);
    // The first call's caller gave up, this one has not: it is the first now, or waits for the one that is.
    if (context.cancelReason !== undefined) throw context.cancelReason;
    return this.#callOnce(key, input, context);
  }

  #run(key: string, inputHash: string, input: unknown, context: CallContext): Awaitable<unknown> {
    const { promise: ended, resolve: end } = Promise.withResolvers<Outcome | undefined>();
    this.#running.set(key, { inputHash, ended });
    const settle = (outcome: Outcome): void => {
      this.#running.delete(key);
      const { error } = outcome;
      const passing = error !== undefined && NOT_KEPT.has(error.code);
      if (!passing) this.#keep(key, inputHash, outcome);
      // An error of the first caller's own making is nobody else's.
      end(passing && context.cancelReason !== undefined ? undefined : outcome);
    };
    const done = (output: unknown): unknown => {
      settle(outcomeOf(output, context));
      return output;
    };
    const failed = (thrown: unknown): never => {
      const error = RpcError.from(thrown);
      settle({ output: undefined, error: ownError(error), metadata: [...context.responseMetadata] });
      throw error;
    };
    let output: Awaitable<unknown>;
    try {
      output = this.#handler.call(input, context);
    } catch (thrown) {
      return failed(thrown);
    }
    return isPromiseLike(output) ? Promise.resolve(output).then(done, failed) : done(output);
  }

  #keep(key: string, inputHash: string, outcome: Outcome): void {
    const size = outcome.output === undefined ? 0 : outcome.output.end - outcome.output.start;
    const bytes = ENTRY_BYTES + 2 * key.length + size;
    if (bytes > this.#maxBytes || this.#maxEntries === 0 || this.#keepMs === 0) return;
    this.#kept.set(key, { ...outcome, inputHash, bytes, until: this.#clock.now() + this.#keepMs });
    this.#bytes += bytes;
    this.#dropOld();
  }

  /** No timer: what has expired stays until the next call with a key, within the bounds. */
  #dropOld(): void {
    const now = this.#clock.now();
    for (const [key, { until, bytes }] of this.#kept) {
      if (until > now && this.#kept.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(key);
      this.#bytes -= bytes;
    }
  }
}

/** Undefined: the call takes no part. A peer that says neither who nor which process it is cannot be told from the next one. */
function keyOf({ method, peer, idempotencyKey }: CallContext): string | undefined {
  if (method.kind !== "unary" || idempotencyKey === undefined || idempotencyKey === "" || peer === undefined)
    return undefined;
  // Whoever shares one secret with everybody is told apart by its process.
  if (peer.identity !== undefined && peer.identity !== ANYBODY)
    return JSON.stringify(["identity", peer.identity, method.name, idempotencyKey]);
  if (peer.instanceId === "") return undefined;
  return JSON.stringify(["process", peer.instanceId, method.name, idempotencyKey]);
}

function outcomeOf(output: unknown, { method, responseMetadata }: CallContext): Outcome {
  const metadata = [...responseMetadata];
  try {
    return { output: ownPayload(payloadOf(method.output.codec, output)), error: undefined, metadata };
  } catch (thrown) {
    // The first call fails by itself when its reply is encoded; a repeat must not run the handler again for that.
    const error = new RpcError("INTERNAL", `${method.name}: output: ${RpcError.from(thrown).message}`, {
      reason: "RESULT_UNSERIALIZABLE",
      cause: thrown,
    });
    return { output: undefined, error, metadata };
  }
}

/** A gateway's payload is a part of the message that it came in, which must not live as long as this. */
function ownPayload(payload: Payload): EncodedPayload {
  if (payload instanceof EncodedPayload) return new EncodedPayload(payload.format, payloadBytes(payload).slice());
  return new EncodedPayload(payload.codec.format, payloadBytes(payload));
}

function ownError(error: RpcError): RpcError {
  if (!(error.details instanceof EncodedPayload)) return error;
  const { code, message, reason, delivered, retryable, remoteStack, cause } = error;
  const details = ownPayload(error.details);
  return new RpcError(code, message, { reason, details, delivered, retryable, remoteStack, cause });
}

function replay({ output, error, metadata }: Outcome, context: CallContext): unknown {
  for (const [key, value] of metadata) context.responseMetadata.set(key, value);
  if (error !== undefined) throw error;
  return decodePayload(context.method.output.codec, output);
}

function checkSame(first: string, second: string, { method, idempotencyKey }: CallContext): void {
  if (first === second) return;
  const message = `${shown(method.name)}: idempotency key ${JSON.stringify(shown(idempotencyKey ?? ""))} was used for another input`;
  throw new RpcError("ALREADY_EXISTS", message, { reason: "CONFLICT" });
}

/** 64 bits in two halves (FNV-1a with two offsets), and the length. It finds mistakes; a peer that wants a collision harms its own keys only. */
function hashOf(bytes: Uint8Array): string {
  let low = 0x811c9dc5;
  let high = 0xc9dc5118;
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b);
  }
  return `${bytes.length}:${low >>> 0}:${high >>> 0}`;
}

function atLeastZero(name: string, value: number): number {
  if (value >= 0) return value;
  throw new RpcError("INVALID_ARGUMENT", `option ${name} must be a number of at least 0, got ${String(value)}`, {
    reason: "INVALID_ARGUMENT",
  });
}

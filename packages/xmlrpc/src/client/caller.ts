import { randomUUID } from "node:crypto";
import { RpcError } from "@rpc/core";
import { type CallContext, DeadlineSweep } from "@rpc/core/transport";
import { refused } from "../errors.ts";
import { appendMetadata, Header } from "../headers.ts";
import type { Params } from "../server/service.ts";
import { BatchRequest, SingleRequest } from "./requests.ts";
import { HttpPool } from "./http-pool.ts";
import { type ClientSettings, type Target } from "./options.ts";
import { type CallRegister, PendingCall } from "./pending-call.ts";
import type { ClientWire, WrittenCall } from "./wire.ts";

/** A call that is written and waits for its batch. */
export interface BatchedCall {
  readonly call: PendingCall;
  readonly written: WrittenCall;
}

/** Makes calls at one server: writes them, sends them alone or together, and keeps them until they have settled. */
export class Caller implements CallRegister {
  readonly target: Target;
  readonly settings: ClientSettings;
  readonly wire: ClientWire;
  readonly pool: HttpPool;
  readonly #sweep: DeadlineSweep;
  readonly #calls = new Set<PendingCall>();
  readonly #baseHeaders: string;
  #collected: BatchedCall[] | undefined = undefined;
  #refusal: RpcError | undefined = undefined;
  #drained: (() => void) | undefined = undefined;
  /** There are no batches in this protocol, or the server has no `system.multicall`: calls go one by one. */
  knowsNoBatches: boolean;

  constructor(target: Target, settings: ClientSettings, wire: ClientWire, extraHeaders: readonly string[]) {
    this.target = target;
    this.settings = settings;
    this.wire = wire;
    this.pool = new HttpPool(target, settings);
    this.knowsNoBatches = !wire.batches;
    this.#sweep = new DeadlineSweep(settings.clock, () => this.#calls);
    this.#baseHeaders = headerLines([
      "Content-Type",
      wire.contentType,
      "Accept",
      wire.accept,
      ...(settings.gzip ? ["Accept-Encoding", "gzip"] : []),
      ...settings.headers,
      ...extraHeaders,
    ]);
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Makes a call, alone or as a part of a batch that is sent later. What cannot be sent rejects, nothing throws. */
  call(context: CallContext, params: () => Params, batch?: BatchedCall[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new PendingCall(context, this.#deadlineOf(context), this, resolve, reject);
      this.#start(call, params, batch);
    });
  }

  /** Sends what a batch has collected, in as many requests as its limit asks for. */
  send(batch: readonly BatchedCall[]): void {
    const waiting = batch.filter(({ call }) => !call.settled);
    const { maxCallsPerBatch } = this.settings;
    for (let from = 0; from < waiting.length; from += maxCallsPerBatch) {
      const part = waiting.slice(from, from + maxCallsPerBatch);
      const [first] = part;
      if (first !== undefined && part.length === 1) SingleRequest.send(this, first.call, first.written, NOTHING);
      else BatchRequest.send(this, part);
    }
  }

  #deadlineOf(context: CallContext): number | undefined {
    const { timeoutMs, clock } = this.settings;
    return context.deadline ?? (timeoutMs === undefined ? undefined : clock.now() + timeoutMs);
  }

  #start(call: PendingCall, params: () => Params, batch: BatchedCall[] | undefined): void {
    const { context, deadline } = call;
    if (context.cancelReason !== undefined) return call.fail(context.cancelReason);
    if (this.#refusal !== undefined) return call.fail(refusedBy(call, this.#refusal));
    if (deadline !== undefined) {
      if (deadline <= this.settings.clock.now()) return call.expire();
      this.#sweep.watch(deadline);
    }
    let written: WrittenCall;
    let own: readonly string[];
    try {
      written = this.wire.write(call.context.method.name, params(), call.oneWay);
      own = this.#ownHeaders(context);
    } catch (thrown) {
      return call.fail(unsendable(call, thrown));
    }
    this.#calls.add(call);
    const collected = batch ?? this.#automatic();
    if (collected !== undefined && own.length === 0 && !this.knowsNoBatches) collected.push({ call, written });
    else SingleRequest.send(this, call, written, own);
    if (!call.settled) context.onCancel(call);
  }

  /** The batch of this turn of the event loop, where calls are put together by themselves. */
  #automatic(): BatchedCall[] | undefined {
    if (!this.settings.batches) return undefined;
    if (this.#collected === undefined) {
      const collected: BatchedCall[] = [];
      this.#collected = collected;
      setImmediate(() => {
        this.#collected = undefined;
        this.send(collected);
      });
    }
    return this.#collected;
  }

  /** Headers of one request, as lines. `deadline`: of the call, or of the last one in a batch. Throws what a token function throws. */
  headersFor(own: readonly string[], deadline: number | undefined): string {
    let lines = this.#baseHeaders;
    if (own.length > 0) lines += headerLines(own);
    const { authorization } = this.target;
    if (authorization !== undefined) lines += `Authorization: ${authorization()}\r\n`;
    if (deadline === undefined) return lines;
    const remainingMs = Math.max(1, Math.ceil(deadline - this.settings.clock.now()));
    return `${lines}${Header.timeout}: ${Math.min(remainingMs, MAX_TIMEOUT_MS)}\r\n`;
  }

  /** What belongs to this one call, so that it cannot share a request. */
  #ownHeaders(context: CallContext): readonly string[] {
    const { idempotencyKey, depth } = context;
    if (idempotencyKey === undefined && depth === 0 && !context.observed && !context.hasMetadata) return NOTHING;
    const headers: string[] = [];
    if (depth > 0) headers.push(Header.depth, String(depth));
    if (context.observed) headers.push(Header.callId, context.id);
    if (idempotencyKey !== undefined)
      headers.push(Header.idempotencyKey, keyText(idempotencyKey), Header.instanceId, INSTANCE);
    if (!context.hasMetadata) return headers;
    const before = headers.length;
    appendMetadata(headers, context.metadata);
    let length = 0;
    for (let i = before; i < headers.length; i++) length += headers[i]?.length ?? 0;
    const { maxMetadataBytes } = this.settings;
    if (length <= maxMetadataBytes) return headers;
    const message = `metadata of the call takes ${length} bytes, more than ${maxMetadataBytes}`;
    throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMetadataBytes" });
  }

  forget(call: PendingCall): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    // Nothing is left to expire, and an armed timer would keep a program from ending.
    this.#sweep.stop();
    this.#drained?.();
  }

  /** Refuses further calls. Resolves when none is left, or `drainMs` later. */
  async drain(drainMs: number): Promise<void> {
    this.#refusal = new RpcError("FAILED_PRECONDITION", "the transport is closed", { reason: "CLOSED" });
    if (this.#calls.size === 0 || drainMs <= 0) return;
    const { clock } = this.settings;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, drainMs);
      this.#drained = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends whatever still runs, and every connection. */
  destroy(): void {
    for (const call of this.#calls) {
      const delivered = call.carrier?.sent === true ? "unknown" : "no";
      const { carrier } = call;
      call.fail(
        new RpcError("UNAVAILABLE", `${call.label}: the transport was closed`, { reason: "CLOSED", delivered }),
      );
      carrier?.leave(call);
    }
    this.#sweep.stop();
    this.pool.destroy();
  }
}

const NOTHING: readonly string[] = [];
/** This process, for as long as it lives. */
const INSTANCE = randomUUID().replaceAll("-", "");
/** What fits in a signed 32-bit integer, for peers that keep it in one. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Names and values in turn, as lines of a head. They are proved where they come from: nothing in them can end a line. */
function headerLines(pairs: readonly string[]): string {
  let lines = "";
  for (let i = 0; i + 1 < pairs.length; i += 2) lines += `${pairs[i]}: ${pairs[i + 1]}\r\n`;
  return lines;
}

/** A key as a header can carry it: the usual ones as they are. */
function keyText(key: string): string {
  if (/^[!-$&-~]+$/.test(key)) return key;
  if (key.isWellFormed()) return encodeURIComponent(key);
  throw refused("the idempotency key has a lone surrogate");
}

function refusedBy(call: PendingCall, { code, message, reason }: RpcError): RpcError {
  return new RpcError(code, `${call.label}: ${message}`, { reason, delivered: "no" });
}

/** An error of this end's own, before anything was sent. */
function unsendable(call: PendingCall, thrown: unknown): RpcError {
  const { code, message, reason, details } = RpcError.from(thrown);
  const text = message.startsWith(call.label) ? message : `${call.label}: ${message}`;
  return new RpcError(code, text, { reason, details, delivered: "no", cause: thrown });
}

import { noteCallError } from "../tools/call-errors.ts";
import type { CallContext } from "../words/call-context.ts";
import {
  Body,
  type CallKind,
  type ItemExtra,
  type MetadataEntries,
  type ProgressBody,
  type SettleBody,
  type WireError,
} from "../words/envelope.ts";
import { Metadata } from "../words/metadata.ts";
import type { Payload } from "../words/payload.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobFeed, JobTaker, Settlement } from "../words/work-queue.ts";
import { takeRemainingMs } from "../tools/job-metadata.ts";
import { payloadOf } from "../tools/payloads.ts";
import { errorFromWire, wireErrorOf } from "../tools/wire-error.ts";
import { type CallRegister, OutgoingCall } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";

/** A consumer of this end: the peer's jobs go to its taker. */
export class OutgoingConsumer extends OutgoingCall implements JobFeed {
  readonly #taker: JobTaker;
  #jobsAtOnce = 0;
  #received = 0;
  readonly #open = new Set<number>();
  /** Settlements that wait for the wire. */
  #heldCount = 0;
  /** Why the taker has closed it, while settlements are still to leave. */
  #closing: RpcError | undefined = undefined;
  #isReady = false;
  #finishing = false;
  /** The taker has closed it, or has been told that it has ended. */
  #told = false;

  constructor(link: SessionLink, register: CallRegister, context: CallContext, taker: JobTaker) {
    super(link, register, context, 0, undefined);
    this.#taker = taker;
  }

  override get kind(): CallKind {
    return "consume";
  }

  override get lasting(): boolean {
    return true;
  }

  /** What has begun is begun again by whoever holds it, who has to know. */
  override get repeatable(): boolean {
    return false;
  }

  get peer(): Peer {
    return this.link.peer;
  }

  override get credits(): number {
    return this.#jobsAtOnce;
  }

  open(credits: number): void {
    if (this.#told) return;
    this.#jobsAtOnce = credits;
    this.register.start(this);
  }

  settle(settlement: Settlement): void {
    if (this.settled || !this.#open.has(settlement.delivery)) return;
    if (this.link.writable) return this.#send(settlement);
    this.#heldCount++;
    this.link.holdReply(() => {
      this.#heldCount--;
      if (this.settled) return;
      this.#send(settlement);
      if (this.#heldCount === 0 && this.#closing !== undefined) this.#leave(this.#closing);
    });
  }

  #send({ delivery, outcome, output, error }: Settlement): void {
    if (!this.#open.has(delivery)) return;
    const { method } = this.context;
    try {
      const wire = error === undefined ? undefined : wireErrorOf(error, method, this.link.exposeStacks);
      const payload = outcome === "ack" ? payloadOf(method.output.codec, output) : undefined;
      this.link.send({ body: Body.Settle, id: this.callId, delivery, outcome, payload, error: wire });
    } catch (thrown) {
      this.#reject(delivery, thrown);
    }
    this.#open.delete(delivery);
    if (this.#open.size === 0) this.register.busy(false);
  }

  /** An output that cannot be sent: another try would make the same one. */
  #reject(delivery: number, thrown: unknown): void {
    const { code, message, reason } = RpcError.from(thrown);
    const unsendable =
      code === "RESOURCE_EXHAUSTED"
        ? new RpcError(code, `${this.methodName}: output: ${message}`, { reason })
        : new RpcError("INTERNAL", `${this.methodName}: output: ${message}`, { reason: "RESULT_UNSERIALIZABLE" });
    const error: WireError = {
      ...wireErrorOf(unsendable, undefined, false),
      message: unsendable.message.slice(0, 256).toWellFormed(),
    };
    try {
      this.link.send({ body: Body.Settle, id: this.callId, delivery, outcome: "reject", payload: undefined, error });
    } catch (again) {
      this.link.report(RpcError.from(again));
    }
  }

  finish(): void {
    if (this.settled || this.#finishing) return;
    this.#finishing = true;
    if (this.callId !== 0) this.link.send({ body: Body.End, id: this.callId, error: undefined, metadata: undefined });
    // It never got there: there is nothing to wait for.
    else this.fail(new RpcError("CANCELLED", `${this.methodName}: the consumer was closed`, { reason: "CLOSED" }));
  }

  close(reason: RpcError): void {
    this.#told = true;
    if (this.settled || this.#heldCount === 0) return this.#leave(reason);
    // What has been done must not be done again by somebody else.
    this.#closing ??= reason;
    this.finish();
  }

  #leave(reason: RpcError): void {
    this.giveUp(reason);
    this.#letGo();
  }

  override receiveProgress(body: ProgressBody): void {
    if (body.payload === undefined && body.log === undefined) this.#ready();
  }

  override receiveItem(seq: number, payload: Payload | undefined, extra: ItemExtra | undefined): void {
    if (extra === undefined || extra.delivery < 1) return super.receiveItem(seq, payload, extra);
    if (this.#open.size >= this.#jobsAtOnce) return this.link.breach(`job of consumer ${this.callId} without credit`);
    if (seq !== this.#received + 1 || this.#open.has(extra.delivery))
      return this.misshapen(`job ${seq} arrived where ${this.#received + 1} is due`);
    this.#received = seq;
    this.#ready();
    const { delivery, attempt } = extra;
    if (this.#open.size === 0) this.register.busy(true);
    this.#open.add(delivery);
    // This end drains: what has not started goes to somebody else.
    if (this.link.refusal !== undefined && !this.#finishing) this.finish();
    if (this.#finishing) return this.#giveBack(delivery);
    let metadata: Metadata | undefined;
    let deadline: number | undefined;
    if (extra.metadata !== undefined) {
      metadata = leniently(extra.metadata, this.link.limits.maxMetadataBytes);
      const remainingMs = takeRemainingMs(metadata);
      if (remainingMs !== undefined) deadline = this.link.clock.now() + remainingMs;
      if (metadata.size === 0) metadata = undefined;
    }
    try {
      this.#taker.job({ delivery, attempt: Math.max(1, attempt), input: payload, metadata, deadline });
    } catch (thrown) {
      this.link.report(RpcError.from(thrown));
    }
  }

  #giveBack(delivery: number): void {
    const error = new RpcError("UNAVAILABLE", `${this.methodName}: the consumer is closing`, {
      reason: "DRAINING",
      delivered: "no",
    });
    this.settle({ delivery, outcome: "retry", output: undefined, error });
  }

  /** The queue does not wait for this job any more. */
  override receiveSettle({ delivery, error }: SettleBody): void {
    if (!this.#open.has(delivery)) return this.register.ignored();
    const reason =
      error === undefined
        ? new RpcError("CANCELLED", `${this.methodName}: the job was ended`, { reason: "CANCELLED" })
        : errorFromWire(error, this.context.method);
    this.#taker.abandon(delivery, reason);
  }

  override receiveEnd(error: RpcError | undefined): void {
    this.#end(error);
    this.register.forget(this);
  }

  fail(error: RpcError): void {
    this.#end(noteCallError(error));
  }

  #ready(): void {
    if (this.#isReady || this.#told) return;
    this.#isReady = true;
    this.#taker.ready();
  }

  #end(error: RpcError | undefined): void {
    if (this.settled) return;
    this.settled = true;
    this.context.onCancel(undefined);
    this.#letGo();
    if (this.#told) return;
    this.#told = true;
    this.#taker.ended(error);
  }

  #letGo(): void {
    if (this.#open.size === 0) return;
    this.#open.clear();
    this.register.busy(false);
  }
}

/** Metadata from a peer is data: what breaks the rules is left out, and what is too much. */
function leniently(entries: MetadataEntries, maxBytes: number): Metadata {
  const metadata = new Metadata();
  let length = 0;
  for (const [key, value] of entries) {
    length += key.length + value.length;
    if (length > maxBytes) break;
    try {
      metadata.append(key, value);
    } catch {
      // Left out.
    }
  }
  return metadata;
}

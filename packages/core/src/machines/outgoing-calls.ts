import type { CallContext } from "../words/call-context.ts";
import { Body, type CallBody, type EndBody, type FailBody, type ResultBody } from "../words/envelope.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import { errorFromWire } from "../tools/wire-error.ts";
import type { CallRegister, OutgoingCall } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** Calls that this end makes: those on the wire by id, and those that wait for it. */
export class OutgoingCalls implements CallRegister {
  readonly #link: SessionLink;
  #inFlight = new Map<number, OutgoingCall>();
  #nextId: number;
  readonly #queue: WaitingCalls;
  /** Notifications whose arrival the peer is to confirm, in the order sent. */
  #unacknowledged: OutgoingCall[] = [];
  /** Subscriptions and consumers among those in flight. */
  #lastingCount = 0;
  /** Jobs and whatever lasts, which do not count against the peer's `maxCalls`. */
  #uncountedCount = 0;
  /** Consumers with jobs. */
  #busyCount = 0;
  /** Replies to calls that had ended already; a race with cancel or deadline, or a peer that repeats itself. */
  lateCount = 0;

  constructor(link: SessionLink, firstId: 1 | 2) {
    this.#link = link;
    this.#nextId = firstId;
    this.#queue = new WaitingCalls(link.limits.maxQueuedCalls);
  }

  /** Calls that a drain waits for. */
  get count(): number {
    const sent = this.#inFlight.size + this.#unacknowledged.length;
    return sent - this.#lastingCount + this.#busyCount + this.#queue.count;
  }

  /** Calls that wait to be sent. */
  get queuedCount(): number {
    return this.#queue.count;
  }

  get(id: number): OutgoingCall | undefined {
    return this.#inFlight.get(id);
  }

  /** Whether an id was ever used by this end. */
  isKnown(id: number): boolean {
    return id < this.#nextId && id % 2 === this.#nextId % 2;
  }

  /** Sends a call, or lets it wait until the session can. */
  start(call: OutgoingCall): void {
    const { context } = call;
    if (context.cancelReason !== undefined) return call.fail(context.cancelReason);
    // While the session drains, what runs may still call back.
    const refusal = call.parentId === 0 ? (this.#link.refusal ?? this.#link.down) : this.#link.finished;
    if (refusal !== undefined) return call.fail(lost(context, refusal, "no"));
    if (context.deadline !== undefined) {
      if (context.deadline <= this.#link.clock.now()) return call.expire();
      this.#link.watchDeadline(context.deadline);
    }
    // A call back goes past the queue: the calls in it may be waiting for the very call that it belongs to.
    if ((this.#queue.isEmpty || call.parentId !== 0) && this.#mayStart(call)) return this.#send(call);
    try {
      call.encodeInput();
    } catch (thrown) {
      return call.fail(about(context, RpcError.from(thrown)));
    }
    if (!this.#queue.push(call)) {
      const { maxQueuedCalls } = this.#link.limits;
      const message = `${context.method.name}: ${maxQueuedCalls} calls are already waiting for the peer`;
      return call.fail(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxQueuedCalls", delivered: "no" }));
    }
    context.onCancel(call);
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    for (let call = this.#queue.first; call !== undefined && this.#mayStart(call); call = this.#queue.first) {
      this.#queue.shift();
      this.#send(call);
    }
  }

  #mayStart(call: OutgoingCall): boolean {
    if (!this.#link.ready || !this.#link.writable) return false;
    // A call that calls back must not wait for the room that its own caller takes up.
    if (call.parentId !== 0 || call.uncounted) return true;
    return this.#inFlight.size - this.#uncountedCount < this.#link.peerMaxCalls;
  }

  #send(call: OutgoingCall): void {
    const { context } = call;
    const { deadline } = context;
    const id = this.#nextId;
    let deadlineMs: number | undefined;
    if (deadline !== undefined) {
      const remainingMs = deadline - this.#link.clock.now();
      if (remainingMs <= 0) return call.expire();
      deadlineMs = Math.min(Math.ceil(remainingMs), MAX_DEADLINE_MS);
    }
    if (call.oneWay) return this.#notify(call);
    try {
      // Inside, because reading a user's metadata may throw.
      const envelope: CallBody = {
        body: Body.Call,
        id,
        method: context.method.name,
        kind: call.kind,
        payload: call.payload,
        deadlineMs,
        metadata: context.hasMetadata ? context.metadata : undefined,
        idempotencyKey: context.idempotencyKey,
        credits: call.credits,
        depth: context.depth,
        parentId: call.parentId,
        observed: context.observed,
        handleId: context.observed ? context.id : "",
      };
      this.#link.send(envelope);
    } catch (thrown) {
      return call.fail(about(context, RpcError.from(thrown)));
    }
    this.#nextId = id + 2;
    const { finished } = this.#link;
    // The session has ended over this very message.
    if (finished !== undefined) return call.fail(lost(context, finished, "unknown"));
    this.#inFlight.set(id, call);
    call.number = this.#link.ledger?.sent ?? 0;
    if (call.lasting) this.#lastingCount++;
    if (call.uncounted) this.#uncountedCount++;
    call.sent(id);
    if (!call.settled) context.onCancel(call);
  }

  #notify(call: OutgoingCall): void {
    const { context, payload } = call;
    try {
      const metadata = context.hasMetadata ? context.metadata : undefined;
      const wanted = context.ackWanted && this.#link.ledger !== undefined;
      if (context.ackWanted && !wanted) throw noAck();
      this.#link.send(
        { body: Body.Notify, method: context.method.name, payload, metadata, depth: context.depth },
        wanted,
      );
      call.number = this.#link.ledger?.sent ?? 0;
    } catch (thrown) {
      return call.fail(about(context, RpcError.from(thrown)));
    }
    if (!context.ackWanted) return call.receiveResult(undefined);
    const { finished } = this.#link;
    if (finished !== undefined) return call.fail(lost(context, finished, "unknown"));
    this.#unacknowledged.push(call);
    if (!call.settled) context.onCancel(call);
  }

  /** What is left of the time of a call that is sent again, in milliseconds; one that is over by now is not to be begun. */
  remainingMs(callId: number): number {
    const deadline = this.#inFlight.get(callId)?.deadline;
    const remainingMs = deadline === undefined ? 0 : Math.max(0, deadline - this.#link.clock.now());
    return Math.min(Math.ceil(remainingMs), MAX_DEADLINE_MS);
  }

  /** The peer has received that many of this end's messages. */
  acknowledged(count: number): void {
    while (this.#unacknowledged.length > 0) {
      const [first] = this.#unacknowledged;
      if (first === undefined || first.number > count) return;
      this.#unacknowledged.shift();
      first.receiveResult(undefined);
      this.#link.callEnded();
    }
  }

  /** Takes a call away; its caller has been told. */
  forget(call: OutgoingCall): void {
    const at = call.oneWay ? this.#unacknowledged.indexOf(call) : -1;
    if (at >= 0) {
      this.#unacknowledged.splice(at, 1);
      return this.#link.callEnded();
    }
    if (this.#take(call.callId, call)) this.#link.callEnded();
  }

  busy(isBusy: boolean): void {
    this.#busyCount += isBusy ? 1 : -1;
    if (!isBusy && this.#link.finished === undefined) this.#link.callEnded();
  }

  ignored(): void {
    this.lateCount++;
  }

  #take(id: number, call: OutgoingCall): boolean {
    if (!this.#inFlight.delete(id)) return false;
    if (call.lasting) this.#lastingCount--;
    if (call.uncounted) this.#uncountedCount--;
    return true;
  }

  receiveResult(body: ResultBody): void {
    const call = this.find(body.id);
    if (call === undefined) return;
    this.#take(body.id, call);
    const refusal = receiveMetadata(call.context, body.metadata, this.#link.limits.maxMetadataBytes);
    if (refusal === undefined) call.receiveResult(body.payload);
    else call.fail(refusal);
    this.#link.callEnded();
  }

  receiveFail(body: FailBody): void {
    const call = this.find(body.id);
    if (call === undefined) return;
    this.#take(body.id, call);
    receiveMetadata(call.context, body.metadata, this.#link.limits.maxMetadataBytes);
    call.fail(errorFromWire(body.error, call.context.method));
    this.#link.callEnded();
  }

  receiveEnd(body: EndBody): void {
    const call = this.find(body.id);
    if (call === undefined) return;
    const refusal = receiveMetadata(call.context, body.metadata, this.#link.limits.maxMetadataBytes);
    call.receiveEnd(body.error === undefined ? refusal : errorFromWire(body.error, call.context.method));
  }

  /** The wire takes more again: streams go on, then what waits. */
  resume(): void {
    for (const call of this.#inFlight.values()) call.resume();
    this.flush();
  }

  /** Fails what was not sent yet: it can go elsewhere. */
  failWaiting(reason: RpcError): void {
    for (const call of this.#queue.takeAll()) call.fail(lost(call.context, reason, "no"));
  }

  /** Takes what may be made again on a new session: what has certainly not arrived, and what may run twice. */
  takeRepeatable(received: number | undefined): readonly OutgoingCall[] {
    const sent = [...this.#inFlight.values(), ...this.#unacknowledged].filter((call) => !call.settled);
    const again = sent.filter((call) => call.repeatable || (call.movable && isUndelivered(call, received)));
    for (const call of again) this.#take(call.callId, call);
    const taken = new Set(again);
    this.#unacknowledged = this.#unacknowledged.filter((call) => !taken.has(call));
    // A call back belongs to a call of the old session.
    const waiting = this.#queue.takeAll();
    const reason = new RpcError("UNAVAILABLE", "the session that it calls back is over", { reason: "SESSION_LOST" });
    for (const call of waiting) if (!call.movable) call.fail(lost(call.context, reason, "no"));
    return [...again.toSorted((a, b) => a.number - b.number), ...waiting.filter((call) => call.movable)];
  }

  /** Fails everything, because the session has ended. `received`: how many of this end's messages the peer is known to have. */
  failAll(reason: RpcError, received?: number): void {
    // Taken away first: whoever is rejected may call again at once, and that call must not be rejected with the old ones.
    const inFlight = [...this.#inFlight.values(), ...this.#unacknowledged];
    const waiting = this.#queue.takeAll();
    this.#inFlight = new Map();
    this.#unacknowledged = [];
    this.#lastingCount = 0;
    this.#uncountedCount = 0;
    for (const call of inFlight)
      call.fail(lost(call.context, reason, isUndelivered(call, received) ? "no" : "unknown"));
    for (const call of waiting) call.fail(lost(call.context, reason, "no"));
  }

  *expiring(): Iterable<Expiring> {
    yield* this.#inFlight.values();
    yield* this.#unacknowledged;
    yield* this.#queue;
  }

  /** The call that something has come for; when there is none, that is counted, or ends the session. */
  find(id: number): OutgoingCall | undefined {
    const call = this.#inFlight.get(id);
    if (call !== undefined) return call;
    if (this.isKnown(id)) this.lateCount++;
    else this.#link.breach(`reply to call ${id}, which was never made`);
    return undefined;
  }
}

const MAX_DEADLINE_MS = 0xffff_ffff;

function isUndelivered(call: OutgoingCall, received: number | undefined): boolean {
  return received !== undefined && call.number > received;
}

function noAck(): RpcError {
  const message = "the peer does not acknowledge notifications; leave the option ack out";
  return new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION" });
}

/** An error of this end's own, with the name of the call in front. */
function about(context: CallContext, error: RpcError): RpcError {
  const { code, reason, details, cause } = error;
  return new RpcError(code, `${context.method.name}: ${error.message}`, { reason, details, cause, delivered: "no" });
}

function lost(context: CallContext, reason: RpcError, delivered: "no" | "unknown"): RpcError {
  const code =
    reason.code === "UNAUTHENTICATED" || reason.code === "PERMISSION_DENIED" || reason.code === "FAILED_PRECONDITION"
      ? reason.code
      : "UNAVAILABLE";
  return new RpcError(code, `${context.method.name}: ${reason.message}`, {
    reason: reason.reason ?? "PEER_LOST",
    delivered,
    cause: reason,
  });
}

/**
 * Metadata from a peer is data: what breaks the rules is left out, the reply itself counts. More than the limit is not taken; the error
 * says so.
 */
function receiveMetadata(
  context: CallContext,
  entries: Iterable<readonly [string, string]> | undefined,
  maxBytes: number,
): RpcError | undefined {
  if (entries === undefined) return undefined;
  let length = 0;
  for (const [key, value] of entries) {
    length += key.length + value.length;
    if (length > maxBytes) {
      const message = `${context.method.name}: metadata of the reply is larger than ${maxBytes} bytes`;
      return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMetadataBytes", delivered: "unknown" });
    }
    try {
      context.responseMetadata.set(key, value);
    } catch {
      // Left out.
    }
  }
  return undefined;
}

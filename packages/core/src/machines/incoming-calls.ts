import type { CallBody, CallKind, CancelBody, MetadataEntries, NotifyBody } from "../words/envelope.ts";
import { Metadata } from "../words/metadata.ts";
import type { MethodKind } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import { shown } from "../tools/bytes.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import { decodePayload } from "../tools/payloads.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { Single } from "../tools/single.ts";
import { IncomingCall, type IncomingRegister } from "./incoming-call.ts";
import { IncomingNotification } from "./incoming-notification.ts";
import { IncomingPatterns, PATTERN_METHODS } from "./incoming-patterns.ts";
import type { SessionLink } from "./session-link.ts";
import { MAX_CREDITS } from "./stream-sender.ts";
import { type AcceptedCall, notServed, UnservedCalls } from "./unserved-calls.ts";

/** Calls that the peer makes, and the handler that serves them. */
export class IncomingCalls extends UnservedCalls implements IncomingRegister {
  /** Replies due, by id. */
  #unanswered = new Map<number, IncomingCall>();
  /** Notifications whose handlers have not settled. */
  readonly #notifications = new Set<IncomingNotification>();
  // Made on first use: most sessions have none.
  #patterns: IncomingPatterns | undefined = undefined;
  /** Handlers that have not settled; a cancelled call is among them until its handler has seen the signal. */
  #running = 0;
  /** Calls that call back, which have a limit of their own: they must not wait for the call that they belong to. */
  #callBacks = 0;
  #streams = 0;
  #refuseNew = false;

  /** Handlers that have not settled, calls back among them, and what a drain waits for besides. */
  override get count(): number {
    return this.#running + this.#callBacks + (this.#patterns?.count ?? 0);
  }

  override refuseNew(): void {
    this.#refuseNew = true;
    this.#patterns?.drain();
  }

  protected override accept(body: CallBody, isCallBack: boolean): void {
    const { limits, handler, clock } = this.link;
    const isStream = body.kind !== "unary";
    // What runs may finish, and may call back for it.
    if (this.#refuseNew && !isCallBack)
      throw new RpcError("UNAVAILABLE", `${shown(body.method)}: the peer is draining`, {
        reason: "DRAINING",
        delivered: "no",
      });
    if (body.depth > limits.maxDepth) throw tooDeep(body.method, limits.maxDepth);
    const patternKind = PATTERN_METHODS[body.kind];
    if (patternKind !== undefined) return this.#acceptPattern(body, patternKind);
    if ((isCallBack ? this.#callBacks : this.#running) >= limits.maxCallsInFlight) {
      throw tooMany(body.method, "calls", "maxCallsInFlight", limits.maxCallsInFlight);
    }
    if (isStream && this.#streams >= limits.maxStreams)
      throw tooMany(body.method, "streams", "maxStreams", limits.maxStreams);
    const kind = METHOD_KINDS[body.kind];
    const method = kind === undefined ? undefined : handler.method(body.method, kind);
    if (method === undefined) throw unimplemented(this.link, body.method, body.kind);
    if (body.deadlineMs !== undefined && body.deadlineMs <= 0) throw tooLate(method.name);
    if (body.credits !== undefined && body.credits > MAX_CREDITS) {
      return this.link.breach(`call ${body.id} with a credit of ${body.credits}`);
    }
    const metadata = checkMetadata(body.metadata, limits.maxMetadataBytes);
    const hasInput = body.kind === "unary" || body.kind === "serverStream";
    const input = hasInput ? decodePayload(method.input.codec, body.payload) : undefined;
    const deadline = body.deadlineMs === undefined ? undefined : clock.now() + body.deadlineMs;
    const call = new IncomingCall(this.link, this, body, method, deadline, metadata, isCallBack);
    if (isCallBack) this.#callBacks++;
    else this.#running++;
    if (isStream) {
      this.#streams++;
      this.#unanswered.set(body.id, call);
      call.serveStream(hasInput ? new Single(input) : undefined);
    } else if (call.serveUnary(input)) {
      // Most handlers that need not wait have replied by now, and cost no place in the map.
      this.#unanswered.set(body.id, call);
    } else {
      return;
    }
    const { finished } = this.link;
    // The handler itself has ended the session before it came to its first wait.
    if (finished !== undefined) call.cancelled(finished);
    else if (deadline !== undefined) this.link.watchDeadline(deadline);
  }

  #acceptPattern(body: CallBody, kind: MethodKind): void {
    const { limits, handler, clock } = this.link;
    const method = handler.method(body.method, kind);
    if (method === undefined) throw unimplemented(this.link, body.method, body.kind);
    if (body.deadlineMs !== undefined && body.deadlineMs <= 0) throw tooLate(method.name);
    if (body.credits !== undefined && body.credits > MAX_CREDITS)
      return this.link.breach(`call ${body.id} with a credit of ${body.credits}`);
    const metadata = checkMetadata(body.metadata, limits.maxMetadataBytes);
    const deadline = body.deadlineMs === undefined ? undefined : clock.now() + body.deadlineMs;
    this.#patterns ??= new IncomingPatterns(this.link);
    this.#patterns.accept(body, method, deadline, metadata);
  }

  override receiveNotify(body: NotifyBody): void {
    const { handler, limits } = this.link;
    try {
      const method = handler.method(body.method, "notification");
      if (method === undefined) throw unimplemented(this.link, body.method, "notification");
      if (this.#refuseNew)
        throw new RpcError("UNAVAILABLE", `${method.name}: notification refused while draining`, {
          reason: "DRAINING",
        });
      if (body.depth > limits.maxDepth) throw tooDeep(body.method, limits.maxDepth);
      if (this.#running >= limits.maxCallsInFlight)
        throw tooMany(body.method, "calls", "maxCallsInFlight", limits.maxCallsInFlight);
      const metadata = checkMetadata(body.metadata, limits.maxMetadataBytes);
      const context = new IncomingNotification(this.link, body, method, metadata);
      const done = handler.call(decodePayload(method.input.codec, body.payload), context);
      if (!isPromiseLike(done)) return;
      this.#running++;
      this.#notifications.add(context);
      const ended = (): void => {
        this.#notifications.delete(context);
        this.#ended();
      };
      Promise.resolve(done).then(ended, (thrown: unknown) => {
        ended();
        this.link.report(RpcError.from(thrown));
      });
    } catch (thrown) {
      // Nothing goes back for a notification, not even an error.
      this.link.report(RpcError.from(thrown));
    }
  }

  override receiveCancel(body: CancelBody): void {
    const reason = new RpcError("CANCELLED", body.reason === "" ? "cancelled by the caller" : body.reason, {
      reason: "CANCELLED",
    });
    this.find(body.id)?.cancelled(reason);
  }

  override resume(): void {
    for (const call of this.#unanswered.values()) call.resume();
    this.#patterns?.resume();
  }

  /** Streams live by what both ends send; a unary reply may still find a reader. */
  override callerEnded(reason: RpcError): void {
    for (const call of this.#unanswered.values()) {
      if (call.method.kind === "unary") call.cancelWith(reason);
      else call.cancelled(reason);
    }
    this.#patterns?.loseAll(reason);
  }

  override abortAll(reason: RpcError): void {
    for (const notification of this.#notifications) notification.cancelWith(reason);
    const orphans = this.#unanswered;
    this.#unanswered = new Map();
    for (const call of orphans.values()) call.cancelled(reason);
    this.#patterns?.loseAll(reason);
  }

  override *expiring(): Iterable<Expiring> {
    yield* this.#unanswered.values();
    if (this.#patterns !== undefined) yield* this.#patterns.expiring();
  }

  replied(call: IncomingCall): void {
    this.#unanswered.delete(call.callId);
  }

  handled(call: IncomingCall): void {
    if (call.method.kind !== "unary") this.#streams--;
    if (!call.exempt) return this.#ended();
    this.#callBacks--;
    this.link.callEnded();
  }

  #ended(): void {
    this.#running--;
    this.link.callEnded();
  }

  override find(id: number): AcceptedCall | undefined {
    return this.#unanswered.get(id) ?? this.#patterns?.get(id) ?? super.find(id);
  }
}

function tooMany(method: string, what: string, option: string, limit: number): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `${shown(method)}: the peer takes ${limit} ${what} at once`, {
    reason: option,
    delivered: "no",
    retryable: true,
  });
}

function tooDeep(method: string, limit: number): RpcError {
  const message = `${shown(method)}: calls that call back went deeper than ${limit}; is there a loop?`;
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxDepth" });
}

function tooLate(method: string): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${method}: deadline exceeded before the call was taken up`, {
    reason: "DEADLINE",
  });
}

/** What a call of a kind may be made to; those that last are in PATTERN_METHODS. */
const METHOD_KINDS: Readonly<Record<CallKind, MethodKind | undefined>> = {
  unary: "unary",
  serverStream: "serverStream",
  clientStream: "clientStream",
  bidiStream: "bidiStream",
  subscribe: undefined,
  consume: undefined,
  submit: undefined,
};

function unimplemented(link: SessionLink, name: string, kind: CallKind | "notification"): RpcError {
  const dot = name.lastIndexOf(".");
  const contractName = name.slice(0, Math.max(dot, 0));
  const contract = link.handler.contracts.find((served) => served.name === contractName);
  if (contract === undefined) return notServed(name);
  const message = contract.methods.has(name.slice(dot + 1))
    ? `${shown(name)}: is not of kind ${kind}; do both ends have the same contract?`
    : `${shown(name)}: contract ${contractName} has no such method`;
  return new RpcError("UNIMPLEMENTED", message, { reason: "METHOD_NOT_FOUND" });
}

function checkMetadata(entries: MetadataEntries | undefined, maxBytes: number): Metadata | undefined {
  if (entries === undefined) return undefined;
  const metadata = new Metadata(entries);
  if (metadata.lengthInCharacters > maxBytes) {
    throw new RpcError("RESOURCE_EXHAUSTED", `metadata is larger than ${maxBytes} bytes`, {
      reason: "maxMetadataBytes",
    });
  }
  return metadata;
}

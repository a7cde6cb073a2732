import { RpcError } from "@rpc/core";
import { metadataKey, readMetadata, Header } from "../headers.ts";
import type { BatchedCall, Caller } from "./caller.ts";
import type { HttpReply, Posting, Sender } from "./http-pool.ts";
import type { Carrier, PendingCall } from "./pending-call.ts";
import { STATUS_HEADER } from "../fault-mapping.ts";
import { errorOfRefusal } from "./faults.ts";
import { errorOfConnection, errorOfStatus, plainText } from "./status.ts";
import type { WrittenCall } from "./wire.ts";

/** A call that travels alone. */
export class SingleRequest implements Carrier, Sender {
  readonly #caller: Caller;
  readonly #call: PendingCall;
  #posting: Posting | undefined = undefined;

  private constructor(caller: Caller, call: PendingCall) {
    this.#caller = caller;
    this.#call = call;
  }

  static send(caller: Caller, call: PendingCall, written: WrittenCall, own: readonly string[]): void {
    const request = new SingleRequest(caller, call);
    call.carrier = request;
    try {
      const headers = caller.headersFor(own, call.deadline);
      request.#posting = caller.pool.post(written.path, headers, written.text, request);
    } catch (thrown) {
      call.fail(thrown);
    }
  }

  get repeatable(): boolean {
    return this.#call.context.method.idempotent;
  }

  get sent(): boolean {
    return this.#posting?.sent ?? false;
  }

  leave(): void {
    this.#posting?.abandon();
  }

  handedOver(): void {
    // What the server says of it nobody reads; the answer still has to come before the connection is used again.
    if (this.#call.oneWay) this.#call.handedOver();
  }

  replied(reply: HttpReply): void {
    const call = this.#call;
    if (call.settled) return;
    try {
      readResponseMetadata(call, reply);
      call.succeed(outputOf(this.#caller, call, reply));
    } catch (thrown) {
      call.fail(thrown);
    }
  }

  failed(error: Error, sent: boolean): void {
    this.#call.fail(connectionError(this.#caller, this.#call, error, sent));
  }
}

/** Calls that travel together; each settles by itself. */
export class BatchRequest implements Carrier, Sender {
  readonly #caller: Caller;
  readonly #calls: readonly BatchedCall[];
  #waiting: number;
  #posting: Posting | undefined = undefined;

  private constructor(caller: Caller, calls: readonly BatchedCall[]) {
    this.#caller = caller;
    this.#calls = calls;
    this.#waiting = calls.length;
  }

  static send(caller: Caller, calls: readonly BatchedCall[]): void {
    const request = new BatchRequest(caller, calls);
    for (const { call } of calls) call.carrier = request;
    try {
      const joined = caller.wire.join(calls.map(({ written }) => written));
      const headers = caller.headersFor([], latestDeadline(calls));
      request.#posting = caller.pool.post(joined.path, headers, joined.text, request);
    } catch (thrown) {
      for (const { call } of calls) call.fail(thrown);
    }
  }

  get repeatable(): boolean {
    return this.#calls.every(({ call }) => call.context.method.idempotent);
  }

  get sent(): boolean {
    return this.#posting?.sent ?? false;
  }

  /** The others go on; when nobody is left, the server is told. */
  leave(): void {
    this.#waiting--;
    if (this.#waiting === 0) this.#posting?.abandon();
  }

  handedOver(): void {
    for (const { call } of this.#calls) if (call.oneWay) call.handedOver();
  }

  replied(reply: HttpReply): void {
    const { wire } = this.#caller;
    const calls = this.#calls.map(({ call, written }) => ({ method: call.context.method, written }));
    try {
      if (reply.status !== 200 && reply.status !== 204) return this.#refused(reply);
      const outcomes = wire.readBatch(reply, calls);
      if (outcomes === undefined) return this.#sendApart();
      for (const [i, { call }] of this.#calls.entries()) {
        const outcome = outcomes[i];
        if (outcome === undefined) continue;
        if ("error" in outcome) call.fail(outcome.error);
        else call.succeed(outcome.value);
      }
    } catch (thrown) {
      for (const { call } of this.#calls) call.fail(thrown);
    }
  }

  failed(error: Error, sent: boolean): void {
    for (const { call } of this.#calls) call.fail(connectionError(this.#caller, call, error, sent));
  }

  /** One answer of HTTP for all of them: what it says is read once, but each error names its own call. */
  #refused(reply: HttpReply): void {
    const [first] = this.#calls;
    const told = first === undefined ? undefined : toldBy(this.#caller, first.call, reply);
    for (const { call } of this.#calls) call.fail(told ?? errorOfReply(this.#caller, call, reply));
  }

  #sendApart(): void {
    this.#caller.knowsNoBatches = true;
    for (const { call, written } of this.#calls) if (!call.settled) SingleRequest.send(this.#caller, call, written, []);
  }
}

/** undefined when one of the calls may take as long as it takes. */
function latestDeadline(calls: readonly BatchedCall[]): number | undefined {
  let latest = 0;
  for (const { call } of calls) {
    if (call.deadline === undefined) return undefined;
    latest = Math.max(latest, call.deadline);
  }
  return latest;
}

function outputOf(caller: Caller, call: PendingCall, reply: HttpReply): unknown {
  if (reply.status < 200 || reply.status > 299) throw toldBy(caller, call, reply) ?? errorOfReply(caller, call, reply);
  const output = caller.wire.read(reply, call.context.method);
  return reply.headers[Header.noOutput] === undefined ? output : undefined;
}

/** The error that an answer tells in the words of the protocol, if it does. */
function toldBy({ wire }: Caller, call: PendingCall, reply: HttpReply): unknown {
  return reply.status >= 400 ? wire.readError(reply, call.context.method) : undefined;
}

/** The error that HTTP alone tells. */
function errorOfReply(caller: Caller, call: PendingCall, reply: HttpReply): unknown {
  const { headers, status } = reply;
  const text = plainText(headers["content-type"] ?? "", reply.body);
  if (headers[STATUS_HEADER] !== undefined) return errorOfRefusal(call.context.method, reply, text);
  return errorOfStatus(call.label, caller.target.endpoint, status, headers.location ?? "", text);
}

function connectionError(caller: Caller, call: PendingCall, error: Error, sent: boolean): unknown {
  if (!(error instanceof RpcError)) return errorOfConnection(call.label, caller.target.endpoint, error, sent);
  const { code, message, reason, delivered } = error;
  return new RpcError(code, `${call.label}: ${message}`, { reason, delivered, cause: error });
}

function readResponseMetadata({ context }: PendingCall, { rawHeaders }: HttpReply): void {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // Only then: asking for response metadata makes it.
    if (metadataKey((rawHeaders[i] ?? "").toLowerCase()) === undefined) continue;
    readMetadata(rawHeaders, context.responseMetadata);
    return;
  }
}

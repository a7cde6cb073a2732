import { isCallError } from "../tools/call-errors.ts";
import type { LogLevel } from "../words/call-context.ts";
import { Body, type CallBody, type WireError } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Payload } from "../words/payload.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import { CallScope } from "../tools/call-scope.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import { OPAQUE_CODEC, payloadOf } from "../tools/payloads.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { onlyValue } from "../tools/single.ts";
import { wireErrorOf } from "../tools/wire-error.ts";
import { sendFailure } from "./send-failure.ts";
import type { SessionLink } from "./session-link.ts";
import { streamEndsOf } from "./session-parts.ts";
import type { ReceiverOwner, StreamReceiver } from "./stream-receiver.ts";
import type { SenderOwner, StreamSender } from "./stream-sender.ts";
import type { AcceptedCall } from "./unserved-calls.ts";

/** Where the peer's calls are kept while they run. */
export interface IncomingRegister {
  /** The peer has its reply, or wants none: the id is free of duties. */
  replied(call: IncomingCall): void;
  /** The handler is done with it: its place is free. */
  handled(call: IncomingCall): void;
}

/**
 * One call of the peer, and the context that its handler sees. It is over for the peer when the reply is sent or no longer wanted, and
 * over for this end when the handler has settled; until then it takes up a place, so that cancelling does not make room for more.
 */
export class IncomingCall extends CallScope implements AcceptedCall, Expiring, ReceiverOwner, SenderOwner {
  readonly link: SessionLink;
  readonly callId: number;
  readonly depth: number;
  readonly observed: boolean;
  readonly idempotencyKey: string | undefined;
  /** Exempt from the limit on calls in flight, because it calls back. */
  readonly exempt: boolean;
  readonly #register: IncomingRegister;
  readonly #handleId: string;
  readonly #received: Metadata | undefined;
  readonly #credits: number;
  #replied = false;
  #handled = false;
  #receiver: StreamReceiver | undefined = undefined;
  #sender: StreamSender | undefined = undefined;

  constructor(
    link: SessionLink,
    register: IncomingRegister,
    body: CallBody,
    method: MethodDescriptor,
    deadline: number | undefined,
    metadata: Metadata | undefined,
    exempt: boolean,
  ) {
    super(method, deadline);
    this.link = link;
    this.#register = register;
    this.callId = body.id;
    this.depth = body.depth;
    this.observed = body.observed;
    this.idempotencyKey = body.idempotencyKey;
    this.exempt = exempt;
    this.#handleId = body.handleId;
    this.#received = metadata;
    this.#credits = body.credits ?? 0;
  }

  get id(): string {
    return this.#handleId === "" ? `${this.link.sessionName}/${this.callId}` : this.#handleId;
  }

  get peer(): Peer {
    return this.link.peer;
  }

  get attempt(): number {
    return 1;
  }

  get parent(): undefined {
    return undefined;
  }

  override callIdAt(session: object): number {
    return this.link === session ? this.callId : 0;
  }

  get methodName(): string {
    return this.method.name;
  }

  get open(): boolean {
    return !this.#replied;
  }

  override get hasMetadata(): boolean {
    return this.#received !== undefined || super.hasMetadata;
  }

  protected override initialMetadata(): Metadata {
    return this.#received ?? super.initialMetadata();
  }

  /** Runs the handler of a unary call. Returns whether the reply is still due. */
  serveUnary(input: unknown): boolean {
    let output: unknown;
    try {
      output = this.link.handler.call(input, this);
    } catch (thrown) {
      this.fail(RpcError.from(thrown));
      this.#settled();
      return false;
    }
    if (isPromiseLike(output)) {
      // A foreign promise may do anything in its `then`; a real one is taken as it is.
      const settling = output instanceof Promise ? output : Promise.resolve(output);
      settling.then(
        (value) => this.#finish(value),
        (thrown: unknown) => {
          this.fail(RpcError.from(thrown));
          this.#settled();
        },
      );
      return true;
    }
    this.#finish(output);
    return !this.#handled;
  }

  /** Replies as soon as the wire takes more; until then the call keeps its place, so that its peer cannot pile up replies. */
  #finish(output: unknown): void {
    if (!this.link.writable && !this.#replied) return this.link.holdReply(() => this.#finish(output));
    this.reply(output);
    this.#settled();
  }

  /** Runs the handler of any stream. `single` is the input of a server stream; without it the input arrives item by item. */
  serveStream(single: AsyncIterable<unknown> | undefined): void {
    try {
      const { Receiver, Sender } = streamEndsOf(this.method, this.link);
      let input = single;
      if (input === undefined) {
        this.#receiver = new Receiver(this.link, this, this.method.input.codec);
        const credits = this.#receiver.firstCredits;
        if (credits > 0) this.link.send({ body: Body.Credit, id: this.callId, credits });
        input = this.#receiver.inbox;
      }
      const output = this.link.handler.stream(input, this);
      if (this.method.kind === "clientStream") {
        void this.#replyWithOnly(output); // Never rejects: a failure becomes the reply.
        return;
      }
      this.#sender = new Sender(this.link, this, this.method.output.codec, output, this.#credits);
    } catch (thrown) {
      this.fail(RpcError.from(thrown));
      this.#settled();
      return;
    }
    void this.#sender.run().then(() => this.#settled()); // Never rejects.
  }

  /** The output of a client stream is a stream of one, which leaves as the result. */
  async #replyWithOnly(output: AsyncIterable<unknown>): Promise<void> {
    try {
      this.#finish(await onlyValue(output, this.methodName));
    } catch (thrown) {
      this.fail(RpcError.from(thrown));
      this.#settled();
    }
  }

  receiveItem(seq: number, payload: Payload | undefined): void {
    if (this.#receiver === undefined) return this.#misshapen("a stream item arrived for a call without input stream");
    this.#receiver.accept(seq, payload);
  }

  receiveEnd(error: RpcError | undefined): void {
    if (this.#receiver === undefined)
      return this.#misshapen("the end of a stream arrived for a call without input stream");
    this.#receiver.end(error);
  }

  receiveCredit(credits: number): void {
    if (this.#sender === undefined) return this.#misshapen("stream credit arrived for a call without output stream");
    this.#sender.grant(credits);
  }

  receiveSettle(): void {
    this.link.breach(`the settlement of a job arrived for call ${this.callId}`);
  }

  resume(): void {
    this.#sender?.resume();
  }

  /** Sends the output, or the reason why it cannot be sent. */
  reply(output: unknown): void {
    if (this.#replied) return;
    try {
      this.link.send({
        body: Body.Result,
        id: this.callId,
        payload: payloadOf(this.method.output.codec, output),
        metadata: this.responseMetadataIfAny,
      });
    } catch (thrown) {
      return this.fail(unsendable(this.methodName, thrown));
    }
    this.#over();
  }

  fail(error: RpcError): void {
    if (this.#replied) return;
    // What did not arrive is a call that the handler made; its own has arrived (docs/concepts/delivery.md). Only a gateway, which is no
    // handler, passes the word on.
    const entered = error.delivered === "no" && isCallError(error) && this.method.input.codec !== OPAQUE_CODEC;
    const full = wireErrorOf(error, this.method, this.link.exposeStacks);
    const wire: WireError = entered ? { ...full, delivered: "unknown" } : full;
    sendFailure(this.link, this.callId, wire, this.responseMetadataIfAny);
    this.#over();
  }

  expire(): void {
    const error = new RpcError("DEADLINE_EXCEEDED", `${this.methodName}: deadline exceeded`, { reason: "DEADLINE" });
    this.fail(error);
    this.cancelled(error);
  }

  /** The caller does not want the reply any more, or is gone. */
  cancelled(reason: RpcError): void {
    this.#over();
    this.cancelWith(reason);
    this.#receiver?.inbox.end(reason);
    this.#sender?.stop();
  }

  progress(value: unknown): void {
    if (!this.observed || this.#replied) return;
    const payload = payloadOf(this.method.progress.codec, value);
    this.link.send({ body: Body.Progress, id: this.callId, payload, log: undefined });
  }

  log(message: string, fields: Readonly<Record<string, string>> = {}, level: LogLevel = "info"): void {
    if (!this.observed || this.#replied) return;
    const log = { level, message: message.toWellFormed(), fields };
    this.link.send({ body: Body.Progress, id: this.callId, payload: undefined, log });
  }

  streamFailed(error: RpcError): void {
    this.fail(error);
    this.cancelled(error);
  }

  /** The handler has left its input stream early; the rest is dropped as it comes. */
  abandoned(): void {
    // The sender learns it from the reply.
  }

  sourceEnded(error: RpcError | undefined): void {
    if (error !== undefined) {
      this.fail(error);
    } else if (!this.#replied) {
      try {
        this.link.send({ body: Body.End, id: this.callId, error: undefined, metadata: this.responseMetadataIfAny });
        this.#over();
      } catch (thrown) {
        this.fail(unsendable(this.methodName, thrown));
      }
    }
  }

  #misshapen(what: string): void {
    this.streamFailed(new RpcError("INTERNAL", `${this.methodName}: ${what}`, { reason: "PROTOCOL" }));
  }

  #over(): void {
    if (this.#replied) return;
    this.#replied = true;
    this.#register.replied(this);
  }

  #settled(): void {
    if (this.#handled) return;
    this.#handled = true;
    this.#receiver?.inbox.end();
    this.#register.handled(this);
  }
}

function unsendable(methodName: string, thrown: unknown): RpcError {
  const { code, message, reason } = RpcError.from(thrown);
  // Too large is the caller's business as well; anything else is the handler's fault.
  if (code === "RESOURCE_EXHAUSTED")
    return new RpcError(code, `${methodName}: output: ${message}`, { reason, cause: thrown });
  return new RpcError("INTERNAL", `${methodName}: output: ${message}`, {
    reason: "RESULT_UNSERIALIZABLE",
    cause: thrown,
  });
}

import { noteCallError } from "../tools/call-errors.ts";
import type { CallContext } from "../words/call-context.ts";
import type { CallKind, ProgressBody } from "../words/envelope.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobRequest, SubmittedJob, Submitter } from "../words/work-queue.ts";
import { dynamicCodec } from "../tools/json-message-codec.ts";
import { sayJobOptions } from "../tools/job-metadata.ts";
import { decodePayload, payloadOf } from "../tools/payloads.ts";
import { type CallRegister, OutgoingCall } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";

/** A job of this end in the peer's queue. */
export class OutgoingSubmission extends OutgoingCall implements SubmittedJob {
  readonly #submitter: Submitter;
  #isQueued = false;
  #detached = false;

  constructor(
    link: SessionLink,
    register: CallRegister,
    context: CallContext,
    request: JobRequest,
    submitter: Submitter,
  ) {
    super(link, register, context, 0, payloadOf(request.method.input.codec, request.input));
    sayJobOptions(() => context.metadata, request);
    this.#submitter = submitter;
  }

  override get kind(): CallKind {
    return "submit";
  }

  override get uncounted(): boolean {
    return true;
  }

  override move(link: SessionLink, register: CallRegister): void {
    super.move(link, register);
    // Another queue gives another ticket.
    this.#isQueued = false;
  }

  detach(): void {
    this.#detached = true;
  }

  override receiveProgress(body: ProgressBody): void {
    if (body.payload === undefined) return;
    const value = decodePayload(dynamicCodec, body.payload);
    const ticket: unknown =
      typeof value === "object" && value !== null ? (value as { readonly ticket?: unknown }).ticket : undefined;
    if (typeof ticket !== "string") return this.misshapen("the queue gave a ticket that is none");
    this.#queued(ticket);
  }

  override receiveResult(payload: Payload | undefined): void {
    if (this.settled) return;
    let output: unknown;
    try {
      output = this.decodeOutput(payload);
    } catch (thrown) {
      return this.fail(RpcError.from(thrown));
    }
    // A queue that is done before it has said so.
    this.#queued("");
    this.settled = true;
    this.context.onCancel(undefined);
    if (!this.#detached) this.#submitter.done(output);
  }

  fail(error: RpcError): void {
    if (this.settled) return;
    this.settled = true;
    this.context.onCancel(undefined);
    if (!this.#detached) this.#submitter.failed(noteCallError(error));
  }

  #queued(ticket: string): void {
    if (this.#isQueued || this.#detached) return;
    this.#isQueued = true;
    this.#submitter.queued(ticket);
  }
}

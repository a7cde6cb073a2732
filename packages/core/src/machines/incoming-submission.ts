import { Body, type CallBody } from "../words/envelope.ts";
import { RpcError } from "../words/rpc-error.ts";
import { EncodedPayload, ValuePayload } from "../words/payload.ts";
import type { SubmittedJob, Submitter } from "../words/work-queue.ts";
import { dynamicCodec } from "../tools/json-message-codec.ts";
import { takeJobOptions } from "../tools/job-metadata.ts";
import { payloadOf } from "../tools/payloads.ts";
import { IncomingPattern } from "./incoming-pattern.ts";

/** A job of the peer: its ticket goes back as progress, its output as the result. */
export class IncomingSubmission extends IncomingPattern implements Submitter {
  #job: SubmittedJob | undefined = undefined;

  get counted(): boolean {
    return false;
  }

  override get isRunning(): boolean {
    return this.#job?.running !== false;
  }

  start(body: CallBody): void {
    const queue = this.link.handler.workQueue;
    if (queue === undefined)
      throw new RpcError("UNIMPLEMENTED", `${this.method.name}: there is no queue here`, {
        reason: "METHOD_NOT_FOUND",
      });
    const options = takeJobOptions(this.hasMetadata ? this.metadata : undefined, this.method);
    // Not decoded: the queue does not look inside.
    const input = body.payload instanceof EncodedPayload ? body.payload : undefined;
    this.#job = queue.submit({ method: this.method, input, ...options }, this, this);
  }

  /** Without the options that it brought, which are not the job's. */
  override get hasMetadata(): boolean {
    return super.hasMetadata && this.metadata.size > 0;
  }

  queued(ticket: string): void {
    if (this.isOver) return;
    const payload = new ValuePayload(dynamicCodec, { ticket });
    this.link.send({ body: Body.Progress, id: this.callId, payload, log: undefined });
  }

  done(output: unknown): void {
    if (this.isOver) return;
    if (!this.link.writable) return this.link.holdReply(() => this.done(output));
    try {
      const payload = payloadOf(this.method.output.codec, output);
      this.link.send({ body: Body.Result, id: this.callId, payload, metadata: undefined });
      this.over();
    } catch (thrown) {
      const { code, message, reason } = RpcError.from(thrown);
      this.fail(new RpcError(code, `${this.method.name}: output: ${message}`, { reason, cause: thrown }));
    }
  }

  failed(error: RpcError): void {
    this.fail(error);
  }

  receiveCredit(): void {
    this.misshapen("credit arrived for a job");
  }

  receiveEnd(): void {
    this.misshapen("the end of a stream arrived for a job");
  }

  receiveSettle(): void {
    this.misshapen("the settlement of a job arrived at its submitter's call");
  }

  protected ended(reason: RpcError, isLost: boolean): void {
    // A submitter that is gone has not given its job up.
    if (isLost) this.#job?.detach();
    else this.cancelWith(reason);
  }
}

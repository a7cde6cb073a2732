import { Body, type CallBody, type SettleBody } from "../words/envelope.ts";
import { ValuePayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobDelivery, JobFeed, JobTaker } from "../words/work-queue.ts";
import { Fifo } from "../tools/fifo.ts";
import { deliveryMetadata } from "../tools/job-metadata.ts";
import { payloadOf } from "../tools/payloads.ts";
import { errorFromWire, wireErrorOf } from "../tools/wire-error.ts";
import { IncomingPattern } from "./incoming-pattern.ts";
import { STREAM_WINDOW_BYTES } from "./stream-sender.ts";

/** A consumer at the peer: what its feed gives goes out as items. */
export class IncomingConsumer extends IncomingPattern implements JobTaker {
  #feed: JobFeed | undefined = undefined;
  #sent = 0;
  /** Deliveries that the peer has not settled, with the size of what it was sent; 0: not sent yet. */
  readonly #open = new Map<number, number>();
  #openBytes = 0;
  /** What a feed gave that cannot wait, as one behind another wire; no more than the credit. */
  readonly #held = new Fifo<JobDelivery>();

  get counted(): boolean {
    return true;
  }

  start(body: CallBody): void {
    const queue = this.link.handler.workQueue;
    if (queue === undefined)
      throw new RpcError("UNIMPLEMENTED", `${this.method.name}: there is no queue here`, {
        reason: "METHOD_NOT_FOUND",
      });
    const credits = body.credits ?? 0;
    if (credits < 1)
      throw new RpcError("INVALID_ARGUMENT", `${this.method.name}: a consumer takes one job at least`, {
        reason: "INVALID_ARGUMENT",
      });
    this.#feed = queue.consume(this, this);
    this.#feed.open(credits);
  }

  ready(): void {
    if (!this.isOver) this.link.send({ body: Body.Progress, id: this.callId, payload: undefined, log: undefined });
  }

  get writable(): boolean {
    return this.link.writable && this.#openBytes < STREAM_WINDOW_BYTES && this.#held.length === 0;
  }

  job(job: JobDelivery): void {
    if (this.isOver) return;
    if (this.#open.size === 0) this.busy(true);
    this.#open.set(job.delivery, 0);
    if (this.writable) this.#send(job);
    else this.#held.push(job);
  }

  override resume(): void {
    this.#sendHeld();
    if (this.writable) this.#feed?.resume();
  }

  #sendHeld(): void {
    while (this.#held.length > 0 && !this.isOver && this.link.writable && this.#openBytes < STREAM_WINDOW_BYTES) {
      const job = this.#held.shift();
      if (job !== undefined && this.#open.has(job.delivery)) this.#send(job);
    }
  }

  #send({ delivery, attempt, input, metadata, deadline }: JobDelivery): void {
    const remainingMs = deadline === undefined ? undefined : deadline - this.link.clock.now();
    try {
      const bytes = this.link.send({
        body: Body.Item,
        id: this.callId,
        seq: this.#sent + 1,
        payload: input instanceof ValuePayload ? input : payloadOf(this.method.input.codec, input),
        extra: { topic: "", lost: 0, delivery, attempt, metadata: deliveryMetadata(metadata, remainingMs) },
      });
      this.#sent++;
      // The session may have ended over this very message.
      if (!this.#open.has(delivery)) return;
      this.#open.set(delivery, bytes);
      this.#openBytes += bytes;
    } catch (thrown) {
      // Larger than this peer takes, for one: another try would end like this one.
      const { code, message, reason } = RpcError.from(thrown);
      const error = new RpcError(code, `${this.method.name}: input: ${message}`, { reason, cause: thrown });
      this.#closed(delivery);
      this.#feed?.settle({ delivery, outcome: "reject", output: undefined, error });
    }
  }

  abandon(delivery: number, reason: RpcError): void {
    const bytes = this.#open.get(delivery);
    if (this.isOver || bytes === undefined) return;
    if (bytes === 0 && this.#held.length > 0) {
      // The peer does not know it.
      this.#closed(delivery);
      return this.#feed?.settle({ delivery, outcome: "reject", output: undefined, error: reason });
    }
    const error = wireErrorOf(reason, this.method, false);
    this.link.send({ body: Body.Settle, id: this.callId, delivery, outcome: "reject", payload: undefined, error });
  }

  receiveSettle({ delivery, outcome, payload, error }: SettleBody): void {
    // Twice, or of a job that it was never given: nobody waits for that.
    if (!this.#closed(delivery)) return;
    this.#feed?.settle({
      delivery,
      outcome,
      output: payload,
      error: error === undefined ? undefined : errorFromWire(error, this.method),
    });
    this.#sendHeld();
  }

  receiveEnd(): void {
    this.#feed?.finish();
  }

  override drain(): void {
    this.#feed?.finish();
  }

  receiveCredit(): void {
    this.misshapen("credit arrived for a consumer, which gives it by settling");
  }

  ended(reason: RpcError | undefined): void {
    const feed = this.#feed;
    this.#feed = undefined;
    if (this.isOver) {
      if (feed === undefined || reason === undefined) return;
      this.#giveBackHeld(feed);
      feed.close(reason);
    } else if (reason === undefined) this.finish();
    else this.fail(reason);
  }

  /** They have not left, so their attempt does not count; who finishes is believed. */
  #giveBackHeld(feed: JobFeed): void {
    if (this.#held.length === 0) return;
    feed.finish();
    for (let job = this.#held.shift(); job !== undefined; job = this.#held.shift()) {
      const error = new RpcError("UNAVAILABLE", `${this.method.name}: the consumer was lost before it had the job`, {
        reason: "PEER_LOST",
        delivered: "no",
      });
      feed.settle({ delivery: job.delivery, outcome: "retry", output: undefined, error });
    }
  }

  protected override over(): void {
    if (this.#open.size > 0) this.busy(false);
    this.#open.clear();
    this.#openBytes = 0;
    super.over();
  }

  #closed(delivery: number): boolean {
    const bytes = this.#open.get(delivery);
    if (bytes === undefined) return false;
    this.#open.delete(delivery);
    this.#openBytes -= bytes;
    if (this.#open.size === 0) this.busy(false);
    return true;
  }
}

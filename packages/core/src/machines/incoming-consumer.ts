import { Body, type CallBody, type SettleBody } from "../words/envelope.ts";
import { ValuePayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobDelivery, JobFeed, JobTaker } from "../words/work-queue.ts";
import { deliveryMetadata } from "../tools/job-metadata.ts";
import { payloadOf } from "../tools/payloads.ts";
import { errorFromWire, wireErrorOf } from "../tools/wire-error.ts";
import { IncomingPattern } from "./incoming-pattern.ts";

/** A consumer at the peer: what its feed gives goes out as items. */
export class IncomingConsumer extends IncomingPattern implements JobTaker {
  #feed: JobFeed | undefined = undefined;
  #sent = 0;
  /** Deliveries that the peer has not settled. */
  readonly #open = new Set<number>();

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

  job({ delivery, attempt, input, metadata, deadline }: JobDelivery): void {
    if (this.isOver) return;
    if (this.#open.size === 0) this.busy(true);
    this.#open.add(delivery);
    const remainingMs = deadline === undefined ? undefined : deadline - this.link.clock.now();
    try {
      this.link.send({
        body: Body.Item,
        id: this.callId,
        seq: this.#sent + 1,
        payload: input instanceof ValuePayload ? input : payloadOf(this.method.input.codec, input),
        extra: { topic: "", lost: 0, delivery, attempt, metadata: deliveryMetadata(metadata, remainingMs) },
      });
      this.#sent++;
    } catch (thrown) {
      // Larger than this peer takes, for one: another try would end like this one.
      const { code, message, reason } = RpcError.from(thrown);
      const error = new RpcError(code, `${this.method.name}: input: ${message}`, { reason, cause: thrown });
      this.#closed(delivery);
      this.#feed?.settle({ delivery, outcome: "reject", output: undefined, error });
    }
  }

  abandon(delivery: number, reason: RpcError): void {
    if (this.isOver || !this.#open.has(delivery)) return;
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
      if (feed !== undefined && reason !== undefined) feed.close(reason);
    } else if (reason === undefined) this.finish();
    else this.fail(reason);
  }

  protected override over(): void {
    if (this.#open.size > 0) this.busy(false);
    this.#open.clear();
    super.over();
  }

  #closed(delivery: number): boolean {
    if (!this.#open.delete(delivery)) return false;
    if (this.#open.size === 0) this.busy(false);
    return true;
  }
}

import type { CallContext } from "../words/call-context.ts";
import type { Payload } from "../words/payload.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, SubscribeRequest, TopicPort } from "../words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, SubmittedJob, Submitter, WorkQueue } from "../words/work-queue.ts";
import { type CallingSession, sessionPartOf, promisedCallOf } from "./session-parts.ts";

/** What one session offers beside calls: subscriptions, jobs, and notifications whose outcome is told without a promise. */
export class SessionPatterns implements TopicPort, WorkQueue {
  readonly #session: CallingSession;

  constructor(session: CallingSession) {
    this.#session = session;
  }

  subscribe(request: SubscribeRequest, context: CallContext, sink: EventSink): EventSource {
    return sessionPartOf(context.method, "subscribe")(this.#session, request, context, sink);
  }

  submit(request: JobRequest, context: CallContext, submitter: Submitter): SubmittedJob {
    return sessionPartOf(context.method, "submit")(this.#session, request, context, submitter);
  }

  consume(context: CallContext, taker: JobTaker): JobFeed {
    return sessionPartOf(context.method, "consume")(this.#session, context, taker);
  }

  /** A notification, handed over now or as soon as the session can. A failure at once is told before this returns. Throws FAILED_PRECONDITION for a descriptor without parts. */
  notify(payload: Payload, context: CallContext, sent: () => void, failed: (error: RpcError) => void): void {
    const { outgoing } = this.#session;
    const Call = promisedCallOf(context.method);
    outgoing.start(new Call(this.#session, outgoing, context, 0, payload, sent, failed));
  }
}

import type { CallContext } from "../words/call-context.ts";
import type { Payload } from "../words/payload.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, SubscribeRequest, TopicPort } from "../words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, SubmittedJob, Submitter, WorkQueue } from "../words/work-queue.ts";
import { OutgoingNotification } from "./outgoing-call.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import { OutgoingConsumer } from "./outgoing-consumer.ts";
import { OutgoingSubmission } from "./outgoing-submission.ts";
import { OutgoingSubscription } from "./outgoing-subscription.ts";
import type { SessionLink } from "./session-link.ts";

/** What one session offers beside calls: subscriptions, jobs, and notifications whose outcome is told without a promise. */
export class SessionPatterns implements TopicPort, WorkQueue {
  readonly #link: SessionLink;
  readonly #outgoing: OutgoingCalls;

  constructor(link: SessionLink, outgoing: OutgoingCalls) {
    this.#link = link;
    this.#outgoing = outgoing;
  }

  subscribe(request: SubscribeRequest, context: CallContext, sink: EventSink): EventSource {
    return new OutgoingSubscription(this.#link, this.#outgoing, context, request, sink);
  }

  submit(request: JobRequest, context: CallContext, submitter: Submitter): SubmittedJob {
    const submission = new OutgoingSubmission(this.#link, this.#outgoing, context, request, submitter);
    this.#outgoing.start(submission);
    return submission;
  }

  consume(context: CallContext, taker: JobTaker): JobFeed {
    return new OutgoingConsumer(this.#link, this.#outgoing, context, taker);
  }

  /** A notification, handed over now or as soon as the session can. A failure at once is told before this returns. */
  notify(payload: Payload, context: CallContext, sent: () => void, failed: (error: RpcError) => void): void {
    this.#outgoing.start(new OutgoingNotification(this.#link, this.#outgoing, context, 0, payload, sent, failed));
  }
}

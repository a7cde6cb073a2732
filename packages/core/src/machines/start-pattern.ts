import type { CallContext } from "../words/call-context.ts";
import type { EventSink, EventSource, SubscribeRequest } from "../words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, SubmittedJob, Submitter } from "../words/work-queue.ts";
import { OutgoingConsumer } from "./outgoing-consumer.ts";
import { OutgoingSubmission } from "./outgoing-submission.ts";
import { OutgoingSubscription } from "./outgoing-subscription.ts";
import type { CallingSession } from "./session-parts.ts";

/** Subscribes at the peer of a session. */
export function subscribe(
  session: CallingSession,
  request: SubscribeRequest,
  context: CallContext,
  sink: EventSink,
): EventSource {
  return new OutgoingSubscription(session, session.outgoing, context, request, sink);
}

/** Puts a job into a queue of the peer. */
export function submit(
  session: CallingSession,
  request: JobRequest,
  context: CallContext,
  submitter: Submitter,
): SubmittedJob {
  const submission = new OutgoingSubmission(session, session.outgoing, context, request, submitter);
  session.outgoing.start(submission);
  return submission;
}

/** Takes jobs from a queue of the peer. */
export function consume(session: CallingSession, context: CallContext, taker: JobTaker): JobFeed {
  return new OutgoingConsumer(session, session.outgoing, context, taker);
}

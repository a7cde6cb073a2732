import type { CallOptions } from "../words/call-context.ts";
import { COPY, MADE_BY } from "../words/copy.ts";
import { IncomingConsumer } from "../machines/incoming-consumer.ts";
import { IncomingSubmission } from "../machines/incoming-submission.ts";
import { OutgoingNotification, OutgoingUnary } from "../machines/outgoing-call.ts";
import { consume, submit, subscribe } from "../machines/start-pattern.ts";
import { startStream } from "../machines/start-stream.ts";
import { StreamReceiver } from "../machines/stream-receiver.ts";
import { StreamSender } from "../machines/stream-sender.ts";
import { Single } from "../tools/single.ts";
import { startCall } from "./call-handle.ts";
import { ClientJob } from "./client-job.ts";
import { ClientEvent } from "./client-event.ts";
import { hostQueue } from "./jobs.ts";
import type { KindParts } from "./kind-parts.ts";
import { MethodCaller } from "./method-caller.ts";
import { asyncIterable, StreamCaller } from "./stream-caller.ts";

/*
 * One object for each kind of method, that `unary()` and its siblings put into what they define. A bundler follows these references and no
 * others: whoever names no event has no line of code for events.
 */

type Items = AsyncIterable<unknown> | Iterable<unknown>;

export const UNARY: KindParts = {
  [MADE_BY]: COPY,
  kind: "unary",
  Call: OutgoingUnary,
  client: (method, binding) => {
    const caller = new MethodCaller(method, binding);
    return Object.assign((input: unknown, options?: CallOptions) => caller.call(input, options, undefined), {
      start: (input: unknown, options?: CallOptions) => startCall(caller, input, options),
    });
  },
};

export const NOTIFICATION: KindParts = {
  [MADE_BY]: COPY,
  kind: "notification",
  Call: OutgoingNotification,
  client: (method, binding) => {
    const caller = new MethodCaller(method, binding);
    return (input: unknown, options?: CallOptions) => caller.call(input, options, undefined);
  },
};

const STREAM_ENDS = { Receiver: StreamReceiver, Sender: StreamSender };

export const SERVER_STREAM: KindParts = {
  [MADE_BY]: COPY,
  kind: "serverStream",
  stream: startStream,
  ends: STREAM_ENDS,
  client: (method, binding) => {
    const caller = new StreamCaller(method, binding);
    return (input: unknown, options?: CallOptions) => caller.stream(new Single(input), options);
  },
};

export const CLIENT_STREAM: KindParts = {
  [MADE_BY]: COPY,
  kind: "clientStream",
  stream: startStream,
  ends: STREAM_ENDS,
  client: (method, binding) => {
    const caller = new StreamCaller(method, binding);
    return (input: Items, options?: CallOptions) => caller.collect(input, options);
  },
};

export const BIDI_STREAM: KindParts = {
  [MADE_BY]: COPY,
  kind: "bidiStream",
  stream: startStream,
  ends: STREAM_ENDS,
  client: (method, binding) => {
    const caller = new StreamCaller(method, binding);
    return (input: Items, options?: CallOptions) => caller.stream(asyncIterable(input), options);
  },
};

export const EVENT: KindParts = {
  [MADE_BY]: COPY,
  kind: "event",
  subscribe,
  client: (method, { patterns, clock }) => new ClientEvent(method, patterns.topicPort, clock),
};

export const JOB: KindParts = {
  [MADE_BY]: COPY,
  kind: "job",
  submit,
  consume,
  accepted: { submit: IncomingSubmission, consume: IncomingConsumer },
  host: hostQueue,
  client: (method, { patterns, clock, validateInput }) =>
    new ClientJob(method, patterns.workQueue, clock, validateInput),
};

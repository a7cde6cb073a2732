import type { CallContext } from "../words/call-context.ts";
import type { CallBody } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor, MethodParts } from "../words/method.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, SubscribeRequest } from "../words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, SubmittedJob, Submitter } from "../words/work-queue.ts";
import type { IncomingPattern, PatternRegister } from "./incoming-pattern.ts";
import { type CallRegister, type OutgoingCall, OutgoingUnary } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";
import type { StreamReceiver } from "./stream-receiver.ts";
import type { StreamSender } from "./stream-sender.ts";

/** A session as its callers see it. */
export interface CallingSession extends SessionLink {
  readonly outgoing: CallRegister;
}

/** A call with one promise. */
type PromisedCall = new (
  link: SessionLink,
  register: CallRegister,
  context: CallContext,
  parentId: number,
  payload: Payload,
  resolve: (output: unknown) => void,
  reject: (error: RpcError) => void,
) => OutgoingCall;

interface StreamEnds {
  readonly Receiver: typeof StreamReceiver;
  readonly Sender: typeof StreamSender;
}

/** What the peer has here that is no call. */
type AcceptedPattern = new (
  link: SessionLink,
  register: PatternRegister,
  body: CallBody,
  method: MethodDescriptor,
  deadline: number | undefined,
  metadata: Metadata | undefined,
) => IncomingPattern;

/** What a session makes of the methods of one kind: each kind has the members that it is called by, and no others. */
export interface SessionParts extends MethodParts {
  readonly Call?: PromisedCall | undefined;
  readonly stream?: (
    session: CallingSession,
    input: AsyncIterable<unknown>,
    context: CallContext,
  ) => AsyncIterable<unknown>;
  /** The two ends of the streams of the peer's calls. */
  readonly ends?: StreamEnds | undefined;
  readonly subscribe?: (
    session: CallingSession,
    request: SubscribeRequest,
    context: CallContext,
    sink: EventSink,
  ) => EventSource;
  readonly submit?: (
    session: CallingSession,
    request: JobRequest,
    context: CallContext,
    submitter: Submitter,
  ) => SubmittedJob;
  readonly consume?: (session: CallingSession, context: CallContext, taker: JobTaker) => JobFeed;
  /** What the peer's consumers and submissions become. Its subscriptions come with what serves: pages that subscribe are many. */
  readonly accepted?: Readonly<Record<"consume" | "submit", AcceptedPattern>> | undefined;
}

/** What calls a method that is called by one promise. A descriptor that is written by hand may be that of a unary call. */
export function promisedCallOf(method: MethodDescriptor): PromisedCall {
  const { Call } = sessionPartsOf(method);
  if (Call !== undefined) return Call;
  if (method.kind === "unary") return OutgoingUnary;
  throw lacking(method);
}

/** The function of a method's parts that a port needs. Throws FAILED_PRECONDITION for a method of another kind, and for one that is written by hand. */
export function partOf<Name extends "stream" | "subscribe" | "submit" | "consume">(
  method: MethodDescriptor,
  name: Name,
): NonNullable<SessionParts[Name]> {
  const part = sessionPartsOf(method)[name];
  if (part === undefined) throw lacking(method);
  return part;
}

/** What a call of the peer has its streams by. */
export function streamEndsOf(method: MethodDescriptor): StreamEnds {
  const { ends } = sessionPartsOf(method);
  if (ends === undefined) throw lacking(method);
  return ends;
}

/** What a consumer or a submission of the peer becomes. */
export function acceptedPatternOf(method: MethodDescriptor, kind: "consume" | "submit"): AcceptedPattern {
  const { accepted } = sessionPartsOf(method);
  if (accepted === undefined) throw lacking(method);
  return accepted[kind];
}

function sessionPartsOf({ parts }: MethodDescriptor): SessionParts {
  // All parts there are come from this package, as `KindParts`.
  return parts ?? NO_PARTS;
}

const NO_PARTS: SessionParts = { kind: "unary" };

function lacking({ name, kind }: MethodDescriptor): RpcError {
  const message = `${name}, of kind ${kind}: its descriptor was written by hand without parts; take methodParts(kind) of @rpc/core/transport, or defineContract()`;
  return new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION", delivered: "no" });
}

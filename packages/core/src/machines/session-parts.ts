import type { CallContext } from "../words/call-context.ts";
import type { CallBody } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor, MethodParts } from "../words/method.ts";
import type { Payload } from "../words/payload.ts";
import { COPY, MADE_BY } from "../words/copy.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, SubscribeRequest } from "../words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, SubmittedJob, Submitter } from "../words/work-queue.ts";
import { noteCallError } from "../tools/call-errors.ts";
import { otherCopy } from "../tools/copies.ts";
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
  readonly Call?: PromisedCall;
  readonly stream?: (
    session: CallingSession,
    input: AsyncIterable<unknown>,
    context: CallContext,
  ) => AsyncIterable<unknown>;
  /** The two ends of the streams of the peer's calls. */
  readonly ends?: StreamEnds;
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
  readonly accepted?: Readonly<Record<"consume" | "submit", AcceptedPattern>>;
}

/** What calls a method that is called by one promise. A descriptor that is written by hand may be that of a unary call. */
export function promisedCallOf(method: MethodDescriptor): PromisedCall {
  const Call = sessionPartsOf(method)?.Call;
  if (Call !== undefined) return Call;
  if (method.kind === "unary") return OutgoingUnary;
  throw noteCallError(misfit(method));
}

/** The function of a method's parts that a port needs. Throws FAILED_PRECONDITION for a method of another kind, and for one that is written by hand. */
export function sessionPartOf<Name extends "stream" | "subscribe" | "submit" | "consume">(
  method: MethodDescriptor,
  name: Name,
): NonNullable<SessionParts[Name]> {
  const part = sessionPartsOf(method)?.[name];
  if (part === undefined) throw noteCallError(misfit(method));
  return part;
}

/** What a call of the peer has its streams by. */
export function streamEndsOf(method: MethodDescriptor, link: SessionLink): StreamEnds {
  return sessionPartsOf(method)?.ends ?? unserved(method, link);
}

/** What a consumer or a submission of the peer becomes. */
export function acceptedPatternOf(
  method: MethodDescriptor,
  kind: "consume" | "submit",
  link: SessionLink,
): AcceptedPattern {
  return sessionPartsOf(method)?.accepted?.[kind] ?? unserved(method, link);
}

/** Throws FAILED_PRECONDITION for parts of another kind, and for those of another copy of this package. Asked where a method is bound, not at calls. */
export function checkParts({ name, kind, parts }: Pick<MethodDescriptor, "name" | "kind" | "parts">): void {
  if (parts === undefined) return;
  if (parts[MADE_BY] !== COPY) throw otherCopy(name);
  if (parts.kind !== kind) throw unfit(`${name} is of kind ${kind}, but has the parts of kind ${parts.kind}`);
}

/** What is said when a method's parts lack something. */
export function misfit({ name, kind, parts }: MethodDescriptor): RpcError {
  const way =
    kind === "event" ? "topicPort" : kind === "job" ? "workQueue" : kind.endsWith("Stream") ? "stream" : "call";
  return unfit(
    parts === undefined
      ? `${name}, of kind ${kind}, has no parts: its descriptor was written by hand, or made by an older @rpc/core; take methodParts(kind) of @rpc/core/transport, or defineContract()`
      : `${name} is of kind ${kind}: use ${way} of the transport for it`,
  );
}

function sessionPartsOf({ parts }: MethodDescriptor): SessionParts | undefined {
  // Those of another copy were refused where the method was bound; this copy's are all `KindParts`.
  return parts;
}

/** The peer can do nothing about it: it is told that it is so, and this end why. */
function unserved(method: MethodDescriptor, link: SessionLink): never {
  link.report(misfit(method));
  const reason = "METHOD_NOT_FOUND";
  throw new RpcError("UNIMPLEMENTED", `${method.name} is not served here`, { reason, delivered: "no" });
}

function unfit(message: string): RpcError {
  return new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION", delivered: "no" });
}

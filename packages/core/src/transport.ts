/**
 * The implementors' door: what a transport package, a codec or a test suite is made of. Users find theirs at `@rpc/core`.
 */
export type { CallContext, CallOptions, CancelListener, LogLevel, LogLine } from "./words/call-context.ts";
export { type Capabilities, type Capability, gapOf, type Support, type Unsupported } from "./words/capabilities.ts";
export type { ProofCrypto } from "./words/proof-crypto.ts";
export type { Compression } from "./words/compression.ts";
export type {
  CallerCredentials,
  ChannelBinding,
  ListenerCredentials,
  Secret,
  SecretLookup,
  Secrets,
  ShownCredentials,
} from "./words/credentials.ts";
export type { Channel, ChannelSecurity, ChannelSink } from "./words/channel.ts";
export { type Clock, MAX_TIMER_MS, systemClock } from "./words/clock.ts";
export { type Contract, DESCRIPTOR, type MessageType } from "./words/contract.ts";
export {
  type AnnouncedLimits,
  type Binding,
  BINDINGS,
  Body,
  CALL_KINDS,
  type CallBody,
  type CallKind,
  type CancelBody,
  type ChallengeBody,
  type CompressedBody,
  type CreditBody,
  type DrainBody,
  type EndBody,
  type Envelope,
  type FailBody,
  type GoodbyeBody,
  type HelloBody,
  type ItemBody,
  type ItemExtra,
  type MetadataEntries,
  type NotifyBody,
  type Outcome,
  OUTCOMES,
  type PingBody,
  type ProgressBody,
  type ProofBody,
  type ReceivedPayload,
  RESUME_REFUSALS,
  type ResultBody,
  type ResumeRefusal,
  type ResumeRequest,
  type SettleBody,
  type UnknownBody,
  type WelcomeBody,
  type WireError,
} from "./words/envelope.ts";
export type { Counts, EnvelopeCodec } from "./words/envelope-codec.ts";
export { DEFAULT_LIMITS, resolveLimits, type SessionLimits } from "./words/limits.ts";
export type { BinaryMessageCodec, JsonMessageCodec, MessageCodec, PayloadFormat } from "./words/message-codec.ts";
export { Metadata } from "./words/metadata.ts";
export type { ContractDescriptor, MessageShape, MethodDescriptor, MethodKind, MethodParts } from "./words/method.ts";
export { EncodedPayload, type Payload, ValuePayload } from "./words/payload.ts";
export type { Peer } from "./words/peer.ts";
export { RpcError, withoutTrace } from "./words/rpc-error.ts";
export { STATUS_NUMBERS, type StatusCode, statusFromNumber } from "./words/status.ts";
export type {
  Awaitable,
  CallPort,
  CloseOptions,
  Handler,
  Interceptor,
  Listener,
  ListenerEvents,
  PatternPorts,
  ServingHalf,
  Transport,
} from "./words/transport.ts";
export { SERVING } from "./words/transport.ts";
export type { Dial, DialOutcome } from "./machines/dialer.ts";
export { Backoff, type BackoffOptions } from "./tools/backoff.ts";
export type {
  CarriedEvent,
  EventSink,
  EventSource,
  OverflowPolicy,
  SubscribeRequest,
  TopicPort,
} from "./words/topics.ts";
export type {
  JobDelivery,
  JobFeed,
  JobRequest,
  JobTaker,
  Settlement,
  SubmittedJob,
  Submitter,
  WorkQueue,
} from "./words/work-queue.ts";
export { shown } from "./tools/bytes.ts";
export { isCallError, noteCallError } from "./tools/call-errors.ts";
export { CallScope } from "./tools/call-scope.ts";
export { DeadlineSweep, type Expiring } from "./tools/deadline-sweep.ts";
export { jsonEnvelopeCodec } from "./tools/json-envelope-codec.ts";
export { outcomeOf, retryDelayOf } from "./tools/job-errors.ts";
export { allocateBytes, readUtf8, utf8Length, writeUtf8 } from "./tools/utf8.ts";
export { decodePayload } from "./tools/payloads.ts";
export { isPromiseLike } from "./tools/promise-like.ts";
export {
  systemErrorCode,
  systemErrors,
  type SystemMeaning,
  type SystemMeanings,
  type Undertaking,
} from "./tools/system-errors.ts";
export { errorFromWire, wireErrorOf } from "./tools/wire-error.ts";
export { type BatchTarget, LARGE_BYTES, type Slab, WriteBatch } from "./tools/write-batch.ts";
export { dynamicCodec } from "./tools/json-message-codec.ts";
export { createMemoryChannelPair } from "./machines/memory-channel.ts";
export { descriptorOf } from "./face/contract.ts";
export { guarded, type GuardOptions } from "./face/guarded.ts";
export { methodParts } from "./face/method-parts.ts";
export { servingHalf } from "./face/serving.ts";
export {
  createSessionListener,
  type ListenerSessionOptions,
  type SessionListener,
  type SessionListenerOptions,
} from "./face/session-listener.ts";
export {
  type CallerSessionOptions,
  createSessionTransport,
  type SessionLimitOptions,
  type SessionTransport,
  type SessionTransportOptions,
  type TransportEvents,
  type TransportStatus,
} from "./face/session-transport.ts";

/**
 * One typed contract, called in the same way over every transport. This is the users' door; who writes a transport finds the other one
 * at `@rpc/core/transport`.
 */
export { Metadata, type MetadataInit } from "./words/metadata.ts";
export { type Delivered, RpcError, type RpcErrorOptions } from "./words/rpc-error.ts";
export { isStatusCode, type StatusCode } from "./words/status.ts";
export type { CallContext, CallOptions, HandlerContext, LogLevel, LogLine } from "./words/call-context.ts";
export type { Capabilities, Capability, Support, Unsupported } from "./words/capabilities.ts";
export type {
  CallerCredentials,
  ChannelBinding,
  ListenerCredentials,
  Secret,
  SecretLookup,
  Secrets,
  ShownCredentials,
} from "./words/credentials.ts";
export type {
  BroadcastOptions,
  BroadcastReport,
  CallAllOptions,
  PeerFailure,
  PeerReply,
  Peers,
} from "./words/broadcast.ts";
export { type Clock, systemClock } from "./words/clock.ts";
export type {
  CallHandle,
  CallState,
  ClientMethod,
  ClientOf,
  Contract,
  ContractMethod,
  DEFINITION,
  ErrorSchemas,
  HostedQueue,
  ImplementationOf,
  JobHandler,
  MessageType,
  MethodDefinition,
  MethodDefinitions,
  MethodHandler,
  MethodsOf,
  ReceivedBy,
  RouterMember,
  RouterOf,
  Schema,
  SentBy,
  Streamable,
  WorkQueueOptions,
} from "./words/contract.ts";
export type { MethodKind, MethodParts } from "./words/method.ts";
export type { Peer } from "./words/peer.ts";
export type {
  EventClient,
  EventListener,
  EventPublisher,
  OverflowPolicy,
  PublishOptions,
  PublishReport,
  SubscribeOptions,
  Subscription,
  TopicEvent,
  TopicGap,
  TopicPort,
} from "./words/topics.ts";
export type {
  ConsumeOptions,
  Consumer,
  DeadJob,
  JobClient,
  JobContext,
  JobDesk,
  SubmitOptions,
  Ticket,
  WorkQueue,
} from "./words/work-queue.ts";
export type { StandardSchema } from "./words/standard-schema.ts";
export type {
  Awaitable,
  CallHandler,
  CallPort,
  CloseOptions,
  Handler,
  Interceptor,
  Listener,
  ListenerEvents,
  PatternPorts,
  SERVING,
  ServingHalf,
  StreamHandler,
  Transport,
} from "./words/transport.ts";
export {
  bidiStream,
  clientStream,
  defineContract,
  event,
  job,
  type MethodOptions,
  type NoErrors,
  notification,
  serverStream,
  unary,
} from "./face/contract.ts";
export { allowLists, type Authorize, authorized } from "./face/authorized.ts";
export type { Act } from "./face/authorized-ports.ts";
export { type ClientOptions, createClient } from "./face/client.ts";
export { balance, type BalanceOptions, type BalanceStrategy } from "./face/compose/balance.ts";
export {
  circuitBreaker,
  type CircuitBreaker,
  type CircuitBreakerEvents,
  type CircuitBreakerOptions,
} from "./face/compose/circuit-breaker.ts";
export { failover, type FailoverOptions } from "./face/compose/failover.ts";
export { hedge, type HedgePolicy } from "./face/compose/hedge.ts";
export { callBackBy, pair, type PairOptions } from "./face/compose/pair.ts";
export { reconnecting, type ReconnectingOptions } from "./face/compose/reconnecting.ts";
export { retry, type RetryPolicy, withRetry } from "./face/compose/retry.ts";
export {
  connectDynamic,
  type DynamicConnection,
  type DynamicConnectionEvents,
  type DynamicConnectionOptions,
} from "./face/dynamic/connect-dynamic.ts";
export type { Registrable } from "./face/dynamic/command-registry.ts";
export { type DynamicRouter, dynamicRouter, type DynamicRouterOptions } from "./face/dynamic/dynamic-router.ts";
export { type AnyFunction, expose, type ExposeDecorator, type ExposeOptions } from "./face/dynamic/expose.ts";
export { type ErrorClass, RemoteError } from "./face/dynamic/remote-error.ts";
export {
  dynamicPeer,
  type DynamicPeer,
  type Rpc,
  type RpcNotify,
  type RpcOptions,
  rpcTo,
} from "./face/dynamic/rpc-to.ts";
export { forward } from "./face/forward.ts";
export { Health, health, type HealthHandler, type HealthState } from "./face/health.ts";
export { createMemoryTransport, type MemoryTransport, type MemoryTransportOptions } from "./face/memory-transport.ts";
export type { CallOutcome, CallSide } from "./face/observe/call-probe.ts";
export {
  type CallLogFields,
  type CallLogger,
  type CallLogLevel,
  logCalls,
  type LogCallsOptions,
} from "./face/observe/log-calls.ts";
export {
  type CallEndListener,
  type CallReading,
  createMetrics,
  DURATION_BUCKETS_MS,
  type DurationReading,
  type Gauge,
  measureCalls,
  type Metrics,
  type MetricsOptions,
  type MetricsReading,
  type MetricsSource,
} from "./face/observe/metrics.ts";
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from "./face/observe/prometheus.ts";
export { traceContext, type TraceContextOptions } from "./face/observe/trace-context.ts";
export { parseTraceparent, type TraceParent } from "./face/observe/trace-parent.ts";
export { type ContractListing, type MethodListing, Reflection, reflection } from "./face/reflection.ts";
export type { BackoffOptions } from "./tools/backoff.ts";
export type { RetryBudgetOptions } from "./tools/retry-budget.ts";
export type { CircuitState } from "./machines/circuit.ts";
export { replyCache, type ReplyCacheOptions } from "./face/reply-cache.ts";
export { rejectJob, retryJob } from "./tools/job-errors.ts";
export { workQueue } from "./face/jobs.ts";
export { createRouter, mergeRouters, routerMember, type RouterOptions } from "./face/router.ts";
export type {
  CallerSessionOptions,
  SessionLimitOptions,
  SessionTransport,
  TransportEvents,
  TransportStatus,
} from "./face/session-transport.ts";
export type { ListenerSessionOptions, SessionListener } from "./face/session-listener.ts";

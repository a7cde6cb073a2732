/**
 * One typed contract, called in the same way over every transport. This is the users' door; who writes a transport finds the other one
 * at `@rpc/core/transport`.
 */
export { Metadata, type MetadataInit } from "./words/metadata.ts";
export { type Delivered, RpcError, type RpcErrorOptions } from "./words/rpc-error.ts";
export { isStatusCode, type StatusCode } from "./words/status.ts";
export type { CallContext, CallOptions, HandlerContext, LogLevel, LogLine } from "./words/call-context.ts";
export type { Capabilities, Capability, Support, Unsupported } from "./words/capabilities.ts";
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
  ImplementationOf,
  JobHandler,
  MessageType,
  MethodDefinition,
  MethodDefinitions,
  MethodHandler,
  MethodsOf,
  ReceivedBy,
  Schema,
  SentBy,
  Streamable,
} from "./words/contract.ts";
export type { MethodKind } from "./words/method.ts";
export type { Peer } from "./words/peer.ts";
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
export { type ClientOptions, createClient } from "./face/client.ts";
export { forward } from "./face/forward.ts";
export { Health, health, type HealthHandler, type HealthState } from "./face/health.ts";
export { createMemoryTransport, type MemoryTransport, type MemoryTransportOptions } from "./face/memory-transport.ts";
export { type ContractListing, type MethodListing, Reflection, reflection } from "./face/reflection.ts";
export { createRouter, mergeRouters, type RouterOptions } from "./face/router.ts";
export type { SessionLimitOptions, SessionTransport, TransportEvents } from "./face/session-transport.ts";
export type { SessionListener } from "./face/session-listener.ts";

/** Calls that wait in a database table for a peer that is not there. */
export type { DbQueueAgentOptions } from "./agent/agent-options.ts";
export { type DbQueueAgent, serveDbQueue } from "./agent/serve-db-queue.ts";
export { type Target, withTarget } from "./agent/with-target.ts";
export { CommandFailure } from "./command/command-failure.ts";
export type { CommandEvent } from "./command/event.ts";
export type { Span } from "./command/span.ts";
export type { AgentOutcome } from "./issuer/broadcast.ts";
export { createDbQueue, createDbQueueTransport } from "./issuer/create-db-queue.ts";
export type { DbQueue, DbQueueOptions } from "./issuer/db-queue.ts";
export type { DynamicProxy } from "./issuer/dynamic-proxy.ts";
export type { DbQueueEvents } from "./issuer/engine.ts";
export type { CommandHandle } from "./issuer/handle.ts";
export type { KeepEvents, ProxyOptions, SendOptions } from "./issuer/options.ts";
export type { ReaperOptions } from "./issuer/reaper.ts";
export type { QueueTransaction } from "./issuer/transaction.ts";
export type { PostgresStoreOptions } from "./postgres/options.ts";
export { type ModelTrigger, modelTrigger, type ModelTriggerOptions } from "./postgres/model-trigger.ts";
export { createPostgresStore } from "./postgres/postgres-store.ts";
export { createRemoteStore, type RemoteStoreOptions } from "./remote/create-remote-store.ts";
export { CommandService } from "./service/command-contract.ts";
export {
  createCommandService,
  type CommandServiceHandler,
  type CommandServiceOptions,
} from "./service/create-command-service.ts";
export { createLegacyVerbs, type LegacyVerbs, type LegacyVerbsOptions } from "./service/create-legacy-verbs.ts";
export type { CallerRights, RightsLookup } from "./service/rights.ts";
export type { SqliteStoreOptions } from "./sqlite/options.ts";
export { createSqliteStore } from "./sqlite/sqlite-store.ts";
export type { QueueStore } from "./store/store.ts";
export type {
  AddressRow,
  AgentRow,
  CommandFilter,
  CommandRow,
  CommandState,
  QueueStats,
  Reaped,
  Retention,
} from "./store/store-words.ts";

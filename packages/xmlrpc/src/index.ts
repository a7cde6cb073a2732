export { accounts, type AccountsOptions } from "./databases/accounts.ts";
export type { AdminCall, AdminFunctions, MasterPassword, ServerVersion } from "./databases/admin.ts";
export type { Convention } from "./databases/conventions.ts";
export {
  type Database,
  databaseCall,
  type DatabaseCall,
  type DatabaseDirectory,
  type DatabaseMap,
} from "./databases/database-call.ts";
export { databases, type Databases, type DatabasesOptions } from "./databases/databases.ts";
export { AccessDenied, AccessError, MissingError, UserError, ValidationError } from "./exceptions.ts";
export type { LegacyOptions } from "./databases/legacy.ts";
export {
  type Around,
  isSerializationFailure,
  serializationFailure,
  type TransactionCall,
} from "./databases/transactions.ts";
export { batch } from "./client/batch.ts";
export type {
  XmlRpcParamsForm,
  XmlRpcAuth,
  XmlRpcProtocol,
  XmlRpcTlsOptions,
  XmlRpcTransportOptions,
} from "./client/options.ts";
export {
  type AnyNames,
  type XmlRpcCallOptions,
  type XmlRpcMethod,
  type XmlRpcProxy,
  xmlRpcProxy,
  type XmlRpcProxyTools,
} from "./client/proxy.ts";
export { type NamedValues, rpc2, type Rpc2Database, type Rpc2Model, type Rpc2State } from "./client/rpc2.ts";
export type { Sequence } from "./client/sequence.ts";
export { createXmlRpcTransport, type XmlRpcTransport } from "./client/transport.ts";
export { createDocumentCodec } from "./codec/create-document-codec.ts";
export type { DecodedCall, DecodedReply, DocumentCodec } from "./codec/document-codec.ts";
export { type Fault, FaultCode, FaultError } from "./fault.ts";
export {
  type ErrorClass,
  errorOf,
  type FaultMapping,
  faultOf,
  type StatusHeaders,
  statusHeaders,
} from "./fault-mapping.ts";
export type { BigIntPolicy, DocumentLimits, DocumentOptions, ProfileName } from "./profiles.ts";
export {
  type DateTimeParts,
  Decimal,
  Double,
  type Marshallable,
  type RecordId,
  Records,
  XmlRpcDateTime,
  type Zone,
} from "./values.ts";
export { constantTimeEqual } from "./http/constant-time.ts";
export type { Authenticate } from "./http/credential-check.ts";
export type { HttpExchange, ShownCredentials } from "./http/exchange.ts";
export type { AuthFailureLimits } from "./http/failure-limit.ts";
export type { FetchInfo } from "./http/fetch-adapter.ts";
export type { Served } from "./server/open-desk.ts";
export type { XmlRpcHandlerOptions, XmlRpcListenerOptions } from "./server/options.ts";
export { serveXmlRpc } from "./server/serve.ts";
export { HttpRefusal, type ServiceSource } from "./server/service.ts";
export { createXmlRpcHandler, type XmlRpcHandler } from "./server/xml-rpc-handler.ts";

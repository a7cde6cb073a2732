/** The door for generated code: what `rpc-proto-gen` writes imports from here and from `@rpc/core`, and from nowhere else. */
export { fieldError, MAX_DEPTH, memberOf, tooDeep, withinField, wrongField } from "./messages/field-error.ts";
export { emptyRecord, type MapEntryRules, readMapEntry, readRecordEntry } from "./messages/map-entries.ts";
export { isMapOrRecord } from "./messages/map-fields.ts";
export { definitionsOf, messageType, type ProtoMessage } from "./messages/message-types.ts";
export type { NestedCodec } from "./messages/nested.ts";
export { checkOneof } from "./messages/oneofs.ts";
export { checkEnd } from "./messages/reading.ts";
export { isInt64, isUint64, MUST_BE } from "./messages/scalars.ts";
export type { Definitions } from "./model/definitions.ts";
export type { ProtoReader } from "./reader.ts";
export type { UnknownEnumNumber } from "./messages/enums.ts";
export {
  anyCodec,
  boolValueCodec,
  bytesValueCodec,
  doubleValueCodec,
  type Empty,
  emptyCodec,
  floatValueCodec,
  int32ValueCodec,
  int64ValueCodec,
  type PackedAny,
  stringValueCodec,
  uint32ValueCodec,
  uint64ValueCodec,
} from "./well-known.ts";
export { type JsonObject, type JsonValue, listValueCodec, structCodec, valueCodec } from "./well-known-json.ts";
export { durationCodec, timestampCodec } from "./well-known-time.ts";
export type { ProtoWriter } from "./writer.ts";

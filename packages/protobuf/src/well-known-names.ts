/** The messages of google/protobuf/*.proto that have a value of their own in TypeScript. */
export const WELL_KNOWN_TYPES: ReadonlyMap<string, string> = new Map([
  ["google.protobuf.Timestamp", "Date"],
  ["google.protobuf.Duration", "number"],
  ["google.protobuf.Struct", "JsonObject"],
  ["google.protobuf.Value", "JsonValue"],
  ["google.protobuf.ListValue", "readonly JsonValue[]"],
  ["google.protobuf.Any", "PackedAny"],
  ["google.protobuf.Empty", "Empty"],
  ["google.protobuf.DoubleValue", "number"],
  ["google.protobuf.FloatValue", "number"],
  ["google.protobuf.Int64Value", "bigint"],
  ["google.protobuf.UInt64Value", "bigint"],
  ["google.protobuf.Int32Value", "number"],
  ["google.protobuf.UInt32Value", "number"],
  ["google.protobuf.BoolValue", "boolean"],
  ["google.protobuf.StringValue", "string"],
  ["google.protobuf.BytesValue", "Uint8Array"],
]);

/** Numbers in rpc/v1/options.proto that foreign .proto files rely on. */
export const OPTIONS_PROTO_NUMBERS: readonly (readonly [string, number])[] = [
  ["service_id", 50_000],
  ["method_id", 50_000],
  ["pattern", 50_001],
  ["idempotent", 50_002],
  ["method", 50_003],
];

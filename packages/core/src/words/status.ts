/**
 * The sixteen error codes of gRPC, with their numbers on the wire (0, OK, never travels as an error).
 * The code decides what programs do; the `reason` beside it decides what people read.
 * Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
 */
export const STATUS_NUMBERS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** One of the sixteen error codes. */
export type StatusCode = keyof typeof STATUS_NUMBERS;

const CODES_BY_NUMBER: ReadonlyMap<number, StatusCode> = new Map(
  Object.entries(STATUS_NUMBERS).map(([code, number]) => [number, code as StatusCode]),
);

/** The code with this number, or UNKNOWN for a number outside the list. */
export function statusFromNumber(number: number): StatusCode {
  return CODES_BY_NUMBER.get(number) ?? "UNKNOWN";
}

/** Whether a value is one of the sixteen codes. */
export function isStatusCode(value: unknown): value is StatusCode {
  return typeof value === "string" && Object.hasOwn(STATUS_NUMBERS, value);
}

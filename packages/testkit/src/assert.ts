import { RpcError, type StatusCode } from "@rpc/core";

/** What a failed expectation throws. The suites bring their own assertions so that they run wherever core runs. */
export class ExpectationFailed extends Error {
  override readonly name: string = "ExpectationFailed";
}

/** What a case throws that has nothing to prove on this transport. */
export class SetAside extends Error {
  override readonly name: string = "SetAside";
}

/** Ends the case as not applicable, with the sentence. */
export function setAside(sentence: string): never {
  throw new SetAside(sentence);
}

/** Fails the case unless the condition holds. */
export function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ExpectationFailed(message);
}

/** Fails the case. */
export function fail(message: string): never {
  throw new ExpectationFailed(message);
}

/** Deep equality of dynamic values: bytes by content, dates by instant, NaN equals NaN, 0 differs from −0, prototypes do not count. */
export function equal(actual: unknown, expected: unknown, place: string): void {
  const difference = differenceOf(actual, expected, place);
  if (difference !== undefined) throw new ExpectationFailed(difference);
}

/** What an error is expected to be; what is left out may be anything. */
export interface ExpectedError {
  readonly code: StatusCode | readonly StatusCode[];
  readonly reason?: string;
  /** A part of the message. */
  readonly message?: string;
  readonly delivered?: "no" | "unknown";
}

/** Awaits the rejection and gives it back; anything but an RpcError of the expected kind fails the case. */
export async function rejects(
  promise: PromiseLike<unknown>,
  expected: ExpectedError,
  place: string,
): Promise<RpcError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (caught) {
    return expectError(caught, expected, place);
  }
  return fail(`${place}: expected ${codesOf(expected)}, but it succeeded with ${show(value)}`);
}

/** The same for a function that throws at once. */
export function throws(run: () => unknown, expected: ExpectedError, place: string): RpcError {
  let value: unknown;
  try {
    value = run();
  } catch (caught) {
    return expectError(caught, expected, place);
  }
  return fail(`${place}: expected a throw of ${codesOf(expected)}, but it returned ${show(value)}`);
}

/** Holds a caught value to what was expected, and gives it back as an RpcError. */
export function expectError(caught: unknown, expected: ExpectedError, place: string): RpcError {
  if (caught instanceof ExpectationFailed) throw caught;
  if (!(caught instanceof RpcError)) fail(`${place}: expected an RpcError ${codesOf(expected)}, got ${show(caught)}`);
  const codes: readonly string[] = typeof expected.code === "string" ? [expected.code] : expected.code;
  const got = `${caught.code}${caught.reason === undefined ? "" : `/${caught.reason}`} "${cut(caught.message)}"`;
  check(codes.includes(caught.code), `${place}: expected ${codesOf(expected)}, got ${got}`);
  if (expected.reason !== undefined) {
    check(caught.reason === expected.reason, `${place}: expected reason ${expected.reason}, got ${got}`);
  }
  if (expected.message !== undefined) {
    check(
      caught.message.includes(expected.message),
      `${place}: expected a message with "${expected.message}", got ${got}`,
    );
  }
  if (expected.delivered !== undefined) {
    check(
      caught.delivered === expected.delivered,
      `${place}: expected delivered "${expected.delivered}", got "${String(caught.delivered)}" in ${got}`,
    );
  }
  return caught;
}

/** A value in one short line, whatever it is. */
export function show(value: unknown): string {
  if (value instanceof RpcError) return `RpcError ${value.code} "${cut(value.message)}"`;
  if (value instanceof Error) return `${value.name} "${cut(value.message)}"`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Date) return `Date ${value.getTime()}`;
  return Array.isArray(value)
    ? `a list of ${value.length}`
    : `a record of ${Object.keys(value).slice(0, 8).join(", ")}`;
}

function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text;
}

function codesOf(expected: ExpectedError): string {
  return typeof expected.code === "string" ? expected.code : expected.code.join(" or ");
}

function differenceOf(actual: unknown, expected: unknown, place: string): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  const different = `${place}: expected ${show(expected)}, got ${show(actual)}`;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return different;
  }
  if (expected instanceof Uint8Array) return bytesEqual(actual, expected) ? undefined : different;
  if (expected instanceof Date) {
    return actual instanceof Date && Object.is(actual.getTime(), expected.getTime()) ? undefined : different;
  }
  if (actual instanceof Uint8Array || actual instanceof Date) return different;
  if (Array.isArray(actual) !== Array.isArray(expected)) return different;
  return memberDifference(actual as Record<string, unknown>, expected as Record<string, unknown>, place);
}

function memberDifference(
  actual: Record<string, unknown>,
  expected: Record<string, unknown>,
  place: string,
): string | undefined {
  const keys = Object.keys(expected);
  const surplus = Object.keys(actual).find((key) => !Object.hasOwn(expected, key));
  if (surplus !== undefined) return `${place}: unexpected member ${JSON.stringify(surplus)}`;
  for (const key of keys) {
    if (!Object.hasOwn(actual, key)) return `${place}: member ${JSON.stringify(key)} is missing`;
    const difference = differenceOf(actual[key], expected[key], `${place}.${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function bytesEqual(actual: unknown, expected: Uint8Array): boolean {
  if (!(actual instanceof Uint8Array) || actual.length !== expected.length) return false;
  for (let i = 0; i < expected.length; i += 1) if (actual[i] !== expected[i]) return false;
  return true;
}

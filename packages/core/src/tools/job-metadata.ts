import type { MetadataEntries } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { JobRequest } from "../words/work-queue.ts";

/** What a submitter says about its job beside the input, and the time that a consumer has for it. They travel as metadata. */
const DELAY = "rpc-job-delay-ms";
const PRIORITY = "rpc-job-priority";
const KEY = "rpc-job-key";
const MAX_ATTEMPTS = "rpc-job-max-attempts";
const DEADLINE = "rpc-job-deadline-ms";

const MAX_DELAY_MS = Number.MAX_SAFE_INTEGER / 2;
const MAX_PRIORITY = 1_000_000;
const MAX_KEY_LENGTH = 256;
const MOST_ATTEMPTS = 1_000_000;

export type JobOptions = Omit<JobRequest, "method" | "input">;

/** Proves what a submitter asks for, whether it came from a program or from a peer. Throws INVALID_ARGUMENT. */
export function checkJobOptions(
  options: { readonly [Name in keyof JobOptions]?: JobOptions[Name] | undefined },
  method: MethodDescriptor,
): JobOptions {
  const { delayMs = 0, priority = 0, key, maxAttempts } = options;
  const { name } = method;
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) throw wrong(name, "delayMs", "a number of at least 0", delayMs);
  if (!Number.isInteger(priority) || Math.abs(priority) > MAX_PRIORITY)
    throw wrong(name, "priority", `a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`, priority);
  if (key !== undefined && (typeof key !== "string" || key === "" || key.length > MAX_KEY_LENGTH))
    throw wrong(name, "key", `text of 1 to ${MAX_KEY_LENGTH} characters`, typeof key);
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= MOST_ATTEMPTS))
    throw wrong(name, "maxAttempts", "a whole number of at least 1", maxAttempts);
  return { delayMs, priority, key, maxAttempts };
}

/** Says options in the metadata of a submission; defaults are not said. */
export function sayJobOptions(metadata: () => Metadata, { delayMs, priority, key, maxAttempts }: JobOptions): void {
  if (delayMs > 0) metadata().set(DELAY, String(delayMs));
  if (priority !== 0) metadata().set(PRIORITY, String(priority));
  if (key !== undefined) metadata().set(KEY, key);
  if (maxAttempts !== undefined) metadata().set(MAX_ATTEMPTS, String(maxAttempts));
}

/** Takes the options out of the metadata that came with a submission. Throws INVALID_ARGUMENT. */
export function takeJobOptions(metadata: Metadata | undefined, method: MethodDescriptor): JobOptions {
  if (metadata === undefined) return NO_OPTIONS;
  const options = {
    delayMs: takeNumber(metadata, DELAY),
    priority: takeNumber(metadata, PRIORITY),
    key: metadata.get(KEY),
    maxAttempts: takeNumber(metadata, MAX_ATTEMPTS),
  };
  metadata.delete(KEY);
  return checkJobOptions(options, method);
}

const NO_OPTIONS: JobOptions = { delayMs: 0, priority: 0, key: undefined, maxAttempts: undefined };

/** Metadata of a delivery, with the time that is left. */
export function deliveryMetadata(
  metadata: MetadataEntries | undefined,
  remainingMs: number | undefined,
): MetadataEntries | undefined {
  if (remainingMs === undefined) return metadata;
  const entries: (readonly [string, string])[] = metadata === undefined ? [] : [...metadata];
  entries.push([DEADLINE, String(Math.max(0, Math.ceil(remainingMs)))]);
  return entries;
}

/** The time that is left, taken out of the metadata of a delivery. */
export function takeRemainingMs(metadata: Metadata): number | undefined {
  const remainingMs = takeNumber(metadata, DEADLINE);
  return remainingMs !== undefined && remainingMs >= 0 ? remainingMs : undefined;
}

/** NaN for what is no number, so that it is refused where its range is checked. */
function takeNumber(metadata: Metadata, key: string): number | undefined {
  const text = metadata.get(key);
  if (text === undefined) return undefined;
  metadata.delete(key);
  return text.trim() === "" ? Number.NaN : Number(text);
}

function wrong(name: string, what: string, due: string, got: unknown): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${name}: ${what} must be ${due}, got ${String(got)}`, {
    reason: "INVALID_ARGUMENT",
  });
}

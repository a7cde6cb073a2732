import { RpcError } from "../../words/rpc-error.ts";
import { shown } from "../../tools/bytes.ts";

/** A class of errors that is told apart at the far end, by its name. */
export type ErrorClass = abstract new (...args: never[]) => Error;

const REASON = "REMOTE_ERROR";
const MAX_NAME_LENGTH = 100;

/**
 * What a function at the far end threw, when it was no RpcError: code UNKNOWN, reason `REMOTE_ERROR`. `remoteStack` is there when the far
 * end has `exposeStacks`.
 */
export class RemoteError extends RpcError {
  /** The name of its class there, such as `ValueError`. */
  readonly remoteName: string;
  /** Its message, without the name in front. */
  readonly remoteMessage: string;

  constructor(remoteName: string, arrived: RpcError) {
    const { code, message, reason, details, delivered, retryable, remoteStack } = arrived;
    super(code, `${remoteName}: ${message}`, { reason, details, delivered, retryable, remoteStack });
    this.remoteName = remoteName;
    this.remoteMessage = message;
  }

  static {
    Object.defineProperty(this.prototype, "name", { value: "RemoteError", configurable: true, writable: true });
  }
}

/** What goes to the caller for what a function threw. An RpcError stays itself, and so does a signal's or a timer's error. */
export function wordsForThrown(thrown: unknown): RpcError {
  // Passed on from a third party: the caller hears of it as if it had called there.
  if (thrown instanceof RemoteError) return remoteError(thrown.remoteName, thrown.remoteMessage, thrown);
  const error = RpcError.from(thrown);
  if (error === thrown || error.code !== "UNKNOWN") return error;
  return remoteError(nameOf(thrown), error.message, thrown);
}

function remoteError(name: string, message: string, cause: unknown): RpcError {
  return new RpcError("UNKNOWN", message, { reason: REASON, details: { name }, cause });
}

/** A class that sets no name of its own still has the one that it was declared by. */
function nameOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return "Error";
    const name: unknown = thrown.name === "Error" ? thrown.constructor.name : thrown.name;
    return typeof name === "string" && name !== "" ? shown(name.toWellFormed(), MAX_NAME_LENGTH) : "Error";
  } catch {
    // A getter that throws (hostile inputs H91).
    return "Error";
  }
}

/** Names of classes to the classes; throws INVALID_ARGUMENT for what is no class of errors, and for a name that is there twice. */
export function errorClassesByName(classes: readonly ErrorClass[]): ReadonlyMap<string, ErrorClass> {
  const byName = new Map<string, ErrorClass>();
  for (const known of classes) {
    const name = typeof known === "function" ? known.name : "";
    if (name === "" || !(known.prototype instanceof Error) || known.prototype instanceof RpcError)
      throw refused(`errors: ${String(name || known)} must be a class that extends Error and has a name`);
    if (byName.has(name)) throw refused(`errors: there are two classes with the name ${name}`);
    byName.set(name, known);
  }
  return byName;
}

/** What a caller sees of an error that came in: itself, a {@link RemoteError}, or an instance of the class that it knows by that name. */
export function errorForCaller(caught: unknown, known: ReadonlyMap<string, ErrorClass>): unknown {
  if (!(caught instanceof RpcError) || caught.code !== "UNKNOWN" || caught.reason !== REASON) return caught;
  const { details } = caught;
  const name: unknown =
    typeof details === "object" && details !== null && Object.hasOwn(details, "name")
      ? (details as { readonly name?: unknown }).name
      : undefined;
  if (typeof name !== "string") return caught;
  const error = new RemoteError(shown(name, MAX_NAME_LENGTH), caught);
  const own = known.get(name);
  if (own === undefined) return error;
  // The constructor is not run: nobody here knows its arguments. What is made is an error of that class by all signs, and an RpcError too.
  Object.defineProperties(error, {
    name: { value: name, configurable: true, writable: true, enumerable: false },
    message: { value: error.remoteMessage, configurable: true, writable: true, enumerable: false },
    [Symbol.for("@rpc/core/RpcError")]: { value: true },
  });
  return Object.setPrototypeOf(error, own.prototype as object) as unknown;
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

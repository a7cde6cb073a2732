import {
  type Contract,
  type ContractMethod,
  DESCRIPTOR,
  type ErrorSchemas,
  type MethodDefinition,
  type MethodDefinitions,
  type Schema,
} from "../words/contract.ts";
import type { ContractDescriptor, MessageShape, MethodDescriptor, MethodKind } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { StatusCode } from "../words/status.ts";
import { checkParts } from "../machines/session-parts.ts";
import { shapeOf, validated } from "../tools/shapes.ts";
import type { KindParts } from "./kind-parts.ts";
import { BIDI_STREAM, CLIENT_STREAM, EVENT, JOB, NOTIFICATION, SERVER_STREAM, UNARY } from "./kinds.ts";

/** What every kind of method may say about itself. */
export interface MethodOptions<I extends Schema, O extends Schema, P extends Schema, E extends ErrorSchemas> {
  readonly input?: I;
  readonly output?: O;
  /** Shape of what `ctx.progress()` reports. */
  readonly progress?: P;
  /** Errors that the caller can tell apart: reason → shape of the details. */
  readonly errors?: E;
  /** Safe to run twice, so that it may be retried when its fate is unknown. Default: false. */
  readonly idempotent?: boolean;
  /** How long a caller waits unless it asks for less. Default: as long as it takes. */
  readonly timeoutMs?: number;
  /** One sentence for reflection. */
  readonly doc?: string;
}

// Without NoInfer a method that declares no errors would take its errors from where it is used, and then every reason would do.
type Defined<
  K extends MethodKind,
  I extends Schema,
  O extends Schema,
  P extends Schema,
  E extends ErrorSchemas,
> = MethodDefinition<K, I, O, P, NoInfer<E>>;
/** A method that declares no errors. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- empty is what it says
export type NoErrors = Readonly<Record<never, never>>;

/** One input, one output. */
export function unary<
  I extends Schema = undefined,
  O extends Schema = undefined,
  P extends Schema = undefined,
  const E extends ErrorSchemas = NoErrors,
>(options: MethodOptions<I, O, P, E> = {}): Defined<"unary", I, O, P, E> {
  return define("unary", UNARY, options);
}

/** One input, many outputs. */
export function serverStream<
  I extends Schema = undefined,
  O extends Schema = undefined,
  const E extends ErrorSchemas = NoErrors,
>(options: Omit<MethodOptions<I, O, undefined, E>, "progress"> = {}): Defined<"serverStream", I, O, undefined, E> {
  return define("serverStream", SERVER_STREAM, options);
}

/** Many inputs, one output. */
export function clientStream<
  I extends Schema = undefined,
  O extends Schema = undefined,
  const E extends ErrorSchemas = NoErrors,
>(options: Omit<MethodOptions<I, O, undefined, E>, "progress"> = {}): Defined<"clientStream", I, O, undefined, E> {
  return define("clientStream", CLIENT_STREAM, options);
}

/** Many inputs and many outputs, in any order. */
export function bidiStream<
  I extends Schema = undefined,
  O extends Schema = undefined,
  const E extends ErrorSchemas = NoErrors,
>(options: Omit<MethodOptions<I, O, undefined, E>, "progress"> = {}): Defined<"bidiStream", I, O, undefined, E> {
  return define("bidiStream", BIDI_STREAM, options);
}

/** A one-way call: nothing comes back, not even an error. */
export function notification<I extends Schema = undefined>(
  options: {
    readonly input?: I;
    readonly doc?: string;
  } = {},
): Defined<"notification", I, undefined, undefined, NoErrors> {
  return define("notification", NOTIFICATION, options);
}

/** A topic that is published and subscribed to. */
export function event<T extends Schema = undefined>(
  options: {
    readonly payload?: T;
    /** Whether the last event of each topic is kept, for subscribers that ask for it. Default: false. */
    readonly lastValue?: boolean;
    readonly doc?: string;
  } = {},
): Defined<"event", undefined, T, undefined, NoErrors> {
  return define("event", EVENT, { output: options.payload, lastValue: options.lastValue, doc: options.doc });
}

/** Work that waits in a queue until a consumer takes it. */
export function job<
  I extends Schema = undefined,
  O extends Schema = undefined,
  const E extends ErrorSchemas = NoErrors,
>(
  options: Omit<MethodOptions<I, O, undefined, E>, "progress"> & { readonly maxAttempts?: number } = {},
): Defined<"job", I, O, undefined, E> {
  return define("job", JOB, options);
}

function define<K extends MethodKind, I extends Schema, O extends Schema, P extends Schema, E extends ErrorSchemas>(
  kind: K,
  parts: KindParts,
  options: { readonly [Name in keyof MethodOptions<I, O, P, E>]?: MethodOptions<I, O, P, E>[Name] | undefined } & {
    readonly maxAttempts?: number | undefined;
    readonly lastValue?: boolean | undefined;
  },
): Defined<K, I, O, P, E> {
  const { timeoutMs, maxAttempts } = options;
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1)) {
    throw new RpcError(
      "INVALID_ARGUMENT",
      `maxAttempts must be a whole number of at least 1, got ${String(maxAttempts)}`,
      {
        reason: "INVALID_ARGUMENT",
      },
    );
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new RpcError("INVALID_ARGUMENT", `timeoutMs must be above 0, got ${String(timeoutMs)}`, {
      reason: "INVALID_ARGUMENT",
    });
  }
  return {
    kind,
    parts,
    // A schema that was left out is `undefined` in the type as well.
    input: options.input as I,
    output: options.output as O,
    progress: options.progress as P,
    errors: (options.errors ?? {}) as E,
    idempotent: options.idempotent ?? false,
    timeoutMs,
    maxAttempts,
    lastValue: options.lastValue ?? false,
    doc: options.doc,
  };
}

const CONTRACT_NAME = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const METHOD_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
/** Names that JavaScript itself asks objects for; a client with a `then` would be awaited by mistake. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "then",
  "catch",
  "finally",
  "constructor",
  "prototype",
  "toJSON",
  "toString",
  "valueOf",
]);

/**
 * One contract: methods, events and jobs under one name. It can be made anywhere and shared by both ends; who uses it
 * shares the copy of this package that made it, whose machines it brings along. Throws FAILED_PRECONDITION for methods of another copy.
 */
export function defineContract<const Methods extends MethodDefinitions>(
  name: string,
  methods: Methods,
  options: { readonly doc?: string } = {},
): Contract<Methods> {
  if (!CONTRACT_NAME.test(name))
    throw badName(`contract name ${JSON.stringify(name)} must be identifiers joined by dots`);
  const descriptors = new Map<string, MethodDescriptor>();
  const descriptor: ContractDescriptor = { name, doc: options.doc, methods: descriptors };
  // No prototype: a method can have any name, and nothing but methods can be found.
  const contract = Object.create(null) as Record<PropertyKey, unknown>;
  contract[DESCRIPTOR] = descriptor;
  for (const [short, definition] of Object.entries(methods)) {
    if (!METHOD_NAME.test(short) || RESERVED_NAMES.has(short)) {
      throw badName(
        `${name}: ${JSON.stringify(short)} cannot be a method's name; use letters, digits and "_", and no name of JavaScript's own`,
      );
    }
    const method = describe(name, short, definition);
    descriptors.set(short, method);
    contract[short] = contractMethod(method);
  }
  // Built from `methods` by the loop above, member by member.
  return Object.freeze(contract) as Contract<Methods>;
}

/** The machine's view of a contract. */
export function descriptorOf(contract: Contract): ContractDescriptor {
  return contract[DESCRIPTOR];
}

function describe(contract: string, short: string, definition: MethodDefinition): MethodDescriptor {
  const name = `${contract}.${short}`;
  checkParts({ name, kind: definition.kind, parts: definition.parts });
  const errors = new Map<string, MessageShape>();
  for (const [reason, schema] of Object.entries(definition.errors))
    errors.set(reason, shapeOf(schema, `${name}: error ${reason}`));
  return Object.freeze({
    name,
    contract,
    kind: definition.kind,
    parts: definition.parts,
    input: shapeOf(definition.input, `${name}: input`),
    output: shapeOf(definition.output, `${name}: output`),
    progress: shapeOf(definition.progress, `${name}: progress`),
    errors,
    idempotent: definition.idempotent,
    timeoutMs: definition.timeoutMs,
    lastValue: definition.lastValue,
    maxAttempts: definition.maxAttempts,
    doc: definition.doc,
  });
}

function contractMethod(method: MethodDescriptor): ContractMethod {
  return Object.freeze({
    [DESCRIPTOR]: method,
    error(reason: string, details: unknown, options: { readonly code?: StatusCode; readonly message?: string } = {}) {
      return new RpcError(options.code ?? "FAILED_PRECONDITION", options.message ?? `${method.name}: ${reason}`, {
        reason,
        details,
      });
    },
    isError(caught: unknown, reason: string) {
      const shape = method.errors.get(reason);
      if (shape === undefined || !(caught instanceof RpcError) || caught.reason !== reason) return false;
      try {
        // The details came from a peer: they are what the contract says only when its schema agrees.
        const checked = validated(shape, caught.details, method.name, "INTERNAL");
        if (!(checked instanceof Promise)) return true;
        // A validator that is asynchronous cannot agree in time; what it says later is of no use.
        checked.catch(() => undefined);
        return false;
      } catch {
        return false;
      }
    },
  }) as ContractMethod;
}

function badName(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

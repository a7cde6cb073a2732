import { RpcError } from "../../words/rpc-error.ts";

/** How a function becomes a command. */
export interface ExposeOptions {
  /** What it is called by. Default: the function's or the member's own name. */
  readonly name?: string | undefined;
  /** Whether it gets the caller, a {@link DynamicPeer}, before the arguments. Default: false. */
  readonly passPeer?: boolean | undefined;
  /** Whether it gets the call's context (its signal, deadline, metadata) before the arguments, after the peer. Default: false. */
  readonly passContext?: boolean | undefined;
}

/** Any function; its arguments come from the far end, and are what they are. */
export type AnyFunction = (...args: never[]) => unknown;

/** A standard (stage 3) method decorator. */
export type ExposeDecorator = (method: AnyFunction, context: ClassMethodDecoratorContext) => void;

/** Weak and beside the functions: nothing that a function has can pass for the mark. */
const EXPOSED = new WeakMap<object, ExposeOptions>();

/**
 * Marks what the far end may call. As a decorator of methods: `@expose`, `@expose("name")`, `@expose("name", { passPeer: true })`, `@expose({ name, passPeer })`; put it
 * above other decorators, which may replace the method. Without decorators: `expose(function, options)` gives the function back. Throws
 * INVALID_ARGUMENT where there is nothing that could be called.
 */
export function expose(name?: string, options?: Omit<ExposeOptions, "name">): ExposeDecorator;
export function expose(options: ExposeOptions): ExposeDecorator;
export function expose(method: AnyFunction, context: ClassMethodDecoratorContext): void;
export function expose<F extends AnyFunction>(run: F, options?: ExposeOptions): F;
export function expose(what?: unknown, second?: unknown): unknown {
  if (typeof what !== "function") {
    const given = (what === undefined || typeof what === "string" ? second : what) as ExposeOptions | undefined;
    const options = typeof what === "string" ? { ...given, name: what } : (given ?? {});
    return (method: AnyFunction, context: ClassMethodDecoratorContext) => markMethod(method, context, options);
  }
  if (isDecoratorContext(second)) return markMethod(what, second, {});
  EXPOSED.set(what, second ?? {});
  return what;
}

/** The options of a function that was marked; undefined: it was not. */
export function exposedAs(run: object): ExposeOptions | undefined {
  return EXPOSED.get(run);
}

function markMethod(method: object, context: ClassMethodDecoratorContext, options: ExposeOptions): void {
  if (!isDecoratorContext(context))
    throw refused("@expose is a standard decorator; switch TypeScript's experimentalDecorators off");
  const name = String(context.name);
  if (context.kind !== "method") throw refused(`@expose: ${name} is no method; only methods can be called from afar`);
  if (context.private || typeof context.name === "symbol")
    throw refused(`@expose: ${name} has no name that could be called from afar`);
  if (context.static) throw refused(`@expose: ${name} is static; register the function itself`);
  EXPOSED.set(method, { ...options, name: options.name ?? name });
}

function isDecoratorContext(value: unknown): value is ClassMethodDecoratorContext {
  return typeof value === "object" && value !== null && "kind" in value && "addInitializer" in value;
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

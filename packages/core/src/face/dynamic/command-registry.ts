import { RpcError } from "../../words/rpc-error.ts";
import type { MethodDescriptor } from "../../words/method.ts";
import { describeCommand } from "./command.ts";
import { type AnyFunction, exposedAs, type ExposeOptions } from "./expose.ts";

/** What can be registered: a function, a plain object or a module of functions, an instance with exposed methods. */
export type Registrable = object;

/** One command: a function that was chosen when it was registered. Nothing is looked up on an object when a call comes. */
export interface Command {
  readonly name: string;
  readonly run: (...args: readonly unknown[]) => unknown;
  readonly passPeer: boolean;
  readonly passContext: boolean;
  readonly unary: MethodDescriptor;
  readonly notification: MethodDescriptor;
}

const COMMAND_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
/** Names that JavaScript itself asks objects for. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  "then",
  "catch",
  "finally",
  "prototype",
  "toJSON",
]);

/** Commands by name, and by what they were registered with. */
export class CommandRegistry {
  readonly #commands = new Map<string, Command>();
  readonly #registered = new Map<Registrable, readonly Command[]>();
  /** Descriptors by short name; follows the registry. */
  readonly methods: Map<string, MethodDescriptor> = new Map();

  find(name: string): Command | undefined {
    return this.#commands.get(name);
  }

  names(): readonly string[] {
    return [...this.#commands.keys()];
  }

  /** All of its commands, or none: throws INVALID_ARGUMENT before anything has changed. */
  add(thing: Registrable, options: ExposeOptions | undefined): void {
    if (this.#registered.has(thing)) throw refused("this is registered already; unregister it first");
    const commands = commandsOf(thing, options);
    const names = new Set<string>();
    for (const { name } of commands) {
      if (names.has(name) || this.#commands.has(name))
        throw refused(`there is a command ${name} already; give one of them another name with expose()`);
      names.add(name);
    }
    for (const command of commands) {
      this.#commands.set(command.name, command);
      this.methods.set(command.name, command.unary);
    }
    this.#registered.set(thing, commands);
  }

  /** Whether it was registered. Calls that run end as they would have. */
  remove(thing: Registrable): boolean {
    const commands = this.#registered.get(thing);
    if (commands === undefined) return false;
    this.#registered.delete(thing);
    for (const { name } of commands) {
      this.#commands.delete(name);
      this.methods.delete(name);
    }
    return true;
  }
}

function commandsOf(thing: Registrable, options: ExposeOptions | undefined): Command[] {
  if (typeof thing === "function") return [commandOfFunction(thing as AnyFunction, options)];
  if (typeof thing !== "object" || thing === null)
    throw refused(`a function, an object, a module or an instance can be registered, got ${typeof thing}`);
  if (options !== undefined)
    throw refused("name, passPeer and passContext are said of each function, by expose(); an object has many");
  const prototype: unknown = Object.getPrototypeOf(thing);
  const isPlain = prototype === null || prototype === Object.prototype;
  const commands = isPlain ? commandsOfRecord(thing) : commandsOfInstance(thing);
  if (commands.length === 0)
    throw refused(
      isPlain
        ? "the object has no functions of its own whose names do not begin with _"
        : `${describeClass(prototype)} has no methods marked by expose()`,
    );
  return commands;
}

function commandOfFunction(run: AnyFunction, given: ExposeOptions | undefined): Command {
  if (isClass(run)) throw refused(`${run.name} is a class; register an instance of it`);
  const options = { ...exposedAs(run), ...given };
  const name = options.name ?? run.name;
  if (name === "") throw refused("the function has no name; pass one: register(function, { name })");
  return commandOf(name, run, options, undefined);
}

/** A module or a plain object: its own functions, except those that say by their name that they are private. */
function commandsOfRecord(record: object): Command[] {
  const commands: Command[] = [];
  // The exports of a module are data, but bundlers make them getters that give nothing else.
  const isModule = Object.prototype.toString.call(record) === "[object Module]";
  const members = isModule ? { ...record } : record;
  for (const key of Object.keys(members)) {
    const member = functionAt(members, key);
    // A module's default export has no name there, and a class is no command.
    if (member === undefined || key.startsWith("_") || key === "default" || isClass(member)) continue;
    const options = exposedAs(member) ?? {};
    commands.push(commandOf(options.name ?? key, member, options, record));
  }
  return commands;
}

/** Marked members of an instance and its classes. What a subclass has put in the place of a marked method needs a mark of its own. */
function commandsOfInstance(instance: object): Command[] {
  const commands: Command[] = [];
  const seen = new Set<string>();
  for (
    let owner: object | null = instance;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(owner)) {
      if (seen.has(key)) continue;
      seen.add(key);
      const member = functionAt(owner, key);
      const options = member === undefined ? undefined : exposedAs(member);
      if (member !== undefined && options !== undefined)
        commands.push(commandOf(options.name ?? key, member, options, instance));
    }
  }
  return commands;
}

/** A function that is simply there; a getter is not asked (hostile inputs H73). */
function functionAt(owner: object, key: string): AnyFunction | undefined {
  const value: unknown = Object.getOwnPropertyDescriptor(owner, key)?.value;
  return typeof value === "function" ? (value as AnyFunction) : undefined;
}

function commandOf(name: unknown, run: AnyFunction, options: ExposeOptions, self: object | undefined): Command {
  if (typeof name !== "string" || !COMMAND_NAME.test(name) || RESERVED_NAMES.has(name)) {
    throw refused(
      `${JSON.stringify(String(name).slice(0, 80))} cannot be a command's name; use letters, digits and "_", a letter first, and no name of JavaScript's own`,
    );
  }
  return {
    name,
    // What the far end sends is not checked by any type; the function itself has to.
    run: (run as (...args: readonly unknown[]) => unknown).bind(self),
    passPeer: options.passPeer ?? false,
    passContext: options.passContext ?? false,
    unary: describeCommand(name, "unary"),
    notification: describeCommand(name, "notification"),
  };
}

function isClass(run: AnyFunction): boolean {
  return /^class\b/.test(Function.prototype.toString.call(run));
}

function describeClass(prototype: unknown): string {
  const name = (prototype as { readonly constructor?: { readonly name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `the instance of ${name}` : "the instance";
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `register: ${message}`, { reason: "INVALID_ARGUMENT" });
}

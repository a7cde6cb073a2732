import { type Awaitable, type Clock, RpcError, type StatusCode } from "@rpc/core";
import { constantTimeEqual } from "../http/constant-time.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { addressIn, FailureLimit } from "../http/failure-limit.ts";
import { HttpRefusal, type MethodInfo, type ServiceCall } from "../server/service.ts";
import { adminArguments, type Struct } from "./conventions.ts";
import { AccessDenied } from "../exceptions.ts";
import { inWords, noAdminFunction, notAdminFunction, quoted, typeError } from "./error-texts.ts";

/** What an admin function learns of its call. */
export interface AdminCall {
  readonly name: string;
  readonly signal: AbortSignal;
  /** Address of the caller, for logs. */
  readonly endpoint: string;
}

/** What `version` says. */
export interface ServerVersion {
  /** Such as `18.0`. */
  readonly server_version: string;
  /** Major, minor, micro, level (`final`), serial. */
  readonly server_version_info: readonly (number | string)[];
  readonly server_serie: string;
  readonly protocol_version: number;
}

type AdminFunction<Input, Output> = (input: Input, call: AdminCall) => Awaitable<Output>;
interface Named {
  readonly dbname: string;
}

/**
 * The functions of the endpoint itself, by their names on the wire; leave out what is not offered. Those from `create` to `migrate_databases`
 * need the master password. Arguments come checked for type, and with their defaults.
 */
export interface AdminFunctions {
  /** Default: what the option `version` says. */
  readonly version?: AdminFunction<object, ServerVersion>;
  /** `user_password` default: `admin`. */
  readonly create?: AdminFunction<
    Named & { readonly demo: boolean; readonly lang: string; readonly user_password: string },
    unknown
  >;
  readonly drop?: AdminFunction<Named, unknown>;
  /** Default format: `zip`; `frmt` is taken as well. */
  readonly dump?: AdminFunction<Named & { readonly format: string }, Uint8Array>;
  readonly restore?: AdminFunction<Named & { readonly data: Uint8Array; readonly copy: boolean }, unknown>;
  readonly rename?: AdminFunction<{ readonly old: string; readonly new: string }, unknown>;
  readonly duplicate?: AdminFunction<{ readonly source: string; readonly destination: string }, unknown>;
  readonly change_admin_password?: AdminFunction<{ readonly new: string }, unknown>;
  readonly migrate_databases?: AdminFunction<{ readonly databases: readonly string[] }, unknown>;
  readonly exists?: AdminFunction<Named, boolean>;
  readonly list?: AdminFunction<{ readonly document: boolean }, readonly string[]>;
  readonly list_languages?: AdminFunction<object, unknown>;
  /** A user's id, or false; the caller's credentials stand in the arguments. */
  readonly login?: AdminFunction<{ readonly db: string; readonly login: string; readonly password: string }, unknown>;
  readonly authenticate?: AdminFunction<
    {
      readonly db: string;
      readonly login: string;
      readonly password: string;
      readonly user_agent_env: Readonly<Record<string, unknown>>;
    },
    unknown
  >;
}

/** The password of the marked functions, or what decides about one that is shown. */
export type MasterPassword = string | ((shown: string) => Awaitable<boolean>);

type ParameterType = "string" | "boolean" | "base64" | "array" | "struct";

interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  /** Left out: required. */
  readonly fallback?: unknown;
  /** What a later draft calls it. */
  readonly alias?: string;
}

interface Signature {
  readonly returns: string;
  readonly password: boolean;
  readonly parameters: readonly Parameter[];
  readonly help: string;
}

const DBNAME: Parameter = { name: "dbname", type: "string" };
const LOGIN: readonly Parameter[] = [
  { name: "db", type: "string" },
  { name: "login", type: "string" },
  { name: "password", type: "string" },
];

const SIGNATURES: Readonly<Record<keyof AdminFunctions, Signature>> = {
  version: open("struct", "The server's version", []),
  create: locked("boolean", "Creates a database", [
    DBNAME,
    { name: "demo", type: "boolean" },
    { name: "lang", type: "string" },
    { name: "user_password", type: "string", fallback: "admin" },
  ]),
  drop: locked("boolean", "Deletes a database", [DBNAME]),
  dump: locked("base64", "A backup of a database", [
    DBNAME,
    { name: "format", type: "string", fallback: "zip", alias: "frmt" },
  ]),
  restore: locked("boolean", "Makes a database of a backup", [
    DBNAME,
    { name: "data", type: "base64" },
    { name: "copy", type: "boolean", fallback: false },
  ]),
  rename: locked("boolean", "Renames a database", [
    { name: "old", type: "string" },
    { name: "new", type: "string" },
  ]),
  duplicate: locked("boolean", "Copies a database", [
    { name: "source", type: "string" },
    { name: "destination", type: "string" },
  ]),
  change_admin_password: locked("boolean", "Changes the master password", [{ name: "new", type: "string" }]),
  migrate_databases: locked("boolean", "Brings databases to this version", [{ name: "databases", type: "array" }]),
  exists: open("boolean", "Whether there is a database of this name", [DBNAME]),
  list: open("array", "Names of the databases", [{ name: "document", type: "boolean", fallback: false }]),
  list_languages: open("array", "Languages that a database can be created in", []),
  login: open("int", "The id of a user, or false", LOGIN),
  authenticate: open("int", "The id of a user, or false", [
    ...LOGIN,
    { name: "user_agent_env", type: "struct", fallback: Object.freeze({}) },
  ]),
};

function open(returns: string, help: string, parameters: readonly Parameter[]): Signature {
  return { returns, help, parameters, password: false };
}

function locked(returns: string, help: string, parameters: readonly Parameter[]): Signature {
  return { returns, help, parameters, password: true };
}

/** The functions of an endpoint, called by name. */
export class AdminDesk {
  readonly #functions: ReadonlyMap<string, (input: never, call: AdminCall) => unknown>;
  readonly #masterPassword: MasterPassword | undefined;
  readonly #failures: FailureLimit;

  constructor(functions: AdminFunctions, masterPassword: MasterPassword | undefined, version: string, clock: Clock) {
    this.#failures = new FailureLimit({}, clock);
    if (masterPassword === "") throw refusedOption("masterPassword must not be empty");
    const found = new Map<string, (input: never, call: AdminCall) => unknown>();
    found.set("version", () => versionOf(version));
    for (const name of Object.keys(functions)) {
      if (!isAdminName(name))
        throw refusedOption(`admin.${name} is no admin function; there are ${Object.keys(SIGNATURES).join(", ")}`);
      const run = functions[name];
      if (run !== undefined) found.set(name, run);
    }
    this.#functions = found;
    this.#masterPassword = masterPassword;
  }

  /** Answers a call of the endpoint; `single` is false inside a multicall, where HTTP can refuse nothing any more. */
  call(name: string, { params, exchange, signal }: ServiceCall, single: boolean): Awaitable<unknown> {
    if (!this.has(name)) throw name.includes(".") ? notAdminFunction(name) : noAdminFunction(name);
    const { args, kwargs } = adminArguments(params);
    const started = (): Awaitable<unknown> =>
      this.run(name, args, { name, signal, endpoint: exchange.endpoint }, kwargs);
    if (!this.needsPassword(name)) return started();
    return this.#unlock(name, exchange, single).then(started);
  }

  /** Calls a function for somebody who may. Throws FaultError -32601 and -32602, HttpRefusal 429 where somebody only guesses passwords. */
  run(name: string, args: readonly unknown[], call: AdminCall, kwargs: Struct = {}): Awaitable<unknown> {
    const run = this.#functions.get(name);
    if (run === undefined || !isAdminName(name)) throw noAdminFunction(name);
    // The input was just checked against the signature of this very name.
    const input = inputOf(args, kwargs, SIGNATURES[name].parameters);
    if (!LOGINS.has(name)) return run(input as never, call);
    const { db, login } = input;
    return this.#tried(call.endpoint, JSON.stringify([db, login]), () => run(input as never, call), isSomebody);
  }

  /** Whether this is the master password. Rejects with HttpRefusal 429 for an address that has tried too often, with INTERNAL where its hook fails. */
  async isMaster(shown: string, endpoint: string): Promise<boolean> {
    const password = this.#masterPassword;
    if (password === undefined) return false;
    // Nothing but true opens: a hook without types may give back whatever its database said.
    const compared = async (): Promise<boolean> => {
      const answer: unknown = typeof password === "string" ? constantTimeEqual(shown, password) : await password(shown);
      return answer === true;
    };
    try {
      return await this.#tried(endpoint, "", compared, (isRight) => isRight);
    } catch (thrown) {
      if (thrown instanceof HttpRefusal) throw thrown;
      // What a hook throws is for the log: whoever hears this has proved nothing.
      const message = "the master password cannot be checked at the moment; try again later";
      throw new RpcError("INTERNAL", message, { reason: "INTERNAL", cause: thrown });
    }
  }

  /** A try to prove something, counted when it is none. Whatever it throws is no failure of the caller's, but for a refusal. */
  async #tried<T>(
    endpoint: string,
    user: string,
    attempt: () => Awaitable<T>,
    isRight: (value: T) => boolean,
  ): Promise<T> {
    // Without address and user there would be nothing to count by: better none of those gets in than anybody may guess on.
    const address = addressIn(endpoint) || (user === "" ? "?" : "");
    for (;;) {
      const blockedMs = this.#failures.blockedMs(address, user);
      if (blockedMs > 0) throw tooManyFailures(blockedMs);
      const wait = this.#failures.wait(address, user);
      if (wait === undefined) break;
      await wait;
    }
    this.#failures.begin(address, user);
    let isFailure = false;
    try {
      const value = await attempt();
      isFailure = !isRight(value);
      return value;
    } catch (thrown) {
      isFailure = thrown instanceof HttpRefusal || (thrown instanceof RpcError && DENIALS.has(thrown.code));
      throw thrown;
    } finally {
      this.#failures.end(address, user, isFailure);
    }
  }

  needsPassword(name: string): boolean {
    return isAdminName(name) && SIGNATURES[name].password;
  }

  has(name: string): boolean {
    return this.#functions.has(name);
  }

  methods(): readonly MethodInfo[] {
    const infos: MethodInfo[] = [];
    for (const name of this.#functions.keys()) {
      if (!isAdminName(name)) continue;
      const { returns, parameters, help } = SIGNATURES[name];
      const types = parameters.map(({ type }) => type);
      const least = parameters.filter((parameter) => !("fallback" in parameter)).length;
      const signatures: string[][] = [];
      for (let count = least; count <= types.length; count++) signatures.push([returns, ...types.slice(0, count)]);
      infos.push({ name, kind: "unary", help, signatures: [...signatures, [returns, "struct"]] });
    }
    return infos;
  }

  async #unlock(name: string, { credentials, endpoint }: HttpExchange, single: boolean): Promise<void> {
    const shown = credentials?.secret;
    if (shown !== undefined && (await this.isMaster(shown, endpoint))) return;
    if (!single) throw new AccessDenied(`'${name}' needs the master password`);
    if (shown === undefined)
      throw new HttpRefusal(401, `'${name}' needs the master password, as the password of HTTP Basic`);
    throw new HttpRefusal(403, "Access Denied");
  }
}

/** Functions that tell a right password from a wrong one to whoever asks. */
const LOGINS: ReadonlySet<string> = new Set(["login", "authenticate"]);
const DENIALS: ReadonlySet<StatusCode> = new Set(["PERMISSION_DENIED", "UNAUTHENTICATED"]);

function isSomebody(uid: unknown): boolean {
  return uid !== false && uid !== null && uid !== undefined;
}

function tooManyFailures(blockedMs: number): HttpRefusal {
  const headers = { "retry-after": String(Math.ceil(blockedMs / 1_000)) };
  return new HttpRefusal(429, "Too many failed attempts; try again later", headers);
}

function isAdminName(name: string): name is keyof AdminFunctions {
  return Object.hasOwn(SIGNATURES, name);
}

function versionOf(version: string): ServerVersion {
  const numbers = version.split(".").map(Number);
  const [major = 0, minor = 0, micro = 0] = numbers.map((number) => (Number.isSafeInteger(number) ? number : 0));
  return {
    server_version: version,
    server_version_info: [major, minor, micro, "final", 0],
    server_serie: `${major}.${minor}`,
    protocol_version: 1,
  };
}

/** Arguments by name, checked; throws FaultError -32602 in the words of Python. */
function inputOf(args: readonly unknown[], kwargs: Struct, parameters: readonly Parameter[]): Record<string, unknown> {
  if (args.length > parameters.length) throw typeError("too many positional arguments");
  const input: Record<string, unknown> = {};
  const unread = new Set(Object.keys(kwargs));
  for (const [i, parameter] of parameters.entries()) {
    const { name, alias, type } = parameter;
    let given: unknown = i < args.length ? args[i] : undefined;
    for (const key of alias === undefined ? [name] : [name, alias]) {
      if (!unread.delete(key)) continue;
      if (given !== undefined) throw typeError(`multiple values for argument '${key}'`);
      given = kwargs[key];
    }
    if (given === undefined) {
      if (!("fallback" in parameter)) throw typeError(`missing a required argument: '${name}'`);
      given = parameter.fallback;
    }
    if (!isOfType(given, type)) throw typeError(`argument '${name}' must be of type ${type}, got ${inWords(given)}`);
    input[name] = given;
  }
  for (const key of unread) throw typeError(`got an unexpected keyword argument '${quoted(key)}'`);
  return input;
}

function isOfType(value: unknown, type: ParameterType): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "base64":
      return value instanceof Uint8Array;
    case "struct":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "string":
    case "boolean":
      return typeof value === type;
    default:
      return type satisfies never;
  }
}

function refusedOption(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `databases: ${message}`, { reason: "INVALID_ARGUMENT" });
}

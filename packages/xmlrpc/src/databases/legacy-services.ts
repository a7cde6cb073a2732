import { type Awaitable, type Metadata, RpcError } from "@rpc/core";
import type { HttpExchange } from "../http/exchange.ts";
import type { EndpointRequest } from "../server/endpoint.ts";
import { FrontCall } from "../server/front-call.ts";
import { HttpRefusal, type ServiceHost } from "../server/service.ts";
import { FaultCode, FaultError } from "../fault.ts";
import { isDatabaseName } from "./addressing.ts";
import type { AdminCall, AdminDesk } from "./admin.ts";
import { type Arguments, recordOf, type Struct } from "./conventions.ts";
import { modelNames } from "./database-call.ts";
import type { DatabaseService } from "./database-service.ts";
import { AccessDenied } from "../exceptions.ts";
import { inWords, isStruct, quoted, typeError } from "./error-texts.ts";
import type { LegacyOptions } from "./legacy.ts";
import type { OpenDatabase } from "./model-calls.ts";

/** What of `db` is an admin function by another name. The master password comes first where the function asks for it. */
const DB_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ["create_database", "create"],
  ["duplicate_database", "duplicate"],
  ["drop", "drop"],
  ["dump", "dump"],
  ["restore", "restore"],
  ["change_admin_password", "change_admin_password"],
  ["rename", "rename"],
  ["migrate_databases", "migrate_databases"],
  ["db_exist", "exists"],
  ["list", "list"],
  ["list_lang", "list_languages"],
]);

/** Methods that are called on a model and not on records, by the names that they have everywhere. */
const MODEL_METHODS: ReadonlySet<string> = new Set(
  (
    "search search_read search_count search_fetch name_search name_create create load fields_get default_get read_group " +
    "web_search_read web_read_group fields_view_get get_view get_views context_get has_group check_access_rights"
  ).split(" "),
);

/** Users who have logged in; more push the first ones out, who then have to log in again. */
const MAX_LOGINS = 100_000;

/** `common`, `object` and `db`, whatever wire they are called over. */
export class LegacyServices {
  readonly #service: DatabaseService;
  readonly #admin: AdminDesk;
  readonly #host: ServiceHost;
  readonly #options: LegacyOptions;
  readonly #logins = new Map<string, string>();

  constructor(service: DatabaseService, admin: AdminDesk, host: ServiceHost, options: LegacyOptions) {
    this.#service = service;
    this.#admin = admin;
    this.#host = host;
    this.#options = options;
  }

  async call(service: string, method: string, args: readonly unknown[], request: EndpointRequest): Promise<unknown> {
    if (service === "common") return this.#common(method, args, request);
    if (service === "object") return this.#object(method, args, request);
    if (service === "db") return this.#db(method, args, request);
    throw new FaultError(FaultCode.MethodNotFound, `NameError: no service '${quoted(service)}' found`);
  }

  /** What OdooRPC reads of a new session; the cookie that goes with it elsewhere is not needed here. */
  async openSession(params: Struct, request: EndpointRequest): Promise<unknown> {
    const [db, login, password] = texts([params["db"], params["login"], params["password"]], "db, login and password");
    const uid = await this.#logIn(db, login, password, request);
    if (uid === false) throw new AccessDenied();
    return { uid, db, username: login, name: login, user_context: { lang: "en_US", tz: false, uid }, company_id: 1 };
  }

  async #common(method: string, args: readonly unknown[], request: EndpointRequest): Promise<unknown> {
    if (method === "version") return this.#admin.run("version", [], adminCall("version", request));
    if (method === "login" || method === "authenticate") {
      const [db, login, password] = texts([args[0], args[1], args[2]], "db, login and password");
      return this.#logIn(db, login, password, request);
    }
    throw noFunction("common", method);
  }

  async #logIn(db: string, login: string, password: string, request: EndpointRequest): Promise<number | false> {
    if (!isDatabaseName(db) || password === "") return false;
    await unproved(() => this.#service.open(db));
    const identity = await this.#prove(db, login, password, request);
    if (identity === undefined) return false;
    const uid = await (this.#options.uidOf ?? uidOfIdentity)(identity, db);
    if (this.#logins.size >= MAX_LOGINS) this.#logins.delete(this.#logins.keys().next().value ?? "");
    this.#logins.set(`${db}/${uid}`, login);
    return uid;
  }

  /** Who it is; undefined: wrong credentials. Too many failures are refused by HTTP as everywhere. */
  async #prove(
    database: string,
    user: string,
    secret: string,
    { exchange }: EndpointRequest,
  ): Promise<string | undefined> {
    try {
      return await this.#host.authenticate({ scheme: "basic", user, secret, database, endpoint: exchange.endpoint });
    } catch (thrown) {
      if (thrown instanceof HttpRefusal && thrown.status === 403) return undefined;
      throw thrown;
    }
  }

  async #object(service: string, args: readonly unknown[], request: EndpointRequest): Promise<unknown> {
    if (service !== "execute" && service !== "execute_kw") throw noFunction("object", service);
    const [db, uid, password, model, method, ...rest] = args;
    const [database, secret, modelName, name] = texts(
      [db, password, model, method],
      "db, uid, password, model and method",
    );
    if (typeof uid !== "number" || !Number.isSafeInteger(uid)) throw new AccessDenied();
    if (!isDatabaseName(database)) throw new AccessDenied();
    const target = await unproved(() => this.#service.open(database));
    const { loginOf } = this.#options;
    const login =
      loginOf === undefined ? this.#logins.get(`${database}/${uid}`) : await unproved(() => loginOf(uid, database));
    if (login === undefined || secret === "") throw new AccessDenied();
    const identity = await this.#prove(database, login, secret, request);
    if (identity === undefined) throw new AccessDenied();
    const { positional, kwargs } = service === "execute" ? { positional: rest, kwargs: {} } : keywordArguments(rest);
    return this.#execute(target, { uid, identity, login }, modelName, name, positional, kwargs, request);
  }

  #execute(
    target: OpenDatabase,
    user: LegacyUser,
    model: string,
    method: string,
    positional: readonly unknown[],
    named: Struct,
    request: EndpointRequest,
  ): unknown {
    if (!this.#service.has(target, model, method)) {
      const answer = standIn(target, user, model, method, positional);
      if (answer !== undefined) return answer;
    }
    const { context = {}, ...kwargs } = named;
    if (!isStruct(context)) throw typeError(`context must be a dict, got ${inWords(context)}`);
    const isModelMethod = this.#options.isModelMethod ?? ((_model, name) => MODEL_METHODS.has(name));
    const [ids, ...others] = positional;
    const onRecords = !isModelMethod(model, method) && isIds(ids);
    const given: Arguments = {
      form: "plain",
      records: onRecords ? (Array.isArray(ids) ? (ids as readonly unknown[]) : [ids]) : [],
      context: recordOf(context),
      subject: {},
      args: onRecords ? others : positional,
      kwargs,
      timeout: undefined,
      idempotencyKey: undefined,
      trace: undefined,
    };
    const { scope, deadline } = request;
    const origin = { exchange: new ProvedExchange(request.exchange, user.identity), scope, deadline };
    const name = `${model}.${method}`;
    return this.#service.callOn(target, name, given, new FrontCall(name, [], origin, false));
  }

  async #db(method: string, args: readonly unknown[], request: EndpointRequest): Promise<unknown> {
    if (method === "server_version") {
      const version = (await this.#admin.run("version", [], adminCall("version", request))) as Struct;
      return version["server_version"];
    }
    const name = DB_FUNCTIONS.get(method);
    if (name === undefined || !this.#admin.has(name)) throw noFunction("db", method);
    if (!this.#admin.needsPassword(name)) return this.#admin.run(name, args, adminCall(name, request));
    const [password, ...rest] = args;
    if (typeof password !== "string" || !(await this.#admin.isMaster(password, request.exchange.endpoint)))
      throw new AccessDenied();
    return this.#admin.run(name, rest, adminCall(name, request));
  }
}

/** What hooks throw before anybody has proved who he is is for the log alone. */
async function unproved<T>(ask: () => Awaitable<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof HttpRefusal) throw thrown;
    const message = "the database cannot be asked at the moment; try again later";
    throw new RpcError("INTERNAL", message, { reason: "INTERNAL", cause: thrown });
  }
}

interface LegacyUser {
  readonly uid: number;
  readonly identity: string;
  readonly login: string;
}

/** What clients ask for before anything else, where no model answers it. */
function standIn(
  { database }: OpenDatabase,
  { uid, identity, login }: LegacyUser,
  model: string,
  method: string,
  args: readonly unknown[],
): unknown {
  if (model === "res.users" && method === "context_get") return { lang: "en_US", tz: false, uid };
  if (model === "res.users" && method === "read") return [{ id: uid, name: identity, login }];
  if (model === "ir.model" && method === "search") {
    const [domain] = args;
    const [condition] = Array.isArray(domain) ? (domain as readonly unknown[]) : [];
    const [field, operator, name] = Array.isArray(condition) ? (condition as readonly unknown[]) : [];
    const names = modelNames(database);
    if (field !== "model" || operator !== "=") return names.map((_, i) => i + 1);
    return names.flatMap((known, i) => (known === name ? [i + 1] : []));
  }
  if (method === "fields_get" && (model === "res.users" || modelNames(database).includes(model)))
    return { id: { type: "integer", string: "ID", readonly: true, required: false } };
  return undefined;
}

/** A request whose caller has proved who he is by what stands in its body. */
class ProvedExchange implements HttpExchange {
  readonly identity: string;
  readonly #exchange: HttpExchange & { readonly metadata?: Metadata | undefined };

  constructor(exchange: HttpExchange, identity: string) {
    this.#exchange = exchange;
    this.identity = identity;
  }

  get path(): string {
    return this.#exchange.path;
  }

  get query(): URLSearchParams {
    return this.#exchange.query;
  }

  get credentials(): HttpExchange["credentials"] {
    return this.#exchange.credentials;
  }

  get endpoint(): string {
    return this.#exchange.endpoint;
  }

  get metadata(): Metadata | undefined {
    return this.#exchange.metadata;
  }

  get responseMetadata(): Metadata {
    return this.#exchange.responseMetadata;
  }

  header(name: string): string | undefined {
    return this.#exchange.header(name);
  }
}

function keywordArguments(rest: readonly unknown[]): {
  readonly positional: readonly unknown[];
  readonly kwargs: Struct;
} {
  const [positional = [], kwargs = {}, ...more] = rest;
  if (more.length > 0) throw typeError("execute_kw takes db, uid, password, model, method, args and kw");
  if (!Array.isArray(positional)) throw typeError(`args must be a list, got ${inWords(positional)}`);
  if (kwargs !== null && !isStruct(kwargs)) throw typeError(`kw must be a dict, got ${inWords(kwargs)}`);
  return { positional: positional as readonly unknown[], kwargs: kwargs === null ? {} : recordOf(kwargs) };
}

function isIds(value: unknown): boolean {
  const isId = (id: unknown): boolean => typeof id === "number" && Number.isSafeInteger(id);
  return isId(value) || (Array.isArray(value) && value.every(isId));
}

/** The same number for the same text on every start: FNV-1a, 31 bits, never 0. */
function uidOfIdentity(identity: string): number {
  if (/^[1-9]\d{0,8}$/.test(identity)) return Number(identity);
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(identity)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 1) + 1;
}

function texts<const N extends readonly unknown[]>(values: N, names: string): { -readonly [I in keyof N]: string } {
  if (!values.every((value) => typeof value === "string")) throw typeError(`${names} must be given, each a text`);
  return values as unknown as { -readonly [I in keyof N]: string };
}

function adminCall(name: string, { scope, exchange }: EndpointRequest): AdminCall {
  return { name, signal: scope.signal, endpoint: exchange.endpoint };
}

function noFunction(service: string, name: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: no function '${quoted(name)}' in service '${service}'`);
}

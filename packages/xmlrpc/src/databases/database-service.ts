import type { Awaitable, CallContext, Handler } from "@rpc/core";
import { dynamicCodec, isPromiseLike, type MessageShape, type MethodDescriptor } from "@rpc/core/transport";
import { FaultCode, FaultError } from "../fault.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { Endpoint } from "../server/endpoint.ts";
import { derivedCall, scopeOf } from "../server/front-call.ts";
import { inFault } from "../server/front-reply.ts";
import { runHandler } from "../server/handler-context.ts";
import {
  type Admission,
  HttpRefusal,
  type MethodInfo,
  type Params,
  type Service,
  type ServiceCall,
  type ServiceHost,
} from "../server/service.ts";
import { faultItem, type MulticallItem, tooManyCalls, withSystemMethods } from "../server/system-methods.ts";
import { Records } from "../values.ts";
import { databaseNotFound, databaseOf, splitMethod } from "./addressing.ts";
import type { AdminDesk } from "./admin.ts";
import { type Arguments, type ConventionOptions, databaseArguments, recordOf, type Struct } from "./conventions.ts";
import type { Database, DatabaseDirectory } from "./database-call.ts";
import { AccessError } from "../exceptions.ts";
import { inWords, isStruct, typeError } from "./error-texts.ts";
import { databaseMethods } from "./introspection.ts";
import type { Given, ModelCalls, OpenDatabase } from "./model-calls.ts";
import { multicallOf, type Sequence, sequenceOf, stepOf } from "./pipeline.ts";
import { inTransaction, type TransactionOptions } from "./transactions.ts";

const NOOP = "system.noop";
const MULTICALL = "system.multicall";
const SEQUENCE = "system.sequence";

export interface DatabaseServiceOptions extends ConventionOptions {
  readonly directory: DatabaseDirectory;
  readonly admin: AdminDesk;
  readonly models: ModelCalls;
  readonly transactions: TransactionOptions | undefined;
  readonly defaultContext: Struct;
  readonly authenticateFirst: boolean;
}

/** The endpoint of databases: functions without one, functions of one, methods of models. */
export class DatabaseService implements Service {
  readonly ownSystemMethods: ReadonlySet<string> = new Set([NOOP, MULTICALL, SEQUENCE]);
  endpoints: readonly Endpoint[] = [];
  readonly #options: DatabaseServiceOptions;
  readonly #host: ServiceHost;
  /** With the `system.*` methods that are the same everywhere; for what is called inside a multicall. */
  readonly #whole: Service;
  /** What a request is for, since it was let in. */
  readonly #targets = new WeakMap<HttpExchange, OpenDatabase | "missing" | undefined>();

  constructor(options: DatabaseServiceOptions, host: ServiceHost) {
    this.#options = options;
    this.#host = host;
    this.#whole = withSystemMethods(this, host);
  }

  admit(exchange: HttpExchange): Awaitable<Admission> {
    return this.admitTo(exchange, databaseOf(exchange.path, exchange.query, this.#host.path));
  }

  /** Lets a request in for a database, or for none; throws HttpRefusal 404. */
  admitTo(exchange: HttpExchange, name: string | undefined): Awaitable<Admission> {
    if (name === undefined) {
      this.#targets.set(exchange, undefined);
      return { database: undefined, credentials: "unused" };
    }
    const admit = (target: OpenDatabase): Admission => {
      this.#targets.set(exchange, target);
      return { database: name, credentials: "required" };
    };
    const missing = (thrown: unknown): Admission => {
      // Whoever may not call at all does not learn which databases there are either.
      if (!this.#options.authenticateFirst || !(thrown instanceof HttpRefusal)) throw thrown;
      this.#targets.set(exchange, "missing");
      return { database: name, credentials: "required" };
    };
    try {
      const target = this.open(name);
      return isPromiseLike(target) ? Promise.resolve(target).then(admit, missing) : admit(target);
    } catch (thrown) {
      return missing(thrown);
    }
  }

  #targetOf(exchange: HttpExchange): OpenDatabase | undefined {
    const target = this.#targets.get(exchange);
    if (target === "missing") throw databaseNotFound();
    return target;
  }

  /** Throws HttpRefusal 404 for what is not there. No promise where the directory needs none. */
  open(name: string): Awaitable<OpenDatabase> {
    const opened = (database: Database | undefined): OpenDatabase => {
      if (database !== undefined) return { name, database };
      this.#options.models.forget(name);
      throw databaseNotFound();
    };
    const database = this.#options.directory.open(name);
    return isPromiseLike(database) ? Promise.resolve(database).then(opened) : opened(database);
  }

  names(): Awaitable<readonly string[]> {
    return this.#options.directory.list();
  }

  methods(exchange: HttpExchange): Awaitable<readonly MethodInfo[]> {
    const target = this.#targetOf(exchange);
    const { admin, models } = this.#options;
    if (target === undefined) return admin.methods();
    return databaseMethods(target, models, (method) => this.#host.mayCall?.(exchange, method) ?? true);
  }

  call(call: ServiceCall): Awaitable<unknown> {
    return this.#call(call, undefined);
  }

  /** `within`: the context of the multicall that it is part of. */
  #call(call: ServiceCall, within: Struct | undefined): Awaitable<unknown> {
    const { method, exchange, params } = call;
    const target = this.#targetOf(exchange);
    if (method === NOOP) return null;
    if (method === MULTICALL) return this.#multicall(call);
    if (method === SEQUENCE) return this.#sequence(call, target, within);
    if (target === undefined) return this.#options.admin.call(method, call, within === undefined);
    return this.callOn(target, method, databaseArguments(params, this.#options), call, within);
  }

  /** Whether a model is there with a method of this name that may be called. */
  has(target: OpenDatabase, model: string, method: string): boolean {
    try {
      this.#options.models.find(target, model, method);
      return true;
    } catch {
      return false;
    }
  }

  /** Calls a model's method or a database's function by its whole name. */
  callOn(target: OpenDatabase, name: string, given: Arguments, call: ServiceCall, within?: Struct): Awaitable<unknown> {
    const { models, defaultContext } = this.#options;
    const split = splitMethod(name);
    const found = models.find(target, split?.model, split?.method ?? name);
    return models.call(target, split?.model, found, inContext(given, defaultContext, within), call);
  }

  /** Each call on its own, one after the other, so that a later one finds what an earlier one has done. */
  async #multicall(call: ServiceCall): Promise<readonly MulticallItem[]> {
    const { calls, context } = multicallOf(call.params, this.#options);
    const most = this.#host.maxCallsPerBatch;
    if (calls.length > most) throw tooManyCalls(calls.length, most);
    const scope = scopeOf(call);
    const results: MulticallItem[] = [];
    for (const item of calls) {
      if (scope.cancelReason !== undefined) throw scope.cancelReason;
      try {
        results.push([(await this.#item(item, context, call)) ?? null]);
      } catch (thrown) {
        results.push(faultItem(this.#host.faultOf(inFault(thrown))));
      }
    }
    return results;
  }

  #item(item: unknown, context: Struct, call: ServiceCall): Awaitable<unknown> {
    if (!isStruct(item))
      throw new FaultError(FaultCode.InvalidRequest, `TypeError: a call must be a dict, got ${inWords(item)}`);
    const { methodName, params } = recordOf(item);
    if (typeof methodName !== "string")
      throw new FaultError(FaultCode.MethodNotFound, "TypeError: a call must have a methodName");
    if (!Array.isArray(params) && !isStruct(params))
      throw new FaultError(
        FaultCode.InvalidParams,
        `TypeError: a call must have params, got ${inWords(params ?? null)}`,
      );
    if (methodName === MULTICALL)
      throw new FaultError(FaultCode.Internal, "TypeError: system.multicall can not be called inside of itself");
    const inner = derivedCall(call, { method: methodName, params: params as Params });
    const isOwn = this.ownSystemMethods.has(methodName) || !methodName.startsWith("system.");
    return isOwn ? this.#call(inner, context) : this.#whole.call(inner);
  }

  #sequence(call: ServiceCall, target: OpenDatabase | undefined, within: Struct | undefined): Awaitable<unknown> {
    const sequence = sequenceOf(call.params, this.#options);
    const steps = sequence.pipeline.map(stepOf);
    const most = this.#host.maxCallsPerBatch;
    if (steps.length > most) throw tooManyCalls(steps.length, most);
    if (sequence.method.startsWith("system.")) throw typeError("a sequence begins with a method of a model");
    if (target === undefined) return this.#adminSequence(sequence, steps, call);
    const { defaultContext, models } = this.#options;
    const first = inContext(
      databaseArguments(sequence.params, this.#options),
      defaultContext,
      within,
      sequence.context,
    );
    const run = async (outer: CallContext, transaction: unknown): Promise<unknown> => {
      const part = { call, outer, transaction };
      const split = splitMethod(sequence.method);
      const found = models.find(target, split?.model, split?.method ?? sequence.method);
      let value = await models.step(target, split?.model, found, first, part);
      for (const { method, args, kwargs } of steps) {
        if (outer.cancelReason !== undefined) throw outer.cancelReason;
        if (!(value instanceof Records)) throw notRecords();
        const { model, ids }: Records = value;
        const given = { ...first, records: ids, args, kwargs };
        value = await models.step(target, model, models.find(target, model, method), given, part);
      }
      return value;
    };
    const timed = models.withReserved(call, first);
    return runHandler(this.#sequenceHandler(target, call, run), SEQUENCE_METHOD, undefined, timed, this.#host);
  }

  /** As one handler: a caller that goes away is answered at once, but the transaction ends only when the step under way has. */
  #sequenceHandler(
    { name }: OpenDatabase,
    call: ServiceCall,
    run: (outer: CallContext, transaction: unknown) => Promise<unknown>,
  ): Handler {
    const { transactions } = this.#options;
    return {
      ...NO_HANDLER,
      call: (_input, outer) => {
        if (transactions === undefined) return run(outer, undefined);
        const about = { database: name, model: undefined, method: SEQUENCE, idempotent: false };
        const who = { identity: call.exchange.identity, signal: outer.signal };
        return inTransaction(transactions, { ...about, ...who }, (transaction) => run(outer, transaction));
      },
    };
  }

  async #adminSequence({ method, params }: Sequence, steps: readonly unknown[], call: ServiceCall): Promise<unknown> {
    const value = await this.#options.admin.call(method, derivedCall(call, { method, params }), false);
    if (steps.length > 0) throw notRecords();
    return value;
  }
}

const ANY_VALUE: MessageShape = { codec: dynamicCodec, validate: undefined, jsonSchema: undefined };

/** A sequence as a call of its own. */
const SEQUENCE_METHOD: MethodDescriptor = Object.freeze({
  name: SEQUENCE,
  contract: "system",
  kind: "unary",
  input: ANY_VALUE,
  output: ANY_VALUE,
  progress: ANY_VALUE,
  errors: new Map<string, MessageShape>(),
  idempotent: false,
  timeoutMs: undefined,
  doc: undefined,
});

const NO_HANDLER: Pick<Handler, "contracts" | "method" | "stream"> = {
  contracts: [],
  method: () => undefined,
  stream: () => {
    throw notRecords();
  },
};

/** Later contexts stand above earlier ones, and a call's own above all. */
function inContext(given: Arguments, ...below: readonly (Struct | undefined)[]): Given {
  return { ...given, context: Object.assign(Object.create(null) as Struct, ...below, given.context) as Struct };
}

function notRecords(): AccessError {
  return new AccessError("Can only perform RPC calls on recordsets");
}

import { type Awaitable, type CallContext, type Handler, Metadata } from "@rpc/core";
import { isPromiseLike, type MethodDescriptor } from "@rpc/core/transport";
import { Header } from "../headers.ts";
import { fieldShapeOf } from "../server/field-shape.ts";
import { derivedCall } from "../server/front-call.ts";
import { HttpCallContext } from "../server/handler-context.ts";
import { inputFromArguments, outputOf } from "../server/parameters.ts";
import { callWithInput, misfit, wireOf } from "../server/router-service.ts";
import type { ServiceCall, ServiceHost } from "../server/service.ts";
import type { Wire } from "../server/wire-values.ts";
import type { Arguments } from "./conventions.ts";
import { beginCall, type Database, modelOf, openCall, OpenCall } from "./database-call.ts";
import { KeyCheck } from "./key-check.ts";
import { AccessError } from "../exceptions.ts";
import { noMethod, noModel, noModelName, quoted, typeError } from "./error-texts.ts";
import { inTransaction, type TransactionOptions } from "./transactions.ts";

/** A database that a request is for. */
export interface OpenDatabase {
  readonly name: string;
  readonly database: Database;
}

/** A method that was found. */
export interface FoundMethod {
  readonly handler: Handler;
  readonly descriptor: MethodDescriptor;
}

/** Arguments with the whole context of their call. */
export type Given = Omit<Arguments, "form">;

/** What a step of a sequence is part of. */
export interface SequenceStep {
  readonly call: ServiceCall;
  /** The sequence, as a call of its own. */
  readonly outer: CallContext;
  readonly transaction: unknown;
}

interface GuardedHandler {
  readonly handler: Handler;
  readonly guarded: Handler;
}

/** Finds methods of models and functions of databases, and calls them. */
export class ModelCalls {
  readonly #host: ServiceHost;
  readonly #functions: Handler | undefined;
  readonly #transactions: TransactionOptions | undefined;
  /** undefined: no replies are kept. */
  readonly #keys: KeyCheck | undefined;
  /** Guards by database and model, because each holds replies by the method's own name. */
  readonly #guards = new Map<string, Map<string, GuardedHandler>>();

  constructor(host: ServiceHost, functions: Handler | undefined, transactions: TransactionOptions | undefined) {
    this.#host = host;
    this.#functions = functions;
    this.#transactions = transactions;
    this.#keys = host.keptReplies === undefined ? undefined : new KeyCheck(host.clock, host.keptReplies);
  }

  functionsOf({ database }: OpenDatabase): Handler | undefined {
    return database.functions ?? this.#functions;
  }

  /** Throws FaultError -32601 for what is not there, AccessError for a private name. */
  find(target: OpenDatabase, model: string | undefined, method: string): FoundMethod {
    // Before anything is looked up: private methods are no more there for whoever asks nicely.
    if (method.startsWith("_"))
      throw new AccessError(`'${quoted(method)}' is a private method and can not be called over RPC`);
    if (model === undefined) {
      const functions = this.functionsOf(target);
      const found = functions === undefined ? undefined : methodOf(functions, undefined, method);
      if (found === undefined) throw noModelName(method);
      return found;
    }
    const handler = modelOf(target.database, model);
    if (handler === undefined) throw noModel(model);
    const found = methodOf(handler, model, method);
    if (found === undefined) throw noMethod(model, method);
    return found;
  }

  /** Calls it with the arguments of one convention. Throws FaultError -32602 for arguments that do not fit. */
  call(
    target: OpenDatabase,
    model: string | undefined,
    found: FoundMethod,
    given: Given,
    call: ServiceCall,
  ): Awaitable<unknown> {
    const { descriptor } = found;
    const handler = this.#guarded(target.name, model ?? "", found.handler);
    const open = openedCall(target, model, given, call, undefined);
    const timed = this.withReserved(call, given);
    const ended = this.#beginKey(target, model, descriptor, given, timed);
    const run = (input: unknown): Awaitable<unknown> =>
      callWithInput(handler, descriptor, input, timed, {
        clock: this.#host.clock,
        onError: (error) => this.#host.onError(error),
        prepare: (context) => beginCall(context, open),
      });
    const refuse = (thrown: unknown): Promise<never> => this.#misfit(descriptor, call, thrown);
    const start = (): Awaitable<unknown> => {
      let input: Awaitable<unknown>;
      try {
        input = fittingInput(descriptor, given, wireOf(call));
      } catch (thrown) {
        return refuse(thrown);
      }
      return isPromiseLike(input) ? Promise.resolve(input).then(run, refuse) : run(input);
    };
    return ended === undefined ? start() : ending(start, ended);
  }

  #beginKey(
    target: OpenDatabase,
    model: string | undefined,
    descriptor: MethodDescriptor,
    { records, context }: Given,
    { idempotencyKey, exchange }: ServiceCall,
  ): (() => void) | undefined {
    const { identity = exchange.header(Header.instanceId) ?? "" } = exchange;
    // Nobody's replies are kept, and the next one without a name may use the same key.
    if (idempotencyKey === undefined || identity === "") return undefined;
    return this.#keys?.begin(identity, target.name, wholeName(model, descriptor), idempotencyKey, [records, context]);
  }

  /** The same as part of a transaction that is open, for a call that has a life of its own: it is never answered from kept replies. */
  async step(
    target: OpenDatabase,
    model: string | undefined,
    { handler, descriptor }: FoundMethod,
    given: Given,
    { call, outer, transaction }: SequenceStep,
  ): Promise<unknown> {
    const wire = wireOf(call);
    let input: unknown;
    try {
      input = await fittingInput(descriptor, given, wire);
    } catch (thrown) {
      return this.#misfit(descriptor, call, thrown);
    }
    const context = new HttpCallContext(descriptor, derivedCall(call, { metadata: call.metadata }), outer.deadline);
    beginCall(context, openedCall(target, model, given, call, { transaction }));
    outer.onCancel(context);
    try {
      const output: unknown = await this.#guarded(target.name, model ?? "", handler).call(input, context);
      return outputOf(descriptor, output, wire);
    } finally {
      outer.onCancel(undefined);
    }
  }

  #misfit(descriptor: MethodDescriptor, call: ServiceCall, thrown: unknown): Promise<never> {
    return misfit(descriptor, call, thrown, (exchange, method) => this.#host.mayCall?.(exchange, method) ?? true);
  }

  /** No guard outlives its database. */
  forget(name: string): void {
    this.#guards.delete(name);
  }

  /** A call with the deadline, the key and the trace that its subject names. */
  withReserved(call: ServiceCall, { timeout, idempotencyKey, trace }: Given): ServiceCall {
    if (timeout === undefined && idempotencyKey === undefined && trace === undefined) return call;
    const metadata = trace === undefined ? call.metadata : new Metadata(call.metadata).set("traceparent", trace);
    const deadline = timeout === undefined ? undefined : this.#host.clock.now() + timeout * 1_000;
    return derivedCall(call, { deadline, metadata, idempotencyKey: idempotencyKey ?? call.idempotencyKey });
  }

  /** The transaction is inside of the guards: a reply is kept only when it was committed. */
  #guarded(database: string, model: string, handler: Handler): Handler {
    let models = this.#guards.get(database);
    if (models === undefined) this.#guards.set(database, (models = new Map()));
    let known = models.get(model);
    if (known?.handler !== handler) {
      const transactions = this.#transactions;
      const inside: Handler =
        transactions === undefined
          ? handler
          : {
              contracts: handler.contracts,
              method: (name, kind) => handler.method(name, kind),
              stream: handler.stream,
              call: (input, context) => callInTransaction(handler, input, context, transactions),
            };
      models.set(model, (known = { handler, guarded: this.#host.guard(inside) }));
    }
    return known.guarded;
  }
}

async function ending(start: () => Awaitable<unknown>, ended: () => void): Promise<unknown> {
  try {
    return await start();
  } finally {
    ended();
  }
}

function openedCall(
  { name }: OpenDatabase,
  model: string | undefined,
  { records, context, subject }: Given,
  call: ServiceCall,
  joined: { readonly transaction: unknown } | undefined,
): OpenCall {
  const about = { database: name, model, records, context, subject, identity: call.exchange.identity };
  return new OpenCall(about, joined !== undefined, joined?.transaction);
}

/** What a validator would say in its own words is said here in those that callers of this endpoint know. */
function fittingInput(descriptor: MethodDescriptor, { args, kwargs }: Given, wire: Wire): Awaitable<unknown> {
  const shape = fieldShapeOf(descriptor.input);
  if (shape !== undefined && shape.fields.size > 0) {
    let position = 0;
    for (const name of shape.fields.keys()) {
      if (position >= args.length && shape.required.has(name) && !Object.hasOwn(kwargs, name))
        throw typeError(`missing a required argument: '${name}'`);
      position += 1;
    }
  }
  return inputFromArguments(descriptor, args, kwargs, wire);
}

function callInTransaction(
  handler: Handler,
  input: unknown,
  context: CallContext,
  transactions: TransactionOptions,
): Awaitable<unknown> {
  const open = openCall(context);
  if (open === undefined || open.joined) return handler.call(input, context);
  const { database, model, identity } = open;
  const { idempotent } = context.method;
  const about = { database, model, identity, idempotent, signal: context.signal };
  return inTransaction(transactions, { ...about, method: wholeName(model, context.method) }, (transaction) => {
    open.transaction = transaction;
    return handler.call(input, context);
  });
}

/** As it was called: the model's name and not the contract's. */
function wholeName(model: string | undefined, { name }: MethodDescriptor): string {
  const short = name.slice(name.lastIndexOf(".") + 1);
  return model === undefined ? short : `${model}.${short}`;
}

/** By its short name in any of the handler's contracts, whose names need not be the model's; a gateway is asked for the whole name. */
function methodOf(handler: Handler, model: string | undefined, name: string): FoundMethod | undefined {
  for (const { methods } of handler.contracts) {
    const descriptor = methods.get(name);
    if (descriptor !== undefined && isCallable(descriptor)) return { handler, descriptor };
  }
  const whole = model === undefined ? name : `${model}.${name}`;
  const descriptor = handler.method(whole, "unary") ?? handler.method(whole, "notification");
  return descriptor === undefined ? undefined : { handler, descriptor };
}

export function isCallable({ kind }: MethodDescriptor): boolean {
  return kind === "unary" || kind === "notification";
}

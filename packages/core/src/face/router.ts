import type { CallContext } from "../words/call-context.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import {
  type Contract,
  type ContractMethod,
  DESCRIPTOR,
  HOSTED_QUEUE,
  type HostedQueue,
  type ImplementationOf,
  type JobHandler,
  type MethodDefinition,
  type RouterMember,
  type RouterOf,
} from "../words/contract.ts";
import type { ContractDescriptor, MethodDescriptor, MethodKind } from "../words/method.ts";
import type { Gauge, MetricsSource } from "../words/metrics.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { OverflowPolicy, TopicPort } from "../words/topics.ts";
import {
  type CallPort,
  type Handler,
  type Interceptor,
  type PatternPorts,
  SERVING,
  type ServingHalf,
} from "../words/transport.ts";
import type { WorkQueue } from "../words/work-queue.ts";
import type { JobQueue } from "../machines/job-queue.ts";
import { DEFAULT_TOPIC_LIMITS, TopicHub, type TopicLimits } from "../machines/topic-hub.ts";
import { intercept } from "../tools/interceptors.ts";
import { checkHandlerCopy, checkServed } from "./check-served.ts";
import { checkCount } from "./consumer.ts";
import type { RouterQueue } from "./jobs.ts";
import { kindPartsOf } from "./kind-parts.ts";
import { routerGauges } from "./observe/router-gauges.ts";
import { type MethodFunction, ServedMethod } from "./served-method.ts";
import { servingHalf } from "./serving.ts";
import { RouterEvent } from "./topics.ts";

export interface RouterOptions {
  /** Wrap every call of this router, the first one outermost. They see the input before it is validated. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * Whether outputs are validated before they leave. A schema that changes values (defaults, transforms) needs it, so that callers
   * get what their types say. Default: true.
   */
  readonly validateOutput?: boolean;
  /** Limits of the events that are published here. */
  readonly topics?: { readonly [Name in keyof TopicLimits]?: TopicLimits[Name] | undefined };
  /** Where delays and deadlines of jobs come from. Default: the process's clock. */
  readonly clock?: Clock | undefined;
  /** Errors that nobody hears of: of a `deadLetter`. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/**
 * A contract with the functions behind it: what a listener serves. Its events and jobs are members by name, to publish and to submit; one
 * that is named like a member of every router (`call`, `stream`, `read`, …) is had by `routerMember`. It may be served by many listeners.
 */
export function createRouter<C extends Contract>(
  contract: C,
  implementation: ImplementationOf<C>,
  options: RouterOptions = {},
): RouterOf<C> {
  // Its members are made from this very contract: the one place where its type is proved by construction.
  return new ContractRouter(contract[DESCRIPTOR], implementation, options) as Handler & MetricsSource as RouterOf<C>;
}

/** An event or a job of a router, whatever its name: `routerMember(router, Bot.call).publish(…)`. Throws INVALID_ARGUMENT for what it does not have. */
export function routerMember<D extends MethodDefinition<"event" | "job">>(
  router: Handler,
  method: ContractMethod<D>,
): RouterMember<D> {
  const { name } = method[DESCRIPTOR];
  const member = ContractRouter.memberOf(router, name);
  if (member === undefined)
    throw new RpcError("INVALID_ARGUMENT", `${name} is no event and no job of this router`, {
      reason: "INVALID_ARGUMENT",
    });
  // Made from the contract that the method is of, under its name.
  return member as unknown as RouterMember<D>;
}

class ContractRouter implements Handler, MetricsSource {
  readonly contracts: readonly ContractDescriptor[];
  readonly call: CallPort["call"];
  readonly stream: CallPort["stream"];
  readonly topicPort: TopicPort | undefined;
  readonly workQueue: WorkQueue | undefined;
  // Set in the constructor: bundlers keep a class with a computed member in every page.
  declare readonly [SERVING]: ServingHalf;
  readonly #methods = new Map<string, ServedMethod>();
  /** What is no call: events and jobs. */
  readonly #patterns = new Map<string, MethodDescriptor>();
  readonly #members = new Map<string, RouterEvent | RouterQueue>();

  static memberOf(router: Handler, name: string): RouterEvent | RouterQueue | undefined {
    return #members in router ? router.#members.get(name) : undefined;
  }

  constructor(contract: ContractDescriptor, implementation: object, options: RouterOptions) {
    const { interceptors = [], validateOutput = true, clock = systemClock } = options;
    this[SERVING] = servingHalf;
    this.contracts = [contract];
    const served = (context: CallContext): ServedMethod =>
      this.#methods.get(context.method.name) ?? notServed(context.method.name);
    const port: CallPort = {
      call: (input, context) => served(context).call(input, context),
      stream: (input, context) => served(context).stream(input, context),
    };
    ({ call: this.call, stream: this.stream } = intercept(port, interceptors));
    const hub = new TopicHub(clock, topicLimits(options));
    const queues = new Map<string, JobQueue>();
    for (const [short, method] of contract.methods) {
      checkServed(method);
      const member = memberOf(implementation, short);
      if (method.kind === "event") {
        this.#join(short, method, new RouterEvent(hub.add(method), validateOutput));
      } else if (method.kind === "job") {
        const desk = this.#host(method, member, implementation, options, clock);
        queues.set(method.name, desk.queue);
        this.#join(short, method, desk);
      } else if (typeof member === "function") {
        // Its type was proved by `ImplementationOf`; from here on it is called by the shape of its method.
        const run = member.bind(implementation) as MethodFunction;
        this.#methods.set(method.name, new ServedMethod(method, run, validateOutput));
      } else {
        throw lacking(`${method.name}: the implementation has no function of this name`);
      }
    }
    this.topicPort = [...this.#patterns.values()].some(({ kind }) => kind === "event") ? hub : undefined;
    this.workQueue = queues.size > 0 ? queuesByName(queues) : undefined;
  }

  method(name: string, kind: MethodKind): MethodDescriptor | undefined {
    const method = this.#methods.get(name)?.method ?? this.#patterns.get(name);
    return method?.kind === kind ? method : undefined;
  }

  /** How many jobs wait and run, with how many consumers, and how many have subscribed. */
  read(): readonly Gauge[] {
    return routerGauges(this.#members);
  }

  #join(short: string, method: MethodDescriptor, member: RouterEvent | RouterQueue): void {
    this.#patterns.set(method.name, method);
    this.#members.set(method.name, member);
    // A member of every router keeps its meaning.
    if (!(short in this)) Object.defineProperty(this, short, { value: member, enumerable: true });
  }

  #host(
    method: MethodDescriptor,
    member: unknown,
    implementation: object,
    options: RouterOptions,
    clock: Clock,
  ): RouterQueue {
    if (!isJobImplementation(member))
      throw lacking(`${method.name}: the implementation has neither { handle } nor workQueue() of this name`);
    const handle = HOSTED_QUEUE in member ? member.local?.handle : member.handle;
    if (handle !== undefined) {
      const run = (input: unknown, context: CallContext): unknown => handle.call(implementation, input, context);
      this.#methods.set(method.name, new ServedMethod(method, run, options.validateOutput ?? true));
    }
    const host = kindPartsOf(method).host ?? notServed(method.name);
    return host(method, member, options, clock, (input, context) => this.call(input, context));
  }
}

function isJobImplementation(member: unknown): member is HostedQueue | JobHandler<unknown, unknown> {
  if (typeof member !== "object" || member === null) return false;
  return HOSTED_QUEUE in member || ("handle" in member && typeof member.handle === "function");
}

function lacking(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

function topicLimits({ topics = {} }: RouterOptions): TopicLimits {
  const limits: Record<string, number | readonly OverflowPolicy[]> = { ...DEFAULT_TOPIC_LIMITS };
  const { policies, ...numbers } = DEFAULT_TOPIC_LIMITS;
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[])
    limits[name] = checkCount(topics[name] ?? numbers[name], `option topics.${name}`, 1);
  const allowed = topics.policies ?? policies;
  if (allowed.length === 0 || !allowed.every((policy) => policies.includes(policy)))
    throw lacking(`option topics.policies must name some of ${policies.join(", ")}`);
  limits["policies"] = allowed;
  return limits as unknown as TopicLimits;
}

function queuesByName(queues: ReadonlyMap<string, JobQueue>): WorkQueue {
  const queueOf = ({ method }: CallContext): JobQueue => queues.get(method.name) ?? notServed(method.name);
  return {
    submit: (request, context, submitter) => queueOf(context).submit(request, context, submitter),
    consume: (context, taker) => queueOf(context).consume(context, taker),
  };
}

/** A member that the implementation or its class brings: what every object inherits implements nothing. */
function memberOf(implementation: object, name: string): unknown {
  for (
    let owner: object | null = implementation;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    if (Object.hasOwn(owner, name)) return Reflect.get(implementation, name);
  }
  return undefined;
}

function notServed(name: string): never {
  throw new RpcError("UNIMPLEMENTED", `${name} is not served here`, { reason: "METHOD_NOT_FOUND" });
}

/** Several handlers as one. Each contract may be served once; a handler without contracts (a gateway) takes what is left. */
export function mergeRouters(...handlers: readonly Handler[]): Handler {
  const owners = new Map<string, Handler>();
  for (const handler of handlers) {
    checkHandlerCopy(handler);
    for (const contract of handler.contracts) {
      if (owners.has(contract.name)) {
        throw new RpcError("INVALID_ARGUMENT", `contract ${contract.name} is served twice; merge each contract once`, {
          reason: "INVALID_ARGUMENT",
        });
      }
      owners.set(contract.name, handler);
    }
  }
  const rest = handlers.find((handler) => handler.contracts.length === 0);
  const owner = (contract: string): Handler | undefined => owners.get(contract) ?? rest;
  const owning = (context: CallContext): Handler => owner(context.method.contract) ?? notServed(context.method.name);
  return {
    ...mergedPorts(handlers, (context) => owner(context.method.contract)),
    [SERVING]: servingHalf,
    contracts: handlers.flatMap((handler) => handler.contracts),
    method: (name, kind) => owner(name.slice(0, Math.max(0, name.lastIndexOf("."))))?.method(name, kind),
    call: (input, context) => owning(context).call(input, context),
    stream: (input, context) => owning(context).stream(input, context),
  };
}

function mergedPorts(handlers: readonly Handler[], owner: (context: CallContext) => Handler | undefined): PatternPorts {
  const topics = (context: CallContext): TopicPort => owner(context)?.topicPort ?? notServed(context.method.name);
  const queue = (context: CallContext): WorkQueue => owner(context)?.workQueue ?? notServed(context.method.name);
  return {
    topicPort: handlers.some(({ topicPort }) => topicPort !== undefined)
      ? { subscribe: (request, context, sink) => topics(context).subscribe(request, context, sink) }
      : undefined,
    workQueue: handlers.some(({ workQueue }) => workQueue !== undefined)
      ? {
          submit: (request, context, submitter) => queue(context).submit(request, context, submitter),
          consume: (context, taker) => queue(context).consume(context, taker),
        }
      : undefined,
  };
}

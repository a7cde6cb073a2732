import type { CallOptions, HandlerContext, LogLine } from "./call-context.ts";
import type { BinaryMessageCodec } from "./message-codec.ts";
import type { Metadata } from "./metadata.ts";
import type { ContractDescriptor, MethodDescriptor, MethodKind, MethodParts } from "./method.ts";
import type { MetricsSource } from "./metrics.ts";
import type { RpcError } from "./rpc-error.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { EventClient, EventPublisher } from "./topics.ts";
import type { Awaitable, Handler } from "./transport.ts";
import type { DeadJob, JobClient, JobContext, JobDesk } from "./work-queue.ts";

/** A protobuf message as a schema: what `@rpc/protobuf` generates or reads from a `.proto`. */
export interface MessageType<T = unknown> {
  /** Full protobuf name, such as `buildbot.BuildOrder`. */
  readonly typeName: string;
  readonly codec: BinaryMessageCodec<T>;
  readonly jsonSchema?: (() => unknown) | undefined;
}

/** What describes a message: any Standard Schema validator, a protobuf message, or nothing (a dynamic value). */
export type Schema = StandardSchema | MessageType | undefined;

/** What a sender passes: a schema's input side. */
export type SentBy<S> = S extends StandardSchema<infer I, infer _> ? I : S extends MessageType<infer T> ? T : unknown;
/** What a receiver gets: a schema's output side. */
export type ReceivedBy<S> =
  S extends StandardSchema<infer _, infer O> ? O : S extends MessageType<infer T> ? T : unknown;

/** Errors that a method declares: reason → shape of the details. */
export type ErrorSchemas = Readonly<Record<string, Schema>>;

/** One method in a contract, with its types. Made by `unary()` and its siblings. */
export interface MethodDefinition<
  Kind extends MethodKind = MethodKind,
  Input extends Schema = Schema,
  Output extends Schema = Schema,
  Progress extends Schema = Schema,
  Errors extends ErrorSchemas = ErrorSchemas,
> {
  readonly kind: Kind;
  /** Brings the kind to life, and is nobody else's business. */
  readonly parts?: MethodParts | undefined;
  readonly input: Input;
  readonly output: Output;
  readonly progress: Progress;
  readonly errors: Errors;
  readonly idempotent: boolean;
  readonly timeoutMs: number | undefined;
  readonly maxAttempts: number | undefined;
  readonly lastValue?: boolean | undefined;
  readonly doc: string | undefined;
}

export type MethodDefinitions = Readonly<Record<string, MethodDefinition>>;

/** Key of the machine's view of a contract or of one of its methods; a symbol, so that it collides with no method name. */
export const DESCRIPTOR: unique symbol = Symbol.for("@rpc/core/descriptor") as never;

/** Type-only key that keeps a method's definition inferable; it does not exist at run time. */
export declare const DEFINITION: unique symbol;

/** One contract: its methods by name, each with its declared errors. */
export type Contract<Methods extends MethodDefinitions = MethodDefinitions> = {
  readonly [Name in keyof Methods]: ContractMethod<Methods[Name]>;
} & {
  readonly [DESCRIPTOR]: ContractDescriptor;
  readonly [DEFINITION]?: Methods;
};

/** A method of a contract as a value: makes and recognises its declared errors. */
export interface ContractMethod<Definition extends MethodDefinition = MethodDefinition> {
  readonly [DESCRIPTOR]: MethodDescriptor;
  readonly [DEFINITION]?: Definition;
  /** An error that this method declares, for the handler to throw. The code is `FAILED_PRECONDITION` unless said otherwise. */
  error<Reason extends keyof Definition["errors"] & string>(
    reason: Reason,
    details: SentBy<Definition["errors"][Reason]>,
    options?: { readonly code?: import("./status.ts").StatusCode; readonly message?: string },
  ): RpcError<SentBy<Definition["errors"][Reason]>>;
  /** Whether a caught value is this declared error; narrows its details. */
  isError<Reason extends keyof Definition["errors"] & string>(
    caught: unknown,
    reason: Reason,
  ): caught is RpcError<ReceivedBy<Definition["errors"][Reason]>> & {
    readonly reason: Reason;
    readonly details: ReceivedBy<Definition["errors"][Reason]>;
  };
}

/** The definitions inside a contract's type. */
export type MethodsOf<C> = C extends { readonly [DEFINITION]?: infer Methods } ? NonNullable<Methods> : never;

/** The typed client of a contract. */
export type ClientOf<C> = { readonly [Name in keyof MethodsOf<C>]: ClientMethod<MethodsOf<C>[Name]> };

/** Arguments of a call: the input may be left out where the schema allows undefined. */
type InputArguments<Input, Options> = undefined extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/** What a client offers for one method. */
export type ClientMethod<D> =
  D extends MethodDefinition<infer Kind, infer I, infer O, infer P, infer _>
    ? Kind extends "unary"
      ? {
          (...args: InputArguments<SentBy<I>, CallOptions>): Promise<ReceivedBy<O>>;
          /** Starts the call and gives its handle: id, cancel, progress, log, state. */
          start(...args: InputArguments<SentBy<I>, CallOptions>): CallHandle<ReceivedBy<O>, ReceivedBy<P>>;
        }
      : Kind extends "serverStream"
        ? (...args: InputArguments<SentBy<I>, CallOptions>) => AsyncIterable<ReceivedBy<O>>
        : Kind extends "clientStream"
          ? (input: Streamable<SentBy<I>>, options?: CallOptions) => Promise<ReceivedBy<O>>
          : Kind extends "bidiStream"
            ? (input: Streamable<SentBy<I>>, options?: CallOptions) => AsyncIterable<ReceivedBy<O>>
            : Kind extends "notification"
              ? (...args: InputArguments<SentBy<I>, CallOptions>) => Promise<void>
              : Kind extends "event"
                ? EventClient<ReceivedBy<O>>
                : Kind extends "job"
                  ? JobClient<SentBy<I>, ReceivedBy<O>, ReceivedBy<I>, SentBy<O>>
                  : never
    : never;

export type Streamable<T> = AsyncIterable<T> | Iterable<T>;

/** A started call. Awaiting it gives the output; it is the same object on every transport. */
export interface CallHandle<Output, Progress = unknown> extends PromiseLike<Output> {
  /** Equal to `ctx.id` in the handler and to the id in the logs of both ends. */
  readonly id: string;
  readonly state: CallState;
  /** What the handler reports, live, until the call has settled. One reader. */
  readonly progress: AsyncIterable<Progress>;
  /** What the handler logs, live, until the call has settled. One reader. */
  readonly log: AsyncIterable<LogLine>;
  /** What the handler sent beside its reply; complete when the call has settled. */
  readonly responseMetadata: Metadata;
  /** Ends the call: it rejects CANCELLED at once and the handler's signal aborts with the reason. No effect once settled. */
  cancel(reason?: string): Promise<void>;
  catch<T>(recover: (reason: unknown) => T | PromiseLike<T>): Promise<Output | T>;
  finally(run: () => void): Promise<Output>;
}

export type CallState = "running" | "done" | "failed" | "cancelled";

/** What a router needs for each method of a contract. Events need nothing: they are published through the router. */
export type ImplementationOf<C> = {
  readonly [
    Name in keyof MethodsOf<C> as MethodsOf<C>[Name] extends MethodDefinition<"event"> ? never : Name
  ]: MethodHandler<MethodsOf<C>[Name]>;
};

/** The function behind one method. */
export type MethodHandler<D> =
  D extends MethodDefinition<infer Kind, infer I, infer O, infer _P, infer _E>
    ? Kind extends "unary"
      ? (input: ReceivedBy<I>, context: HandlerContext) => Awaitable<SentBy<O>>
      : Kind extends "serverStream"
        ? (input: ReceivedBy<I>, context: HandlerContext) => Streamable<SentBy<O>>
        : Kind extends "clientStream"
          ? (input: AsyncIterable<ReceivedBy<I>>, context: HandlerContext) => Awaitable<SentBy<O>>
          : Kind extends "bidiStream"
            ? (input: AsyncIterable<ReceivedBy<I>>, context: HandlerContext) => Streamable<SentBy<O>>
            : Kind extends "notification"
              ? (input: ReceivedBy<I>, context: HandlerContext) => Awaitable<void>
              : Kind extends "job"
                ? JobHandler<ReceivedBy<I>, SentBy<O>> | HostedQueue<ReceivedBy<I>, SentBy<O>>
                : never
    : never;

/** Jobs that are worked on where they are queued; other consumers may come from outside all the same. */
export interface JobHandler<Input, Output> {
  /** Jobs at once. Default: 1. */
  readonly concurrency?: number;
  readonly handle: (input: Input, context: JobContext) => Awaitable<Output>;
}

/** Marks what `workQueue()` makes. */
export const HOSTED_QUEUE: unique symbol = Symbol.for("@rpc/core/hosted-queue") as never;

/** A queue in memory, made by `workQueue()`: its jobs wait here for consumers, and are gone with the process. */
export interface HostedQueue<Input = unknown, Output = unknown> extends WorkQueueOptions<Input, Output> {
  readonly [HOSTED_QUEUE]: true;
}

export interface WorkQueueOptions<Input = unknown, Output = unknown> {
  /** Tries of a job; its submitter may ask for fewer. Default: the contract's, or 5. */
  readonly maxAttempts?: number | undefined;
  /** Jobs that wait or run; the surplus is refused RESOURCE_EXHAUSTED. Default: 100,000. */
  readonly maxJobs?: number | undefined;
  /** The same in bytes of their inputs. Default: 256 MiB. */
  readonly maxJobsBytes?: number | undefined;
  /** Pause before a job that has failed is tried again, or how long it is by the number of the try that failed. Default: 100 ms, doubled each time, 30 s at most. From 0 to a day; what a function gives beyond counts as a day, and what is no such number as the default. */
  readonly retryDelayMs?: number | ((attempt: number) => number) | undefined;
  /** Told of each job that ended in failure after it was started: its attempts were used up, or its error said that no other can help. What it throws, now or later, goes to `onError`. */
  readonly deadLetter?: ((job: DeadJob, error: RpcError) => Awaitable<void>) | undefined;
  /** A consumer in this process. Default: none. */
  readonly local?: JobHandler<Input, Output> | undefined;
}

/**
 * What a router offers beside serving: its events are published and its jobs submitted by name, and its numbers can be read. Names of a
 * router's own stay its own.
 */
export type RouterOf<C> = Handler &
  MetricsSource & {
    readonly [
      Name in keyof MethodsOf<C> as Name extends keyof (Handler & MetricsSource)
        ? never
        : MethodsOf<C>[Name] extends MethodDefinition<"event" | "job">
          ? Name
          : never
    ]: RouterMember<MethodsOf<C>[Name]>;
  };

/** What a router offers for one event or job. */
export type RouterMember<D> =
  D extends MethodDefinition<infer Kind, infer I, infer O, infer _P, infer _E>
    ? Kind extends "event"
      ? EventPublisher<SentBy<O>>
      : Kind extends "job"
        ? JobDesk<SentBy<I>, ReceivedBy<O>>
        : never
    : never;

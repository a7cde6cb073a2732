import type {
  Awaitable,
  CallContext,
  CallerCredentials,
  Capabilities,
  Clock,
  Compression,
  Contract,
  EnvelopeCodec,
  Handler,
  Interceptor,
  Listener,
  ListenerCredentials,
  SessionLimits,
  Transport,
} from "@rpc/core/transport";
import {
  type CallHandle,
  type CallOptions,
  type ClientOf,
  createClient,
  createRouter,
  defineContract,
  unary,
} from "@rpc/core";
import type { ChannelPair, ChannelPairOptions } from "./channel-bench.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { SuiteCase, SuiteOptions } from "./suite.ts";

/** What the suite asks a fresh pair of transport and listener to be. */
export interface TransportPairOptions {
  /** What the listener serves. */
  readonly handler: Handler;
  /** What the dialing end serves to the other, on a transport with `duplex`. */
  readonly serve?: Handler | undefined;
  /** Time for both ends. */
  readonly clock: Clock;
  /** Limits of the listener. */
  readonly limits?: Partial<SessionLimits> | undefined;
  /** Limits of the transport. */
  readonly callerLimits?: Partial<SessionLimits> | undefined;
  /** Whether the listener lets stack traces out. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Where the listener says what belongs to no caller, such as a notification that failed. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** What the two ends prove to each other; spread each over the options of its end. For a transport that declares `authentication`. */
  readonly credentials?: PairCredentials | undefined;
}

/** What the listener asks for, and what the transport has to show. */
export interface PairCredentials {
  readonly listener: ListenerCredentials;
  readonly caller: CallerCredentials;
}

/** A transport that reaches a listener, and what the suite may do to the wire between them. */
export interface TransportPair {
  readonly transport: Transport;
  /** Missing where nothing listens, as in memory. */
  readonly listener?: Listener | undefined;
  /** Frees everything; either end may be closed already. */
  readonly close: () => Promise<void>;
  /** One more transport to the same listener. */
  readonly another?: (() => Transport) | undefined;
  /** Cuts every connection from beneath, as a network does. For a transport that declares `reconnect` or `resume`. */
  readonly cut?: (() => Promise<void> | void) | undefined;
  /** Ends the listener and starts it again on the same endpoint. For a transport that declares `reconnect`. */
  readonly restart?: (() => Promise<void>) | undefined;
}

/** The wire beneath a transport that rests on a channel: lets the suite speak raw envelopes and put faults between the ends. */
export interface Wire {
  readonly codec: EnvelopeCodec;
  /** Compressions that the transport offers, the best one first. For one that declares `compression`. */
  readonly compressions?: readonly Compression[] | undefined;
  connect(options: ChannelPairOptions): Promise<ChannelPair>;
}

/** What `transportSuite` takes: a runner, a name and a factory; the wire where there is one. */
export interface TransportSuiteOptions extends SuiteOptions {
  readonly factory: (options: TransportPairOptions) => Promise<TransportPair>;
  readonly wire?: Wire | undefined;
  /**
   * What a wire whose form is somebody else's has no words for, each with the sentence that documents it: a value by its name in the table of
   * C23, {@link CANCEL_REASON}, {@link KIND_OF_CALL}, {@link REFUSAL_WHILE_DRAINING}, {@link STREAM_CREDITS}. A value must be lost indeed: what travels after all is red.
   */
  readonly losses?: Readonly<Record<string, string>> | undefined;
}

/** A loss: the handler's signal aborts, but not with the caller's reason. */
export const CANCEL_REASON = "reason of a cancel";
/** A loss: a request does not say as what kind of method its caller knows it. */
export const KIND_OF_CALL = "kind of a call";
/** A loss: a call made while its listener drains is not refused; it waits for the next one. */
export const REFUSAL_WHILE_DRAINING = "refusal while draining";
/** A loss: nobody holds a stream's producer back; what its reader does not take waits on the way. */
export const STREAM_CREDITS = "credits of a stream";

/** What a case may say about the pair it wants. */
export type ConnectOptions = Omit<TransportPairOptions, "handler" | "clock">;

/** For cases about a connection that is lost for good: nobody comes back to its session. */
export const WITHOUT_RESUME: Pick<TransportPairOptions, "limits" | "callerLimits"> = {
  limits: { resumeWindowMs: 0 },
  callerLimits: { resumeWindowMs: 0 },
};

/** What a transport case works with. */
export interface TransportBench {
  readonly clock: FakeClock;
  readonly capabilities: Capabilities;
  connect(handler: Handler, options?: ConnectOptions): Promise<TransportPair>;
  readonly wire: Wire | undefined;
  /** Whether the wire documents that it loses this. */
  loses(what: string): boolean;
  /** Runs at the end of the case, whatever comes of it. */
  defer(cleanUp: () => Promise<void> | void): void;
}

/** A case on a transport. */
export interface TransportCase extends SuiteCase<TransportBench> {
  /** Speaks raw envelopes or puts faults on the wire: only for transports that rest on a channel. */
  readonly onWire: boolean;
}

/** A case on a transport, cited by its requirement. */
export function proves(id: string, behaviour: string, run: (bench: TransportBench) => Promise<void>): TransportCase {
  return { id, behaviour, run, onWire: false };
}

/** A case beneath a transport: on its channel, with raw envelopes or with faults. */
export function provesOnWire(
  id: string,
  behaviour: string,
  run: (bench: TransportBench & { readonly wire: Wire }) => Promise<void>,
): TransportCase {
  return {
    id,
    behaviour,
    onWire: true,
    run: async (bench) => {
      const { wire } = bench;
      if (wire !== undefined) await run({ ...bench, wire });
    },
  };
}

/** A client of the contract with one method, `run`, that takes and gives any dynamic value. */
export interface OneClient {
  readonly run: {
    (input?: unknown, options?: CallOptions): Promise<unknown>;
    start(input?: unknown, options?: CallOptions): CallHandle<unknown>;
  };
}

/** Both ends of the contract with one method. */
export interface OneEnds {
  readonly client: OneClient;
  readonly pair: TransportPair;
}

const One = defineContract("testkit.One", { run: unary() });

/** A handler that serves the one method. */
export function serveOne(run: (input: unknown, context: CallContext) => Awaitable<unknown>): Handler {
  return createRouter(One, { run });
}

/** A client whose deadlines come from the clock of the case. */
export function clientOf<C extends Contract>(
  bench: Pick<TransportBench, "clock">,
  contract: C,
  transport: Transport,
  interceptors: readonly Interceptor[] = [],
): ClientOf<C> {
  return createClient(contract, transport, { clock: bench.clock, interceptors });
}

/** A client of the one method. */
export function clientOfOne(bench: Pick<TransportBench, "clock">, transport: Transport): OneClient {
  return clientOf(bench, One, transport);
}

/** Serves one method and gives its client: the start of most cases. */
export async function one(
  bench: TransportBench,
  run: (input: unknown, context: CallContext) => Awaitable<unknown>,
  options?: ConnectOptions,
): Promise<OneEnds> {
  const pair = await bench.connect(serveOne(run), options);
  return { client: clientOfOne(bench, pair.transport), pair };
}

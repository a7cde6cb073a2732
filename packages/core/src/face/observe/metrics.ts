import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import type { MethodDescriptor, MethodKind } from "../../words/method.ts";
import type { Gauge, MetricsSource } from "../../words/metrics.ts";
import { RpcError } from "../../words/rpc-error.ts";
import { STATUS_NUMBERS, statusFromNumber } from "../../words/status.ts";
import type { Interceptor } from "../../words/transport.ts";
import { OPAQUE_CODEC } from "../../tools/payloads.ts";
import { type CallOutcome, type CallSide, probing, sideOf } from "./call-probe.ts";

export type { Gauge, MetricsSource };

/** Calls of one method at one side. */
export interface CallReading {
  /** `_OTHER` for all methods that are not told apart. */
  readonly method: string;
  readonly kind: MethodKind;
  readonly side: CallSide;
  readonly started: number;
  readonly inFlight: number;
  /** Outcomes that have happened at all. */
  readonly ended: ReadonlyMap<CallOutcome, number>;
  /** How many of them were not OK. */
  readonly errors: number;
  readonly duration: DurationReading;
}

/** How long calls took. */
export interface DurationReading {
  readonly count: number;
  readonly sumMs: number;
  /** Calls per bucket, not cumulated: bucket `i` holds those of at most `DURATION_BUCKETS_MS[i]`, one more bucket the rest. */
  readonly buckets: readonly number[];
}

export interface MetricsReading {
  readonly calls: readonly CallReading[];
  readonly gauges: readonly Gauge[];
}

/** Hears of each call that has ended. It must be quick; what it throws is dropped. */
export type CallEndListener = (
  side: CallSide,
  method: string,
  kind: MethodKind,
  outcome: CallOutcome,
  durationMs: number,
) => void;

/** Numbers about calls, and about whatever else is added. One for a process is usual. */
export interface Metrics {
  /**
   * Numbers of something else, from now on; returns the function that takes them away again. What several sources offer under the same
   * name and labels is added up.
   */
  add(source: MetricsSource): () => void;
  read(): MetricsReading;
  /** For readers that keep distributions of their own; returns the function that takes the listener away again. */
  onCallEnded(listen: CallEndListener): () => void;
  /** Counts a call that begins. {@link measureCalls} does it. */
  callStarted(context: CallContext): void;
  /** Counts its end. */
  callEnded(context: CallContext, outcome: CallOutcome, durationMs: number): void;
}

export interface MetricsOptions {
  /** Methods that are told apart, per side and kind; calls of further ones are counted together as `_OTHER`. Default: 1,000. */
  readonly maxMethods?: number | undefined;
}

/** Upper bounds of the duration buckets. */
export const DURATION_BUCKETS_MS: readonly number[] = Object.freeze([
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
]);
/** The label of methods that are not told apart, as OpenTelemetry has it. */
const OTHER_METHODS = "_OTHER";

const OK_NUMBER = 0;
const OUTCOME_COUNT = 17;
const DEFAULT_MAX_METHODS = 1_000;

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const maxMethods = options.maxMethods ?? DEFAULT_MAX_METHODS;
  if (!Number.isInteger(maxMethods) || maxMethods < 0) {
    const message = `option maxMethods must be a whole number of at least 0, got ${String(maxMethods)}`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  return new CallMetrics(maxMethods);
}

/** Counts and times every call. An interceptor for clients and for routers. */
export function measureCalls(metrics: Metrics, options: { readonly clock?: Clock | undefined } = {}): Interceptor {
  const clock = options.clock ?? systemClock;
  return probing<number>({
    started: (context) => {
      const startedAt = clock.now();
      metrics.callStarted(context);
      return startedAt;
    },
    ended: (context, startedAt, error) => metrics.callEnded(context, error?.code ?? "OK", clock.now() - startedAt),
  });
}

class CallMetrics implements Metrics {
  readonly #maxMethods: number;
  readonly #series: Readonly<Record<CallSide, Map<MethodKind, Map<string, CallSeries>>>> = {
    client: new Map(),
    server: new Map(),
  };
  readonly #sources = new Set<MetricsSource>();
  readonly #listeners = new Set<CallEndListener>();

  constructor(maxMethods: number) {
    this.#maxMethods = maxMethods;
  }

  add(source: MetricsSource): () => void {
    this.#sources.add(source);
    return () => void this.#sources.delete(source);
  }

  onCallEnded(listen: CallEndListener): () => void {
    this.#listeners.add(listen);
    return () => void this.#listeners.delete(listen);
  }

  callStarted(context: CallContext): void {
    this.#seriesOf(context.method, sideOf(context)).started++;
  }

  callEnded(context: CallContext, outcome: CallOutcome, durationMs: number): void {
    const side = sideOf(context);
    const series = this.#seriesOf(context.method, side);
    series.count(outcome, durationMs);
    for (const listen of this.#listeners) {
      try {
        listen(side, series.method, series.kind, outcome, durationMs);
      } catch {
        // Whoever reads the numbers must not disturb those who make them (hostile inputs H79).
      }
    }
  }

  read(): MetricsReading {
    const calls: CallReading[] = [];
    for (const [side, kinds] of Object.entries(this.#series) as [CallSide, Map<MethodKind, Map<string, CallSeries>>][])
      for (const methods of kinds.values()) for (const series of methods.values()) calls.push(series.read(side));
    return { calls, gauges: this.#readSources() };
  }

  #readSources(): readonly Gauge[] {
    const gauges = new Map<string, Gauge>();
    for (const source of this.#sources) {
      try {
        for (const gauge of source.read()) {
          const labels = Object.entries(gauge.labels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
          const series = JSON.stringify([gauge.name, labels]);
          const before = gauges.get(series);
          gauges.set(series, before === undefined ? gauge : { ...before, value: before.value + gauge.value });
        }
      } catch {
        // The numbers of the others are still wanted.
      }
    }
    return [...gauges.values()];
  }

  #seriesOf(method: MethodDescriptor, side: CallSide): CallSeries {
    const kinds = this.#series[side];
    let methods = kinds.get(method.kind);
    if (methods === undefined) kinds.set(method.kind, (methods = new Map()));
    // A gateway passes on whatever name a caller thinks of: only names of contracts become labels.
    const name = method.input.codec === OPAQUE_CODEC ? OTHER_METHODS : method.name;
    const found = methods.get(name);
    if (found !== undefined) return found;
    const told = name !== OTHER_METHODS && methods.size - (methods.has(OTHER_METHODS) ? 1 : 0) < this.#maxMethods;
    const label = told ? name : OTHER_METHODS;
    let series = methods.get(label);
    if (series === undefined) methods.set(label, (series = new CallSeries(label, method.kind)));
    return series;
  }
}

class CallSeries {
  readonly method: string;
  readonly kind: MethodKind;
  started = 0;
  #endedCount = 0;
  #sumMs = 0;
  readonly #outcomes = new Float64Array(OUTCOME_COUNT);
  readonly #buckets = new Float64Array(DURATION_BUCKETS_MS.length + 1);

  constructor(method: string, kind: MethodKind) {
    this.method = method;
    this.kind = kind;
  }

  count(outcome: CallOutcome, durationMs: number): void {
    const number = outcome === "OK" ? OK_NUMBER : STATUS_NUMBERS[outcome];
    this.#outcomes[number] = (this.#outcomes[number] ?? 0) + 1;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS_MS.length && durationMs > (DURATION_BUCKETS_MS[bucket] ?? 0)) bucket++;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#endedCount++;
    this.#sumMs += durationMs;
  }

  read(side: CallSide): CallReading {
    const ended = new Map<CallOutcome, number>();
    for (const [number, count] of this.#outcomes.entries())
      if (count > 0) ended.set(number === OK_NUMBER ? "OK" : statusFromNumber(number), count);
    return {
      method: this.method,
      kind: this.kind,
      side,
      started: this.started,
      inFlight: this.started - this.#endedCount,
      ended,
      errors: this.#endedCount - (this.#outcomes[OK_NUMBER] ?? 0),
      duration: { count: this.#endedCount, sumMs: this.#sumMs, buckets: [...this.#buckets] },
    };
  }
}

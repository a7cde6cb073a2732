import type { Attributes, BatchObservableResult, Histogram, Meter, Observable } from "@opentelemetry/api";
import { type CallReading, DURATION_BUCKETS_MS, type Gauge, type Metrics } from "../observe/metrics.ts";
import type { CallSide } from "../observe/call-probe.ts";

/**
 * Offers metrics to OpenTelemetry: `rpc.calls.started`, `rpc.calls.ended` and `rpc.calls.in_flight`, whatever the sources offer, and the
 * conventional histograms `rpc.client.call.duration` and `rpc.server.call.duration`, in seconds. Returns the function that ends it. The
 * meter decides when numbers are read. A source's gauge that is new is reported from the second reading on.
 */
export function reportMetrics(metrics: Metrics, meter: Meter): () => void {
  const report = new MetricsReport(metrics, meter);
  const ignore = metrics.onCallEnded((side, method, _kind, outcome, durationMs) =>
    report.durations[side].record(durationMs / 1_000, {
      "rpc.system.name": "rpc",
      "rpc.method": method,
      "rpc.status_code": outcome,
      ...(outcome === "OK" ? undefined : { "error.type": outcome }),
    }),
  );
  return () => {
    ignore();
    report.stop();
  };
}

class MetricsReport {
  readonly durations: Readonly<Record<CallSide, Histogram>>;
  readonly #metrics: Metrics;
  readonly #meter: Meter;
  readonly #started: Observable;
  readonly #ended: Observable;
  readonly #inFlight: Observable;
  /** Made as sources name them. */
  readonly #gauges = new Map<string, Observable>();
  #observed: Observable[] = [];

  constructor(metrics: Metrics, meter: Meter) {
    this.#metrics = metrics;
    this.#meter = meter;
    const call = { unit: "{call}" };
    this.#started = meter.createObservableCounter("rpc.calls.started", {
      ...call,
      description: "calls that have begun",
    });
    this.#ended = meter.createObservableCounter("rpc.calls.ended", { ...call, description: "calls that have ended" });
    this.#inFlight = meter.createObservableUpDownCounter("rpc.calls.in_flight", {
      ...call,
      description: "calls that have begun and not ended",
    });
    const advice = { explicitBucketBoundaries: DURATION_BUCKETS_MS.map((boundMs) => boundMs / 1_000) };
    this.durations = {
      client: meter.createHistogram("rpc.client.call.duration", { unit: "s", advice }),
      server: meter.createHistogram("rpc.server.call.duration", { unit: "s", advice }),
    };
    for (const gauge of metrics.read().gauges) this.#instrument(gauge);
    this.#observe();
  }

  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#read, this.#observed);
  }

  #observe(): void {
    this.stop();
    this.#observed = [this.#started, this.#ended, this.#inFlight, ...this.#gauges.values()];
    this.#meter.addBatchObservableCallback(this.#read, this.#observed);
  }

  readonly #read = (result: BatchObservableResult): void => {
    const { calls, gauges } = this.#metrics.read();
    for (const reading of calls) this.#readCalls(result, reading);
    let isNew = false;
    for (const gauge of gauges) {
      const known = this.#gauges.get(instrumentName(gauge.name));
      if (known !== undefined) result.observe(known, gauge.value, { ...gauge.labels });
      else isNew = this.#instrument(gauge) || isNew;
    }
    if (isNew) this.#observe();
  };

  #readCalls(result: BatchObservableResult, { method, kind, side, ...reading }: CallReading): void {
    const attributes: Attributes = {
      "rpc.system.name": "rpc",
      "rpc.method": method,
      "rpc.kind": kind,
      "rpc.side": side,
    };
    result.observe(this.#started, reading.started, attributes);
    result.observe(this.#inFlight, reading.inFlight, attributes);
    for (const [code, count] of reading.ended)
      result.observe(this.#ended, count, { ...attributes, "rpc.status_code": code });
  }

  #instrument({ name, kind, help }: Gauge): boolean {
    const description = help === undefined ? undefined : { description: help };
    const own = instrumentName(name);
    const create = kind === "counter" ? "createObservableCounter" : "createObservableGauge";
    this.#gauges.set(own, this.#meter[create](own, description));
    return true;
  }
}

/** OpenTelemetry's syntax for names; what it has no room for becomes an underscore. */
function instrumentName(name: string): string {
  const text = name.replaceAll(/[^a-zA-Z0-9_./-]/g, "_").slice(0, 250);
  return /^[a-zA-Z]/.test(text) ? text : `n${text}`;
}

import { DURATION_BUCKETS_MS, type Gauge, type Metrics } from "./metrics.ts";

/** What an HTTP server says that {@link prometheusText} is. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * A reading in Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Characters that a name may not
 * have there become underscores.
 */
export function prometheusText(metrics: Metrics): string {
  const { calls, gauges } = metrics.read();
  const started = new Family("rpc_calls_started_total", "counter", "Calls that have begun.");
  const ended = new Family("rpc_calls_ended_total", "counter", "Calls that have ended, by status code.");
  const inFlight = new Family("rpc_calls_in_flight", "gauge", "Calls that have begun and not ended.");
  const duration = new Family("rpc_call_duration_seconds", "histogram", "Time from the begin of a call to its end.");
  for (const { method, kind, side, ...reading } of calls) {
    const labels = { method, kind, side };
    started.add("", labels, reading.started);
    for (const [code, count] of reading.ended) ended.add("", { ...labels, code }, count);
    inFlight.add("", labels, reading.inFlight);
    let cumulated = 0;
    for (const [i, count] of reading.duration.buckets.entries()) {
      cumulated += count;
      const boundMs = DURATION_BUCKETS_MS[i];
      const le = boundMs === undefined ? "+Inf" : String(boundMs / 1_000);
      duration.add("_bucket", { ...labels, le }, cumulated);
    }
    duration.add("_sum", labels, reading.duration.sumMs / 1_000);
    duration.add("_count", labels, reading.duration.count);
  }
  const families = new Map([started, ended, inFlight, duration].map((family) => [family.name, family]));
  const ours = new Set([...families.keys(), ...["_bucket", "_sum", "_count"].map((end) => `${duration.name}${end}`)]);
  for (const gauge of gauges) addGauge(families, ours, gauge);
  return [...families.values()].map((family) => family.text()).join("");
}

function addGauge(families: Map<string, Family>, ours: ReadonlySet<string>, gauge: Gauge): void {
  const name = metricName(gauge.name);
  // A name of the calls' own would make two families of one.
  if (ours.has(name)) return;
  let family = families.get(name);
  if (family === undefined) families.set(name, (family = new Family(name, gauge.kind ?? "gauge", gauge.help ?? "")));
  family.add("", gauge.labels ?? {}, gauge.value);
}

/** All series of one name: the format wants them together, under one TYPE line. */
class Family {
  readonly name: string;
  readonly #type: string;
  readonly #help: string;
  readonly #values = new Map<string, number>();

  constructor(name: string, type: "counter" | "gauge" | "histogram", help: string) {
    this.name = name;
    this.#type = type;
    this.#help = help;
  }

  add(suffix: string, labels: Readonly<Record<string, string>>, value: number): void {
    const series = `${this.name}${suffix}${labelText(labels)}`;
    this.#values.set(series, (this.#values.get(series) ?? 0) + value);
  }

  text(): string {
    if (this.#values.size === 0) return "";
    const help = this.#help === "" ? "" : `# HELP ${this.name} ${escapeHelp(this.#help)}\n`;
    let text = `${help}# TYPE ${this.name} ${this.#type}\n`;
    for (const [series, value] of this.#values) text += `${series} ${valueText(value)}\n`;
    return text;
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  // Two keys may become the same name; a name stands once.
  const pairs = new Map(Object.entries(labels).map(([key, value]) => [labelName(key), value]));
  if (pairs.size === 0) return "";
  return `{${[...pairs].map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

function metricName(name: string): string {
  const text = name.replaceAll(/[^a-zA-Z0-9_:]/g, "_");
  return /^[a-zA-Z_:]/.test(text) ? text : `_${text}`;
}

/** Names that begin with two underscores belong to Prometheus itself. */
function labelName(name: string): string {
  const text = name.replaceAll(/[^a-zA-Z0-9_]/g, "_").replace(/^_+/, "_");
  return /^[a-zA-Z_]/.test(text) ? text : `_${text}`;
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.toWellFormed().replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

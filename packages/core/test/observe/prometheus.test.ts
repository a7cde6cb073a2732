import * as fc from "fast-check";
import { expect, it } from "vitest";
import { createMetrics, type Gauge, measureCalls, prometheusText } from "../../src/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { failure } from "../rig.ts";
import { shop } from "./rig.ts";

interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** Reads the text as the format's page says, and fails at the first line that breaks a rule. */
function parse(text: string): { types: Map<string, string>; helps: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const helps = new Map<string, string>();
  const samples: Sample[] = [];
  const families: string[] = [];
  const seen = new Set<string>();
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line must end with a line feed");
  for (const line of text.split("\n").slice(0, -1)) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      const [, name = "", said = ""] = help;
      if (helps.has(name) || types.has(name)) throw new Error(`HELP of ${name} is late or there twice`);
      helps.set(
        name,
        said.replaceAll(/\\[\\n]/g, (pair) => (pair === "\\n" ? "\n" : "\\")),
      );
    } else if (type !== null) {
      const [, name = "", kind = ""] = type;
      if (types.has(name)) throw new Error(`TYPE of ${name} is there twice`);
      types.set(name, kind);
      families.push(name);
    } else {
      const sample = sampleOf(line);
      const family = families.at(-1) ?? "";
      const ends = types.get(family) === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!ends.some((end) => sample.name === family + end)) throw new Error(`${line} stands in the family ${family}`);
      const series = `${sample.name} ${JSON.stringify([...sample.labels].map(String).toSorted())}`;
      if (seen.has(series)) throw new Error(`${series} is there twice`);
      seen.add(series);
      samples.push(sample);
    }
  }
  return { types, helps, samples };
}

function sampleOf(line: string): Sample {
  const [, name = "", , inside = "", value = ""] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line) ??
    [];
  if (name === "") throw new Error(`no sample: ${line}`);
  const labels = new Map<string, string>();
  for (const [, label = "", quoted = ""] of inside.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
    if (labels.has(label)) throw new Error(`label ${label} is there twice`);
    labels.set(
      label,
      quoted.replaceAll(/\\(.)/g, (_pair, c: string) => (c === "n" ? "\n" : c)),
    );
  }
  const special: Record<string, number> = { "+Inf": Infinity, "-Inf": -Infinity, NaN: Number.NaN };
  const number = special[value] ?? (/^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/.test(value) ? Number(value) : undefined);
  if (number === undefined) throw new Error(`no number: ${line}`);
  return { name, labels, value: number };
}

it("says counters, gauge and histogram of calls", async () => {
  const metrics = createMetrics();
  const clock = new FakeClock();
  const { client } = shop({ server: [measureCalls(metrics, { clock })] }, undefined, clock);
  await client.buy(1);
  await failure(client.fail());
  const { types, samples } = parse(prometheusText(metrics));
  expect([...types]).toEqual([
    ["rpc_calls_started_total", "counter"],
    ["rpc_calls_ended_total", "counter"],
    ["rpc_calls_in_flight", "gauge"],
    ["rpc_call_duration_seconds", "histogram"],
  ]);
  const ended = samples.filter(({ name }) => name === "rpc_calls_ended_total").map(({ labels }) => labels.get("code"));
  expect(ended).toEqual(["OK", "NOT_FOUND"]);
  const ofBuy = samples.filter(({ labels }) => labels.get("method") === "demo.Shop.buy");
  const buckets = ofBuy.filter(({ name }) => name === "rpc_call_duration_seconds_bucket");
  expect(buckets.at(-1)?.labels.get("le")).toBe("+Inf");
  expect(buckets.at(-1)?.value).toBe(ofBuy.find(({ name }) => name.endsWith("_count"))?.value);
  expect(buckets[0]?.labels.get("le")).toBe("0.00025");
});

it("says nothing about nothing", () => {
  expect(prometheusText(createMetrics())).toBe("");
});

it("keeps to the format whatever names, labels, helps and numbers the sources have", () => {
  const gauge = fc.record({
    name: fc.oneof(fc.string(), fc.constantFrom("rpc_calls_in_flight", "rpc_call_duration_seconds_sum", "9 lives")),
    value: fc.double(),
    kind: fc.constantFrom("counter" as const, "gauge" as const),
    help: fc.string({ unit: "binary" }).map((text) => text.replaceAll("\r", "")),
    labels: fc.dictionary(
      fc.string(),
      fc.string({ unit: "binary" }).map((text) => text.replaceAll("\r", "")),
    ),
  });
  fc.assert(
    fc.property(fc.array(gauge, { maxLength: 8 }), (gauges: Gauge[]) => {
      const metrics = createMetrics();
      metrics.add({ read: () => gauges });
      expect(() => parse(prometheusText(metrics))).not.toThrow();
    }),
  );
});

it("gives labels and help back as they were", () => {
  const metrics = createMetrics();
  const text = 'a "quoted" \\ back\nslash';
  metrics.add({ read: () => [{ name: "depth", value: 1.5, help: text, labels: { queue: text } }] });
  const { helps, samples } = parse(prometheusText(metrics));
  expect(helps.get("depth")).toBe(text);
  expect(samples).toEqual([{ name: "depth", labels: new Map([["queue", text]]), value: 1.5 }]);
});

it("has a word for numbers that are none", () => {
  const metrics = createMetrics();
  metrics.add({
    read: () => [
      { name: "a", value: Infinity },
      { name: "b", value: -Infinity },
      { name: "c", value: Number.NaN },
    ],
  });
  expect(prometheusText(metrics)).toBe("# TYPE a gauge\na +Inf\n# TYPE b gauge\nb -Inf\n# TYPE c gauge\nc NaN\n");
});

import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  context as active,
  type ContextManager,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import {
  createClient,
  createMetrics,
  createRouter,
  defineContract,
  type HandlerContext,
  measureCalls,
  type Metrics,
  parseTraceparent,
  serverStream,
  unary,
} from "../../src/index.ts";
import { reportMetrics, traceCalls } from "../../src/opentelemetry.ts";
import { settled } from "../fake-clock.ts";
import { all, failure, memory } from "../rig.ts";
import { shop } from "./rig.ts";

afterEach(() => {
  active.disable();
  propagation.disable();
});

function tracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const spans = (kind?: SpanKind): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => kind === undefined || span.kind === kind);
  return { tracer: provider.getTracer("test"), spans };
}

function only(spans: readonly ReadableSpan[]): ReadableSpan {
  const [span] = spans;
  if (span === undefined || spans.length > 1) throw new Error(`${spans.length} spans`);
  return span;
}

describe("traceCalls", () => {
  it("makes a client's and a server's span, one the parent of the other", async () => {
    const { tracer, spans } = tracing();
    const { client } = shop({ client: [traceCalls(tracer)], server: [traceCalls(tracer)] });
    await client.buy(1);
    const near = only(spans(SpanKind.CLIENT));
    const far = only(spans(SpanKind.SERVER));
    expect(far.parentSpanContext).toMatchObject({ spanId: near.spanContext().spanId, isRemote: true });
    expect(far.spanContext().traceId).toBe(near.spanContext().traceId);
    for (const span of [near, far]) {
      expect(span.name).toBe("demo.Shop.buy");
      expect(span.status.code).toBe(SpanStatusCode.UNSET);
      expect(span.attributes).toEqual({
        "rpc.system": "rpc",
        "rpc.system.name": "rpc",
        "rpc.service": "demo.Shop",
        "rpc.method": "demo.Shop.buy",
        "rpc.status_code": "OK",
      });
    }
  });

  it("calls the caller's mistake an error at the client only, and the server's at both", async () => {
    const { tracer, spans } = tracing();
    const { client } = shop({ client: [traceCalls(tracer)], server: [traceCalls(tracer)] });
    await failure(client.fail());
    await failure(client.crash());
    const states = (kind: SpanKind) =>
      spans(kind).map(({ attributes, status }) => [
        attributes["rpc.status_code"],
        attributes["error.type"],
        status.code,
      ]);
    expect(states(SpanKind.CLIENT)).toEqual([
      ["NOT_FOUND", "NOT_FOUND", SpanStatusCode.ERROR],
      ["UNKNOWN", "UNKNOWN", SpanStatusCode.ERROR],
    ]);
    expect(states(SpanKind.SERVER)).toEqual([
      ["NOT_FOUND", undefined, SpanStatusCode.UNSET],
      ["UNKNOWN", "UNKNOWN", SpanStatusCode.ERROR],
    ]);
  });

  it("ends a stream's span with the stream", async () => {
    const { tracer, spans } = tracing();
    const { client } = shop({ client: [traceCalls(tracer)], server: [traceCalls(tracer)] });
    const open: number[] = [];
    for await (const _item of client.list(3)) open.push(spans(SpanKind.CLIENT).length);
    expect(open).toEqual([0, 0, 0]);
    for await (const _item of client.list(300)) break;
    await settled();
    expect(spans(SpanKind.CLIENT).map(({ attributes }) => attributes["rpc.status_code"])).toEqual(["OK", "CANCELLED"]);
    expect(spans(SpanKind.SERVER)).toHaveLength(2);
  });

  const Relay = defineContract("demo.Relay", { ask: unary(), items: serverStream() });

  /** Two servers in a row; the first one's handlers call the second. */
  function relay(tracer: ReturnType<typeof tracing>["tracer"], seen: HandlerContext[] = []) {
    const interceptors = { interceptors: [traceCalls(tracer)] };
    const last = createRouter(
      Relay,
      { ask: (_input, context) => void seen.push(context), items: () => [1] },
      interceptors,
    );
    const inner = createClient(Relay, memory(last), interceptors);
    const first = createRouter(
      Relay,
      {
        ask: (_input, context) => inner.ask(undefined, context),
        async *items() {
          yield 1;
          await inner.ask();
          yield 2;
        },
      },
      interceptors,
    );
    return createClient(Relay, memory(first), interceptors);
  }

  it("C52 makes nested calls children of the handler's span, without a context manager", async () => {
    const { tracer, spans } = tracing();
    await relay(tracer).ask();
    const [inner, first] = [spans(SpanKind.CLIENT)[0], spans(SpanKind.SERVER)[1]];
    expect(inner?.parentSpanContext?.spanId).toBe(first?.spanContext().spanId);
    expect(new Set(spans().map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it("runs handlers and streams with their span active, where there is a context manager", async () => {
    active.setGlobalContextManager(new StorageContextManager());
    const { tracer, spans } = tracing();
    expect(await all(relay(tracer).items())).toEqual([1, 2]);
    const items = spans().find(({ name, kind }) => name === "demo.Relay.items" && kind === SpanKind.SERVER);
    const ask = spans().find(({ name, kind }) => name === "demo.Relay.ask" && kind === SpanKind.CLIENT);
    expect(ask?.parentSpanContext?.spanId).toBe(items?.spanContext().spanId);
  });

  it("makes a call a child of what is active at the client", async () => {
    active.setGlobalContextManager(new StorageContextManager());
    const { tracer, spans } = tracing();
    const { client } = shop({ client: [traceCalls(tracer)] });
    await tracer.startActiveSpan("work", async (span) => {
      await client.buy(1);
      span.end();
    });
    const [call, work] = spans();
    expect(call?.parentSpanContext?.spanId).toBe(work?.spanContext().spanId);
  });

  it("sends W3C trace context, and begins a trace where what arrives is malformed", async () => {
    const { tracer, spans } = tracing();
    const seen: HandlerContext[] = [];
    await relay(tracer, seen).ask();
    const sent = parseTraceparent(seen[0]?.metadata.get("traceparent"));
    expect(sent?.traceId).toBe(spans()[0]?.spanContext().traceId);
    const { client } = shop({ server: [traceCalls(tracer)] });
    await client.buy(1, { metadata: { traceparent: "00-nonsense" } });
    expect(spans(SpanKind.SERVER).at(-1)?.parentSpanContext).toBeUndefined();
  });

  it("uses the propagator that it is given", async () => {
    const { tracer, spans } = tracing();
    const propagator = {
      fields: () => ["x-trace"],
      inject: (
        context: Context,
        carrier: unknown,
        setter: { set(carrier: unknown, key: string, value: string): void },
      ) => {
        const span = trace.getSpanContext(context);
        setter.set(carrier, "x-trace", `${span?.traceId}/${span?.spanId}`);
      },
      extract: (context: Context, carrier: unknown, getter: { get(carrier: unknown, key: string): unknown }) => {
        const [traceId = "", spanId = ""] = String(getter.get(carrier, "x-trace")).split("/");
        return trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true });
      },
    };
    const interceptor = traceCalls(tracer, { propagator });
    const { client } = shop({ client: [interceptor], server: [interceptor] });
    await client.buy(1);
    expect(only(spans(SpanKind.SERVER)).parentSpanContext?.spanId).toBe(
      only(spans(SpanKind.CLIENT)).spanContext().spanId,
    );
  });

  it("H79 a tracer or an option that throws harms no call", async () => {
    const broken = () => {
      throw new Error("on purpose");
    };
    const { tracer } = tracing();
    const interceptors = [
      traceCalls({ startSpan: broken, startActiveSpan: broken }),
      traceCalls(tracer, { attributes: broken }),
    ];
    const { client } = shop({ client: interceptors, server: interceptors });
    expect(await client.buy(1)).toBe(2);
    expect(await all(client.list(2))).toEqual([1, 2]);
  });
});

/** What an SDK brings along for Node, as small as it gets. */
class StorageContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => fn.apply(thisArg, args));
  }
  bind<T>(_context: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    this.#storage.disable();
    return this;
  }
}

describe("reportMetrics", () => {
  function metering(metrics: Metrics) {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const stop = reportMetrics(metrics, provider.getMeter("test"));
    const read = async (): Promise<Map<string, unknown>> => {
      exporter.reset();
      await reader.forceFlush();
      const found = exporter.getMetrics().at(-1)?.scopeMetrics[0]?.metrics ?? [];
      return new Map(
        found.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ value, attributes }) => ({ value, attributes })),
        ]),
      );
    };
    return { read, stop, close: () => provider.shutdown() };
  }

  it("offers counts of calls, gauges and durations to a meter", async () => {
    const metrics = createMetrics();
    metrics.add({ read: () => [{ name: "queue.depth", value: 7, labels: { queue: "a" } }] });
    const { read, close } = metering(metrics);
    const { client } = shop({ server: [measureCalls(metrics)] });
    await client.buy(1);
    await failure(client.fail());
    const found = await read();
    expect(found.get("rpc.calls.started")).toMatchObject([{ value: 1 }, { value: 1 }]);
    expect(found.get("rpc.calls.ended")).toMatchObject([
      { value: 1, attributes: { "rpc.method": "demo.Shop.buy", "rpc.side": "server", "rpc.status_code": "OK" } },
      { value: 1, attributes: { "rpc.status_code": "NOT_FOUND" } },
    ]);
    expect(found.get("rpc.calls.in_flight")).toMatchObject([{ value: 0 }, { value: 0 }]);
    expect(found.get("queue.depth")).toEqual([{ value: 7, attributes: { queue: "a" } }]);
    expect(found.get("rpc.server.call.duration")).toMatchObject([
      { value: { count: 1 }, attributes: { "rpc.status_code": "OK" } },
      { value: { count: 1 }, attributes: { "error.type": "NOT_FOUND" } },
    ]);
    await close();
  });

  it("finds gauges that come later, and is silent after its end", async () => {
    const metrics = createMetrics();
    const { read, stop, close } = metering(metrics);
    await read();
    metrics.add({ read: () => [{ name: "late", value: 1, kind: "counter" }] });
    await read();
    expect((await read()).get("late")).toMatchObject([{ value: 1 }]);
    stop();
    const { client } = shop({ server: [measureCalls(metrics)] });
    await client.buy(1);
    expect((await read()).get("rpc.calls.started") ?? []).toEqual([]);
    await close();
  });
});

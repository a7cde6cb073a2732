import {
  type Attributes,
  context as activeContext,
  type Context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import type { CallContext } from "../../words/call-context.ts";
import type { Metadata } from "../../words/metadata.ts";
import type { StatusCode } from "../../words/status.ts";
import type { Interceptor } from "../../words/transport.ts";
import { iteratorOf } from "../../tools/mapped-stream.ts";
import { probing, sideOf } from "../observe/call-probe.ts";
import { formatTraceparent, isTracestate, parseTraceparent } from "../observe/trace-parent.ts";

export interface TraceCallsOptions {
  /** How trace context travels in the metadata. Default: OpenTelemetry's global propagator, or W3C trace context where none is set. */
  readonly propagator?: TextMapPropagator | undefined;
  /** Further attributes of a call's span. */
  readonly attributes?: ((context: CallContext) => Attributes) | undefined;
}

/** Codes that are the server's own fault; the others are the caller's, and no error of the server's span. */
const SERVER_FAULTS: ReadonlySet<StatusCode> = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/**
 * Records each call as a span: an interceptor for clients (kind CLIENT) and for routers (kind SERVER), named and described by
 * OpenTelemetry's conventions for RPC (https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/). The handler runs with its span active,
 * and calls that it makes with its context become children of it, with or without a context manager.
 */
export function traceCalls(tracer: Tracer, options: TraceCallsOptions = {}): Interceptor {
  const spans = new WeakMap<CallContext, Context>();
  const probe = probing<Span>({
    started: (context) => {
      const server = sideOf(context) === "server";
      const above = server
        ? extract(context.metadata, options.propagator)
        : ((context.parent === undefined ? undefined : spans.get(context.parent)) ?? activeContext.active());
      const kind = server ? SpanKind.SERVER : SpanKind.CLIENT;
      const attributes = { ...attributesOf(context), ...options.attributes?.(context) };
      const span = tracer.startSpan(context.method.name, { kind, attributes }, above);
      const inside = trace.setSpan(above, span);
      spans.set(context, inside);
      try {
        if (!server) inject(inside, context.metadata, options.propagator);
      } catch {
        // A value that metadata cannot carry: the span is still recorded, the far end begins a trace of its own.
      }
      return span;
    },
    ended: (context, span, error) => {
      const code = error?.code ?? "OK";
      span.setAttribute("rpc.status_code", code);
      if (error !== undefined && (sideOf(context) === "client" || SERVER_FAULTS.has(error.code))) {
        span.setAttribute("error.type", code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      span.end();
    },
  });
  return {
    call: (input, context, next) =>
      probe.call(input, context, (value, ctx) => within(spans.get(ctx), () => next(value, ctx))),
    stream: (input, context, next) =>
      probe.stream(input, context, (values, ctx) => {
        const inside = spans.get(ctx);
        return inside === undefined
          ? next(values, ctx)
          : new StreamWithin(
              inside,
              within(inside, () => next(values, ctx)),
            );
      }),
  };
}

function attributesOf({ method }: CallContext): Attributes {
  return {
    "rpc.system.name": "rpc",
    "rpc.method": method.name,
    // What the conventions had before they became stable; many dashboards still ask for them.
    "rpc.system": "rpc",
    "rpc.service": method.contract,
  };
}

function within<T>(context: Context | undefined, run: () => T): T {
  return context === undefined ? run() : activeContext.with(context, run);
}

/** An async generator runs in the context of whoever asks for its next item, so each is asked for with the span active. */
class StreamWithin implements AsyncIterableIterator<unknown> {
  readonly #context: Context;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;

  constructor(context: Context, source: AsyncIterable<unknown>) {
    this.#context = context;
    this.#source = iteratorOf(source);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    return activeContext.with(this.#context, () => this.#source.next());
  }

  async return(): Promise<IteratorResult<unknown>> {
    await activeContext.with(this.#context, () => this.#source.return?.());
    return { done: true, value: undefined };
  }
}

function inject(context: Context, metadata: Metadata, propagator: TextMapPropagator | undefined): void {
  const chosen = propagator ?? (propagation.fields().length > 0 ? propagation : undefined);
  if (chosen !== undefined)
    return chosen.inject(context, metadata, { set: (into, key, value) => into.set(key, value) });
  const span = trace.getSpanContext(context);
  if (span === undefined || !isSpanContextValid(span)) return;
  const sampled = (span.traceFlags & TraceFlags.SAMPLED) !== 0;
  metadata.set("traceparent", formatTraceparent({ traceId: span.traceId, spanId: span.spanId, sampled }));
  const state = span.traceState?.serialize() ?? "";
  if (state === "") metadata.delete("tracestate");
  else metadata.set("tracestate", state);
}

/** What is active here is not asked: a server's work belongs to the call, not to whoever opened the socket. */
function extract(metadata: Metadata, propagator: TextMapPropagator | undefined): Context {
  const chosen = propagator ?? (propagation.fields().length > 0 ? propagation : undefined);
  if (chosen !== undefined) {
    return chosen.extract(ROOT_CONTEXT, metadata, {
      get: (from, key) => from.get(key),
      keys: (from) => [...from].map(([key]) => key),
    });
  }
  const parent = parseTraceparent(metadata.get("traceparent"));
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, sampled } = parent;
  const state = metadata.get("tracestate");
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state !== undefined && isTracestate(state) ? { traceState: createTraceState(state) } : undefined),
  });
}

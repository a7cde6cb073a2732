import type { CallContext } from "../../words/call-context.ts";
import type { Interceptor } from "../../words/transport.ts";
import { hexFromBytes, randomBytes } from "../../tools/bytes.ts";
import { sideOf } from "./call-probe.ts";
import { formatTraceparent, isTracestate, parseTraceparent, type TraceParent } from "./trace-parent.ts";

export interface TraceContextOptions {
  /** Whether a trace that begins here asks those who record to record it. Default: true. */
  readonly sampled?: boolean | undefined;
}

/**
 * Carries W3C trace context along, without recording anything: an interceptor for clients and for routers. A client gives each call a
 * span id of its own in the trace of the call whose handler makes it, or in a new trace. A router takes what arrives and begins a new
 * trace where nothing valid does, so that a handler always finds `traceparent` in its metadata, and calls made with its context are in the
 * same trace.
 */
export function traceContext(options: TraceContextOptions = {}): Interceptor {
  const sampled = options.sampled ?? true;
  return {
    call: (input, context, next) => {
      trace(context, sampled);
      return next(input, context);
    },
    stream: (input, context, next) => {
      trace(context, sampled);
      return next(input, context);
    },
  };
}

function trace(context: CallContext, sampled: boolean): void {
  const { metadata } = context;
  // A handler's own metadata may hold a trace that was begun there.
  const given = metadata.get("traceparent") ?? context.parent?.metadata.get("traceparent");
  const parent = parseTraceparent(given);
  const state = metadata.get("tracestate");
  // A state belongs to its parent: without a valid one it says nothing (§3.3).
  if (state !== undefined && (parent === undefined || !isTracestate(state))) metadata.delete("tracestate");
  if (parent !== undefined && sideOf(context) === "server") return;
  metadata.set("traceparent", formatTraceparent(parent === undefined ? newTrace(sampled) : childOf(parent)));
}

function childOf(parent: TraceParent): TraceParent {
  return { ...parent, spanId: newId(8) };
}

function newTrace(sampled: boolean): TraceParent {
  return { traceId: newId(16), spanId: newId(8), sampled };
}

function newId(length: number): string {
  const bytes = randomBytes(length);
  // All zero means "none" (§3.2.2.3); it happens once in 2^64 times.
  if (bytes.every((byte) => byte === 0)) bytes[length - 1] = 1;
  return hexFromBytes(bytes);
}

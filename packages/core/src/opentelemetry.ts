/**
 * Spans and metrics for OpenTelemetry. A door of its own, because it needs `@opentelemetry/api`, which core itself does not.
 */
export { reportMetrics } from "./face/opentelemetry/report-metrics.ts";
export { traceCalls, type TraceCallsOptions } from "./face/opentelemetry/trace-calls.ts";

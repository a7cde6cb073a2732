/**
 * The two values of W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/, §3.2 and §3.3):
 *
 *     traceparent  00-<trace id, 32 hex>-<span id, 16 hex>-<flags, 2 hex>
 *     tracestate   vendor=value,tenant@vendor=value
 */

/** Where a call stands in its trace. */
export interface TraceParent {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero. */
  readonly spanId: string;
  /** Whether whoever began the trace may have recorded it. */
  readonly sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/** Undefined for what is malformed: the trace begins anew then. A later version is read as far as level 1 knows it. */
export function parseTraceparent(text: string | undefined): TraceParent | undefined {
  const match = text === undefined ? null : TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = NO_TRACE, spanId = NO_SPAN, flags = "00", rest] = match;
  if (version === "ff" || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  if (version === "00" && rest !== undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Always version 00; flags that level 1 does not know are zero. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

const MAX_MEMBERS = 32;
const MEMBER =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Whether a `tracestate` may be passed on; one that may not is dropped as a whole. */
export function isTracestate(text: string): boolean {
  const members = text.split(",").map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
  const named = members.filter((member) => member !== "");
  return named.length <= MAX_MEMBERS && named.every((member) => MEMBER.test(member));
}

import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import type { MethodKind } from "../../words/method.ts";
import type { RpcError } from "../../words/rpc-error.ts";
import type { Interceptor } from "../../words/transport.ts";
import { shown } from "../../tools/bytes.ts";
import { isPromiseLike } from "../../tools/promise-like.ts";
import { type CallOutcome, type CallSide, probing, sideOf } from "./call-probe.ts";
import { parseTraceparent } from "./trace-parent.ts";

/** A logger as pino and its likes have it. What it throws, and promises that it gives and breaks, are dropped. */
export interface CallLogger {
  debug(fields: CallLogFields, message: string): unknown;
  info(fields: CallLogFields, message: string): unknown;
  warn(fields: CallLogFields, message: string): unknown;
  error(fields: CallLogFields, message: string): unknown;
}

export type CallLogLevel = "debug" | "info" | "warn" | "error";

/** What a line says about a call. Texts that came from the peer are cut, on one line, and without terminal escapes. */
export interface CallLogFields {
  readonly side: CallSide;
  readonly method: string;
  readonly kind: MethodKind;
  /** The same at both ends when the call was started with a handle. */
  readonly id: string;
  /** Identity of the peer, or its endpoint when it has none; absent where it is not known. */
  readonly peer?: string;
  readonly durationMs: number;
  readonly code: CallOutcome;
  readonly reason?: string;
  /** The error's message. */
  readonly error?: string;
  /** Trace id of the call's `traceparent`. */
  readonly traceId?: string;
  /** What `options.input` made of it. */
  readonly input?: unknown;
  /** What was thrown, as it is; only with `options.thrown`. */
  readonly err?: unknown;
}

export interface LogCallsOptions {
  /**
   * Level per outcome; "off" writes nothing. Default: `info` for OK and CANCELLED, `error` for UNKNOWN, INTERNAL and DATA_LOSS, `warn`
   * for the rest.
   */
  readonly levels?: { readonly [Outcome in CallOutcome]?: CallLogLevel | "off" } | undefined;
  /** What of an input is written, for calls whose input is one value. Default: nothing, since inputs hold what must not be in a log. */
  readonly input?: ((input: unknown, context: CallContext) => unknown) | undefined;
  /** Whether `err` holds what was thrown, with its stack. Default: false. */
  readonly thrown?: boolean | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

const MAX_TEXT_LENGTH = 500;

/** One line per call, when it has ended. An interceptor for clients and for routers. */
export function logCalls(logger: CallLogger, options: LogCallsOptions = {}): Interceptor {
  const clock = options.clock ?? systemClock;
  return probing<{ readonly startedAt: number; readonly input: unknown }>({
    started: (context, input) => ({
      startedAt: clock.now(),
      // Read now: a handler may change its input.
      input: options.input === undefined || input === undefined ? undefined : options.input(input, context),
    }),
    ended: (context, { startedAt, input }, error) => {
      const code = error?.code ?? "OK";
      const level = options.levels?.[code] ?? levelOf(code);
      if (level === "off") return;
      const fields = fieldsOf(context, clock.now() - startedAt, error);
      if (input !== undefined) Object.assign(fields, { input });
      if (options.thrown === true && error !== undefined) Object.assign(fields, { err: error.cause ?? error });
      const line = `${fields.method} ${code} in ${fields.durationMs} ms`;
      const written = logger[level](fields, line);
      // A logger that fails later must not end the process (hostile inputs H79).
      if (isPromiseLike(written)) Promise.resolve(written).catch(() => undefined);
    },
  });
}

function fieldsOf(context: CallContext, durationMs: number, error: RpcError | undefined): CallLogFields {
  const { peer } = context;
  const from = peer === undefined ? "" : (peer.identity ?? peer.endpoint);
  const traceId = context.hasMetadata ? parseTraceparent(context.metadata.get("traceparent"))?.traceId : undefined;
  return {
    side: sideOf(context),
    method: shown(context.method.name),
    kind: context.method.kind,
    id: shown(context.id),
    ...(from === "" ? undefined : { peer: shown(from) }),
    durationMs: Math.round(durationMs * 1_000) / 1_000,
    code: error?.code ?? "OK",
    ...(error?.reason === undefined ? undefined : { reason: shown(error.reason) }),
    ...(error === undefined ? undefined : { error: shown(error.message, MAX_TEXT_LENGTH) }),
    ...(traceId === undefined ? undefined : { traceId }),
  };
}

function levelOf(code: CallOutcome): CallLogLevel {
  switch (code) {
    case "OK":
    case "CANCELLED":
      return "info";
    case "UNKNOWN":
    case "INTERNAL":
    case "DATA_LOSS":
      return "error";
    default:
      return "warn";
  }
}

/** What the two processes say to each other. Both ends serve `Work` and `News`; the server alone serves `Control`, over a connection without faults. */
import {
  bidiStream,
  clientStream,
  defineContract,
  event,
  notification,
  serverStream,
  type StandardSchema,
  unary,
} from "@rpc/core";
import type { CallEnds, LoadOutcome, LoadPlan } from "./load.ts";
import type { Received } from "./worker.ts";

/** A type without a check: both ends are this program. */
function typed<T>(): StandardSchema<T, T> {
  return { "~standard": { version: 1, vendor: "soak", validate: (value) => ({ value: value as T }) } };
}

/** One item of a stream; `sum` goes over all items so far, so that one that is lost, doubled or swapped shows. */
export interface Item {
  readonly i: number;
  readonly sum: number;
}

/** A stream of `items` items, `pauseMs` apart. */
export interface StreamOrder {
  readonly n: number;
  readonly items: number;
  readonly pauseMs: number;
}

export interface StreamSum {
  readonly count: number;
  /** What was wrong with the first item that was not the one that should come; empty: nothing. */
  readonly fault: string;
}

const Numbered = typed<{ readonly n: number }>();
const Items = typed<Item>();

export const Work = defineContract("soak.Work", {
  /** Tells the server which of its peers is the one to call back. */
  hello: unary({ input: Numbered, output: Numbered }),
  run: unary({ input: Numbered, output: Numbered }),
  list: serverStream({ input: typed<StreamOrder>(), output: Items }),
  collect: clientStream({ input: Items, output: typed<StreamSum>() }),
  echo: bidiStream({ input: Items, output: Items }),
  note: notification({ input: Numbered }),
});

export const News = defineContract("soak.News", { numbers: event({ payload: Numbered }) });

const Nothing = typed<Record<string, never>>();

export const Control = defineContract("soak.Control", {
  /** Subscribes at the client; settles when nothing is missed from then on. */
  listen: unary({ input: Nothing, output: Nothing }),
  begin: unary({ input: typed<LoadPlan>(), output: Nothing }),
  /** Settles when the server's own calls have ended. */
  outcome: unary({ input: Nothing, output: typed<LoadOutcome>() }),
  /** What became of the server's own unary calls `from` until `to`. */
  ends: unary({ input: typed<Range>(), output: typed<{ readonly ends: CallEnds }>() }),
  /** How often the server has run each call `from` until `to`. */
  runs: unary({ input: typed<Range>(), output: typed<{ readonly runs: Uint8Array }>() }),
  received: unary({ input: Nothing, output: typed<Received>() }),
});

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Times that let a lost connection be found and mended many times in half a minute. */
export function sessionOptions(resumes: boolean) {
  return {
    heartbeatMs: 500,
    aliveMs: 2_000,
    unauthenticatedTimeoutMs: 3_000,
    connectTimeoutMs: 3_000,
    partialFrameTimeoutMs: 5_000,
    closeTimeoutMs: 1_000,
    resumeWindowMs: resumes ? 30_000 : 0,
    reconnect: { minMs: 20, maxMs: 500, factor: 2 },
  };
}

export function itemAfter(before: number, n: number, i: number): Item {
  return { i, sum: (Math.imul(before ^ n, 31) + i + 1) | 0 };
}

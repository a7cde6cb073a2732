import type { MethodKind, MethodParts } from "../words/method.ts";
import type { KindParts } from "./kind-parts.ts";
import { BIDI_STREAM, CLIENT_STREAM, EVENT, JOB, NOTIFICATION, SERVER_STREAM, UNARY } from "./kinds.ts";

const ALL_KINDS: Readonly<Record<MethodKind, KindParts>> = {
  unary: UNARY,
  serverStream: SERVER_STREAM,
  clientStream: CLIENT_STREAM,
  bidiStream: BIDI_STREAM,
  notification: NOTIFICATION,
  event: EVENT,
  job: JOB,
};

/** The parts of a kind, for descriptors that are written by hand. Who refers to this brings all kinds along. */
export function methodParts(kind: MethodKind): MethodParts {
  return ALL_KINDS[kind];
}

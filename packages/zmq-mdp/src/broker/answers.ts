import {
  BYTES_01,
  BYTES_02,
  CLIENT_01,
  CLIENT_02,
  CLIENT_FINAL_02,
  CLIENT_PARTIAL_02,
  EMPTY,
  type MdpVersion,
  WORKER_01,
  WORKER_02,
} from "../frames/words.ts";
import type { MdpErrorCode } from "./events.ts";
import type { Request, Worker } from "./roster.ts";

// The broker's messages, identity first. They are written frame by frame into one array: each is on the way of every call.

/** Where a reply goes, as the request said it. */
export type ReplyAddress = Pick<Request, "client" | "version" | "frames" | "envelopeAt" | "envelopeCount">;

/** A reply up to its body. */
export function replyHead(to: ReplyAddress, service: Uint8Array, partial: boolean): Uint8Array[] {
  const { client, frames, envelopeAt, envelopeCount } = to;
  if (to.version === "0.2") return [client, CLIENT_02, partial ? CLIENT_PARTIAL_02 : CLIENT_FINAL_02, service];
  if (envelopeCount === 0) return [client, EMPTY, CLIENT_01, service];
  return [client, ...frames.slice(envelopeAt, envelopeAt + envelopeCount), EMPTY, CLIENT_01, service];
}

/** A request, as it goes to a worker. */
export function requestTo(worker: Worker, request: Request): Uint8Array[] {
  const { client, frames, envelopeAt, envelopeCount } = request;
  const out: Uint8Array[] =
    worker.version === "0.1"
      ? [worker.identity, EMPTY, WORKER_01, BYTES_01.request, client]
      : [worker.identity, WORKER_02, BYTES_02.request, client];
  for (let at = envelopeAt; at < envelopeAt + envelopeCount; at += 1) push(out, frames[at]);
  out.push(EMPTY);
  return pushFrom(out, frames, request.bodyAt);
}

/** Appends the rest of a message. */
export function pushFrom(out: Uint8Array[], frames: readonly Uint8Array[], from: number): Uint8Array[] {
  for (let at = from; at < frames.length; at += 1) push(out, frames[at]);
  return out;
}

function push(out: Uint8Array[], frame: Uint8Array | undefined): void {
  if (frame !== undefined) out.push(frame);
}

export function heartbeatTo(identity: Uint8Array, version: MdpVersion): Uint8Array[] {
  return version === "0.1"
    ? [identity, EMPTY, WORKER_01, BYTES_01.heartbeat]
    : [identity, WORKER_02, BYTES_02.heartbeat];
}

/** With the empty frame that Domogik's broker forgets. */
export function disconnectTo(identity: Uint8Array, version: MdpVersion): Uint8Array[] {
  return version === "0.1"
    ? [identity, EMPTY, WORKER_01, BYTES_01.disconnect]
    : [identity, WORKER_02, BYTES_02.disconnect];
}

/** Nobody wants the answer any more. For workers of 0.2 that know it. */
export function cancelTo(identity: Uint8Array): Uint8Array[] {
  return [identity, WORKER_02, BYTES_02.cancel];
}

const ERROR_ACTION = Buffer.from("error");
const OPENING_BRACE = 0x7b;

/** The body of an error reply: Domogik's two frames. */
export function errorBody(code: MdpErrorCode, reason: string): [Buffer, Buffer] {
  return [ERROR_ACTION, Buffer.from(JSON.stringify({ status: false, reason, code }))];
}

/** Whether a body is an action and an object, as Domogik's callers and ours write it. */
export function looksLikeAction(frames: readonly Uint8Array[], bodyAt: number): boolean {
  return frames[bodyAt + 1]?.[0] === OPENING_BRACE;
}

const REASONS: Readonly<Record<MdpErrorCode, (service: string) => string>> = {
  NO_WORKER: (service) => `no worker for service ${service}`,
  EXPIRED: (service) => `no worker of service ${service} was free in time`,
  QUEUE_FULL: (service) => `too many requests wait for service ${service}`,
  WORKER_LOST: (service) => `the worker of service ${service} was lost with the request`,
  FORBIDDEN: (service) => `service ${service} is not open to this caller`,
  CANCELLED: (service) => `the request to service ${service} was cancelled`,
  OVERFLOW: (service) => `the caller did not read what service ${service} answers in parts`,
  UNSUPPORTED: (service) => `service ${service} answers in parts, which this caller cannot take`,
};

export function reasonOf(code: MdpErrorCode, service: string): string {
  return REASONS[code](service);
}

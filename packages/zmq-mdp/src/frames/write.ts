import { timeoutText } from "./timeout-frame.ts";
import {
  BYTES_01,
  BYTES_02,
  CLIENT_01,
  CLIENT_02,
  CLIENT_FINAL_02,
  CLIENT_PARTIAL_02,
  CLIENT_REQUEST_02,
  EMPTY,
  type Frames,
  type MdpVersion,
  WORKER_01,
  WORKER_02,
} from "./words.ts";

// Every message is written as it travels between a DEALER and the broker; a REQ socket takes all but the first, empty frame.

export interface RequestFrames {
  /** Name of the service, in UTF-8. */
  readonly service: Uint8Array;
  readonly body: Frames;
  /** Default: 0.1. */
  readonly version?: MdpVersion;
  /** Address frames before the empty one, which come back with the reply: the caller's own mark. 0.1 alone. Default: none. */
  readonly envelope?: Frames;
  /** Patience, written before the body in seconds: for brokers that know Domogik's time-out frame. Default: no such frame. */
  readonly timeoutMs?: number;
}

const utf8 = new TextEncoder();

/** A client's request. */
export function writeRequest(request: RequestFrames): Uint8Array[] {
  const frames: Uint8Array[] = [];
  if (request.version === "0.2") frames.push(CLIENT_02, CLIENT_REQUEST_02);
  else frames.push(...(request.envelope ?? []), EMPTY, CLIENT_01);
  frames.push(request.service);
  if (request.timeoutMs !== undefined) frames.push(utf8.encode(timeoutText(request.timeoutMs)));
  frames.push(...request.body);
  return frames;
}

/** The broker's reply to a client. In 0.1 there is only a last one. */
export function writeReply(
  version: MdpVersion,
  kind: "partial" | "final",
  envelope: Frames,
  service: Uint8Array,
  body: Frames,
): Uint8Array[] {
  if (version === "0.1") return [...envelope, EMPTY, CLIENT_01, service, ...body];
  return [CLIENT_02, kind === "partial" ? CLIENT_PARTIAL_02 : CLIENT_FINAL_02, service, ...body];
}

/** A worker's first word. */
export function writeReady(version: MdpVersion, service: Uint8Array): Uint8Array[] {
  return version === "0.1" ? [EMPTY, WORKER_01, BYTES_01.ready, service] : [WORKER_02, BYTES_02.ready, service];
}

/** The broker's request to a worker. */
export function writeWorkerRequest(version: MdpVersion, address: Frames, body: Frames): Uint8Array[] {
  return version === "0.1"
    ? [EMPTY, WORKER_01, BYTES_01.request, ...address, EMPTY, ...body]
    : [WORKER_02, BYTES_02.request, ...address, EMPTY, ...body];
}

/** A worker's reply. A partial one exists in 0.2 alone. */
export function writeWorkerReply(
  version: MdpVersion,
  kind: "partial" | "final",
  address: Frames,
  body: Frames,
): Uint8Array[] {
  return version === "0.1"
    ? [EMPTY, WORKER_01, BYTES_01.final, ...address, EMPTY, ...body]
    : [WORKER_02, BYTES_02[kind], ...address, EMPTY, ...body];
}

/** A sign of life, the same both ways. */
export function writeHeartbeat(version: MdpVersion): Uint8Array[] {
  return version === "0.1" ? [EMPTY, WORKER_01, BYTES_01.heartbeat] : [WORKER_02, BYTES_02.heartbeat];
}

/** The last word, the same both ways. */
export function writeDisconnect(version: MdpVersion): Uint8Array[] {
  return version === "0.1" ? [EMPTY, WORKER_01, BYTES_01.disconnect] : [WORKER_02, BYTES_02.disconnect];
}

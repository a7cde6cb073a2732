import { commandOf } from "./at-broker.ts";
import { serviceNameOf } from "./names.ts";
import {
  COMMANDS_01,
  COMMANDS_02,
  EMPTY,
  type Frames,
  headerOf,
  MAX_ENVELOPE_FRAMES,
  MAX_NAME_BYTES,
  type MdpVersion,
} from "./words.ts";

/** A message as a worker reads it. */
export type AtWorker =
  | {
      readonly kind: "request";
      readonly version: MdpVersion;
      /** Goes back unchanged before the reply: all frames before the first empty one. */
      readonly address: Frames;
      readonly body: Frames;
    }
  | { readonly kind: "heartbeat" | "disconnect" | "cancel"; readonly version: MdpVersion }
  | { readonly kind: "drop" };

/** A message as a client reads it. */
export type AtClient =
  | {
      readonly kind: "partial" | "final";
      readonly version: MdpVersion;
      /** What the client itself put before its request; empty for most. */
      readonly envelope: Frames;
      readonly service: string;
      readonly body: Frames;
    }
  | { readonly kind: "drop" };

const DROP: { readonly kind: "drop" } = { kind: "drop" };
const NO_FRAMES: Frames = [];

/**
 * Reads what came from a broker to a worker's DEALER. Never throws. Both spellings of DISCONNECT are read: Domogik's broker leaves the
 * empty frame out.
 */
export function parseAtWorker(frames: Frames): AtWorker {
  const bare = headerOf(frames[0]);
  if (bare === "W2") return workerMessage(frames, 1, "0.2");
  if (bare === "W1") return commandOf(frames[1], COMMANDS_01) === "disconnect" ? DISCONNECT_01 : DROP;
  if (frames[0]?.length === 0 && headerOf(frames[1]) === "W1") return workerMessage(frames, 2, "0.1");
  return DROP;
}

const DISCONNECT_01: AtWorker = { kind: "disconnect", version: "0.1" };

function workerMessage(frames: Frames, at: number, version: MdpVersion): AtWorker {
  const command = commandOf(frames[at], version === "0.1" ? COMMANDS_01 : COMMANDS_02);
  if (command === "heartbeat" || command === "disconnect" || command === "cancel") return { kind: command, version };
  if (command !== "request") return DROP;
  for (let end = at + 1; end - at <= MAX_ENVELOPE_FRAMES + 2; end += 1) {
    const frame = frames[end];
    if (frame === undefined || frame.length > MAX_NAME_BYTES) return DROP;
    if (frame.length > 0) continue;
    if (end === at + 1) return DROP;
    return { kind: "request", version, address: frames.slice(at + 1, end), body: frames.slice(end + 1) };
  }
  return DROP;
}

/** Reads what came from a broker to a client's DEALER; for a REQ socket, which takes the empty frame off by itself, as well. Never throws. */
export function parseAtClient(frames: Frames): AtClient {
  const bare = headerOf(frames[0]);
  if (bare === "C2") return clientReply02(frames);
  if (bare === "C1") return clientReply01(frames, 0, NO_FRAMES);
  for (let at = 0; at <= MAX_ENVELOPE_FRAMES; at += 1) {
    const frame = frames[at];
    if (frame === undefined || frame.length > MAX_NAME_BYTES) return DROP;
    if (frame.length > 0) continue;
    if (headerOf(frames[at + 1]) !== "C1") return DROP;
    return clientReply01(frames, at + 1, at === 0 ? NO_FRAMES : frames.slice(0, at));
  }
  return DROP;
}

function clientReply01(frames: Frames, at: number, envelope: Frames): AtClient {
  const service = serviceNameOf(frames[at + 1] ?? EMPTY);
  if (service === undefined) return DROP;
  return { kind: "final", version: "0.1", envelope, service, body: frames.slice(at + 2) };
}

function clientReply02(frames: Frames): AtClient {
  const command = frames[1]?.length === 1 ? frames[1][0] : undefined;
  const service = serviceNameOf(frames[2] ?? EMPTY);
  if ((command !== 2 && command !== 3) || service === undefined) return DROP;
  return {
    kind: command === 2 ? "partial" : "final",
    version: "0.2",
    envelope: NO_FRAMES,
    service,
    body: frames.slice(3),
  };
}

import {
  COMMANDS_01,
  COMMANDS_02,
  type Frames,
  headerOf,
  MAX_ENVELOPE_FRAMES,
  MAX_NAME_BYTES,
  type MdpVersion,
  type WorkerCommand,
} from "./words.ts";

/** Why a message was dropped. `header`: its protocol or version is none of ours; `command`: the worker said what no worker says. */
export type DropReason = "malformed" | "header" | "command";

/**
 * A message as a broker reads it. Positions count from the message's first frame, the sender's routing identity included; frames are not
 * copied and not looked into: whether a service's name can be one is for its receiver to say.
 */
export type AtBroker =
  | {
      readonly kind: "client";
      readonly version: MdpVersion;
      /** Where the sender's own address frames begin and how many they are: 0 for most. They go back unchanged before the reply. */
      readonly envelopeAt: number;
      readonly envelopeCount: number;
      readonly serviceAt: number;
      /** Where the body begins, time-out frame included; there is at least one frame. */
      readonly bodyAt: number;
    }
  | {
      readonly kind: "worker";
      readonly version: MdpVersion;
      readonly command: "ready";
      readonly serviceAt: number;
    }
  | {
      readonly kind: "worker";
      readonly version: MdpVersion;
      readonly command: "partial" | "final";
      /** Whom the reply is for: all frames before the first empty one. */
      readonly addressAt: number;
      readonly addressCount: number;
      readonly bodyAt: number;
    }
  | { readonly kind: "worker"; readonly version: MdpVersion; readonly command: "heartbeat" | "disconnect" }
  | {
      readonly kind: "drop";
      readonly reason: DropReason;
      /** The version that the sender spoke as a worker, if it did: one that is registered is told that this was its last word. */
      readonly workerVersion: MdpVersion | undefined;
    };

const MALFORMED: AtBroker = { kind: "drop", reason: "malformed", workerVersion: undefined };
const WRONG_HEADER: AtBroker = { kind: "drop", reason: "header", workerVersion: undefined };
const MALFORMED_WORKER_01: AtBroker = { kind: "drop", reason: "malformed", workerVersion: "0.1" };
const MALFORMED_WORKER_02: AtBroker = { kind: "drop", reason: "malformed", workerVersion: "0.2" };
const WRONG_COMMAND_01: AtBroker = { kind: "drop", reason: "command", workerVersion: "0.1" };
const WRONG_COMMAND_02: AtBroker = { kind: "drop", reason: "command", workerVersion: "0.2" };
const HEARTBEAT_01: AtBroker = { kind: "worker", version: "0.1", command: "heartbeat" };
const HEARTBEAT_02: AtBroker = { kind: "worker", version: "0.2", command: "heartbeat" };
const DISCONNECT_01: AtBroker = { kind: "worker", version: "0.1", command: "disconnect" };
const DISCONNECT_02: AtBroker = { kind: "worker", version: "0.2", command: "disconnect" };

/**
 * Reads what came from a client or a worker. Never throws, whatever the frames are.
 *
 * @param frames The message.
 * @param start Where it begins: 1 behind the routing identity that a ROUTER puts before it, which is the default.
 */
export function parseAtBroker(frames: Frames, start = 1): AtBroker {
  const first = frames[start];
  if (first === undefined) return MALFORMED;
  if (first.length === 6) {
    const header = headerOf(first);
    if (header === "C2") return clientRequest02(frames, start + 1);
    if (header === "W2") return workerCommand(frames, start + 1, "0.2");
    // Domogik leaves the empty frame of this one message out.
    if (header === "W1" && frames.length === start + 2 && commandOf(frames[start + 1], COMMANDS_01) === "disconnect") {
      return DISCONNECT_01;
    }
  }
  let at = start;
  for (; ; at += 1) {
    const frame = frames[at];
    if (frame === undefined || frame.length > MAX_NAME_BYTES) return MALFORMED;
    if (frame.length === 0) break;
    if (at - start >= MAX_ENVELOPE_FRAMES) return MALFORMED;
  }
  const header = headerOf(frames[at + 1]);
  if (header === "C1") {
    const serviceAt = at + 2;
    if (frames.length < serviceAt + 2 || !mayBeService(frames[serviceAt])) return MALFORMED;
    return {
      kind: "client",
      version: "0.1",
      envelopeAt: start,
      envelopeCount: at - start,
      serviceAt,
      bodyAt: serviceAt + 1,
    };
  }
  if (header === "W1") return workerCommand(frames, at + 2, "0.1");
  return at + 1 < frames.length ? WRONG_HEADER : MALFORMED;
}

function clientRequest02(frames: Frames, at: number): AtBroker {
  const command = frames[at];
  if (command === undefined || command.length !== 1 || command[0] !== 1) return MALFORMED;
  if (frames.length < at + 3 || !mayBeService(frames[at + 1])) return MALFORMED;
  return { kind: "client", version: "0.2", envelopeAt: at, envelopeCount: 0, serviceAt: at + 1, bodyAt: at + 2 };
}

function workerCommand(frames: Frames, at: number, version: MdpVersion): AtBroker {
  const old = version === "0.1";
  const command = commandOf(frames[at], old ? COMMANDS_01 : COMMANDS_02);
  switch (command) {
    case "final":
    case "partial": {
      let end = at + 1;
      for (; end - at <= MAX_ENVELOPE_FRAMES + 2; end += 1) {
        const frame = frames[end];
        if (frame === undefined || frame.length > MAX_NAME_BYTES) break;
        if (frame.length > 0) continue;
        if (end === at + 1) break;
        return {
          kind: "worker",
          version,
          command,
          addressAt: at + 1,
          addressCount: end - at - 1,
          bodyAt: end + 1,
        };
      }
      return old ? MALFORMED_WORKER_01 : MALFORMED_WORKER_02;
    }
    case "heartbeat":
      return old ? HEARTBEAT_01 : HEARTBEAT_02;
    case "disconnect":
      return old ? DISCONNECT_01 : DISCONNECT_02;
    case "ready":
      if (!mayBeService(frames[at + 1])) return old ? MALFORMED_WORKER_01 : MALFORMED_WORKER_02;
      return { kind: "worker", version, command, serviceAt: at + 1 };
    default:
      // REQUEST is what a broker says; from a worker it is no command.
      if (frames[at] === undefined) return old ? MALFORMED_WORKER_01 : MALFORMED_WORKER_02;
      return old ? WRONG_COMMAND_01 : WRONG_COMMAND_02;
  }
}

export function commandOf(
  frame: Uint8Array | undefined,
  commands: readonly (WorkerCommand | undefined)[],
): WorkerCommand | undefined {
  return frame?.length === 1 ? commands[frame[0] ?? 0] : undefined;
}

function mayBeService(frame: Uint8Array | undefined): boolean {
  return frame !== undefined && frame.length > 0 && frame.length <= MAX_NAME_BYTES;
}

/** Which Majordomo a message speaks: 7/MDP (0.1) or 18/MDP (0.2). */
export type MdpVersion = "0.1" | "0.2";

/** What a worker and a broker say to each other. PARTIAL exists in 0.2 alone; FINAL is what 0.1 calls REPLY. */
export type WorkerCommand = "ready" | "request" | "partial" | "final" | "heartbeat" | "disconnect" | "cancel";

/** Frames as sockets give and take them. */
export type Frames = readonly Uint8Array[];

/** Address frames that a message may carry before its first empty one. */
export const MAX_ENVELOPE_FRAMES = 8;
/** Bytes of one address frame, of a routing identity, and of a service's name. */
export const MAX_NAME_BYTES = 255;

export const EMPTY: Uint8Array = new Uint8Array(0);
export const CLIENT_01: Uint8Array = ascii("MDPC01");
export const WORKER_01: Uint8Array = ascii("MDPW01");
export const CLIENT_02: Uint8Array = ascii("MDPC02");
export const WORKER_02: Uint8Array = ascii("MDPW02");

/** Worker commands by the byte that stands for them. */
export const COMMANDS_01: readonly (WorkerCommand | undefined)[] = [
  undefined,
  "ready",
  "request",
  "final",
  "heartbeat",
  "disconnect",
];
export const COMMANDS_02: readonly (WorkerCommand | undefined)[] = [
  undefined,
  "ready",
  "request",
  "partial",
  "final",
  "heartbeat",
  "disconnect",
  // Ours alone, said by a broker to workers who have said that they know it.
  "cancel",
];

/** The same the other way round, as frames that are shared by all messages: nobody writes into them. */
export const BYTES_01: Readonly<Record<Exclude<WorkerCommand, "partial" | "cancel">, Uint8Array>> = {
  ready: Uint8Array.of(1),
  request: Uint8Array.of(2),
  final: Uint8Array.of(3),
  heartbeat: Uint8Array.of(4),
  disconnect: Uint8Array.of(5),
};
export const BYTES_02: Readonly<Record<WorkerCommand, Uint8Array>> = {
  ready: Uint8Array.of(1),
  request: Uint8Array.of(2),
  partial: Uint8Array.of(3),
  final: Uint8Array.of(4),
  heartbeat: Uint8Array.of(5),
  disconnect: Uint8Array.of(6),
  cancel: Uint8Array.of(7),
};

/**
 * Where a worker tells a broker of ours what MDP has no word for: `leave`, it has nothing in hand and goes, so that what crosses this was not begun;
 * `cancel`, it knows the command CANCEL. A question like any other to a broker that does not know it.
 */
export const MMI_WORKER: Uint8Array = ascii("mmi.worker");
export const LEAVE: Uint8Array = ascii("leave");
export const TAKES_CANCEL: Uint8Array = ascii("cancel");

/** Commands of a 0.2 client's side: its one request, and the two replies. */
export const CLIENT_REQUEST_02: Uint8Array = Uint8Array.of(1);
export const CLIENT_PARTIAL_02: Uint8Array = Uint8Array.of(2);
export const CLIENT_FINAL_02: Uint8Array = Uint8Array.of(3);

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

const M = 0x4d;
const D = 0x44;
const P = 0x50;
const C = 0x43;
const W = 0x57;
const ZERO = 0x30;

/** The header that a frame is, by its exact bytes: other versions and other letters are none. */
export function headerOf(frame: Uint8Array | undefined): "C1" | "W1" | "C2" | "W2" | undefined {
  if (frame === undefined || frame.length !== 6) return undefined;
  if (frame[0] !== M || frame[1] !== D || frame[2] !== P || frame[4] !== ZERO) return undefined;
  const version = frame[5];
  if (frame[3] === C) return version === 0x31 ? "C1" : version === 0x32 ? "C2" : undefined;
  if (frame[3] === W) return version === 0x31 ? "W1" : version === 0x32 ? "W2" : undefined;
  return undefined;
}

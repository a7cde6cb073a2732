import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Tapped } from "./tap.ts";

interface Vector {
  readonly id: string;
  readonly to: string;
  readonly frames: readonly string[];
}

const FILE = fileURLToPath(new URL("../../../packages/zmq-mdp/test/vectors/mdp.json", import.meta.url));
const { vectors, zmtp } = JSON.parse(readFileSync(FILE, "utf8")) as {
  readonly vectors: readonly Vector[];
  readonly zmtp: Readonly<Record<string, string>>;
};

const hex = (frame: Buffer): string => frame.toString("hex");
/** An address that a ROUTER has invented is another one each time. */
const INVENTED = /^00[0-9a-f]{8}$/;
const asWritten = (frames: readonly string[]): string =>
  frames.map((frame) => (INVENTED.test(frame) ? "<address>" : frame)).join(" ");

/** The frames of a captured message. */
export function goldenFrames(id: string): readonly Buffer[] {
  const found = vectors.find((vector) => vector.id === id);
  if (found === undefined) throw new Error(`no vector ${id}`);
  return found.frames.map((frame) => Buffer.from(frame, "hex"));
}

/** The ids of all captured messages that one of these equals byte for byte, but for addresses. */
export function goldenAmong(messages: readonly Tapped[]): readonly string[] {
  const seen = new Set(messages.map(({ frames, toBroker }) => `${toBroker} ${asWritten(frames.map(hex))}`));
  return vectors.filter(({ frames, to }) => seen.has(`${to === "broker"} ${asWritten(frames)}`)).map(({ id }) => id);
}

/** A piece of ZMTP as it is on the wire. */
export function goldenBytes(name: string): Buffer {
  const found = zmtp[name];
  if (found === undefined) throw new Error(`no bytes ${name}`);
  return Buffer.from(found, "hex");
}

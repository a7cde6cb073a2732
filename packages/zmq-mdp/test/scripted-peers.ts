import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { Door } from "../src/broker/roster.ts";
import { BrokerMachine } from "../src/broker/machine.ts";
import { type MdpBrokerSettings, resolveSettings } from "../src/broker/settings.ts";

type Part = string | Uint8Array;

const MDPC01 = "MDPC01";
const MDPW01 = "MDPW01";
const MDPC02 = "MDPC02";
const MDPW02 = "MDPW02";

/** One letter for a frame of one byte, as the commands are written. */
export const byte = (value: number): Buffer => Buffer.of(value);

/**
 * A broker without sockets, and peers who say what a test makes them say. What it sends is kept by identity; a message is shown as one line
 * of text: frames with blanks between, the empty one as `-`, a command as `#3`.
 */
export interface Rig {
  readonly clock: FakeClock;
  readonly machine: BrokerMachine;
  readonly doors: readonly Door[];
  /** Everything that happened, as the broker's events tell it. */
  readonly events: string[];
  /** Says anything at all. */
  say(identity: string, ...frames: readonly Part[]): void;
  sayAt(door: number, identity: string, ...frames: readonly Part[]): void;
  ready(identity: string, service: string): void;
  request(identity: string, service: string, ...body: readonly Part[]): void;
  reply(identity: string, client: string, ...body: readonly Part[]): void;
  beat(identity: string): void;
  /** What this peer was sent since it was last asked for. */
  heard(identity: string): string[];
  /** The same without signs of life. */
  told(identity: string): string[];
  /** The connection of a peer is gone: what is sent to it comes back. */
  cut(identity: string): void;
  /** A peer does not read: what is sent to it comes back. Gives what makes it read again. */
  stuff(identity: string): () => void;
  /** Moves time while workers go on showing signs of life. */
  pass(ms: number, ...alive: readonly string[]): void;
}

export function createRig(
  settings: MdpBrokerSettings = {},
  doors: readonly Door[] = [new Door(0, false, undefined)],
): Rig {
  const clock = createFakeClock();
  const boxes = new Map<string, string[]>();
  const gone = new Set<string>();
  const full = new Set<string>();
  const events: string[] = [];
  const machine = new BrokerMachine(resolveSettings({ clock, ...settings }), doors, (door, frames) => {
    const [identity, ...rest] = frames.map((frame) => Buffer.from(frame));
    const name = identity?.toString() ?? "";
    if (gone.has(name)) queueMicrotask(() => machine.undelivered(door, frames, false));
    if (full.has(name)) {
      queueMicrotask(() => machine.undelivered(door, frames, true));
      return;
    }
    const box = boxes.get(name) ?? [];
    boxes.set(name, box);
    box.push(lineOf(rest));
  });
  machine.events.on("workerReady", ({ service }) => events.push(`ready ${service}`));
  machine.events.on("workerGone", ({ service }, reason) => events.push(`gone ${service} ${reason}`));
  machine.events.on("heartbeatLost", ({ service }) => events.push(`silent ${service}`));
  machine.events.on("expired", (service) => events.push(`expired ${service}`));
  machine.events.on("rejected", (service, code) => events.push(`rejected ${service} ${code}`));
  machine.events.on("request", (service) => events.push(`request ${service}`));
  machine.events.on("reply", (service, ms) => events.push(`reply ${service} ${ms}`));
  const rig: Rig = {
    clock,
    machine,
    doors,
    events,
    say: (identity, ...frames) => rig.sayAt(0, identity, ...frames),
    sayAt(door, identity, ...frames) {
      const to = doors[door];
      if (to === undefined) throw new Error(`There is no door ${door}.`);
      machine.receive(
        to,
        [identity, ...frames].map((frame) => Buffer.from(frame as string)),
      );
    },
    ready: (identity, service) => rig.say(identity, "", MDPW01, byte(1), service),
    request: (identity, service, ...body) => rig.say(identity, "", MDPC01, service, ...body),
    reply: (identity, client, ...body) => rig.say(identity, "", MDPW01, byte(3), client, "", ...body),
    beat: (identity) => rig.say(identity, "", MDPW01, byte(4)),
    heard(identity) {
      const box = boxes.get(identity) ?? [];
      boxes.delete(identity);
      return box;
    },
    told: (identity) => rig.heard(identity).filter((line) => line !== `- ${MDPW01} #4` && line !== `${MDPW02} #5`),
    cut: (identity) => {
      gone.add(identity);
    },
    stuff: (identity) => {
      full.add(identity);
      return () => void full.delete(identity);
    },
    pass(ms, ...alive) {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.advance(Math.min(left, 1_000));
        for (const identity of alive) rig.beat(identity);
      }
    },
  };
  return rig;
}

function lineOf(frames: readonly Buffer[]): string {
  return frames
    .map((frame) =>
      frame.length === 0 ? "-" : frame.length === 1 && (frame[0] ?? 99) < 10 ? `#${frame[0]}` : frame.toString(),
    )
    .join(" ");
}

export { MDPC01, MDPC02, MDPW01, MDPW02 };

import { onTestFinished } from "vitest";
import { Router } from "zeromq";
import { closeBound } from "../src/link/close-bound.ts";

/** A ROUTER that does what a test says: gives what came, and sends what it is given. */
export interface ScriptedBroker {
  readonly endpoint: string;
  /** The next message, its sender's identity first; heartbeats are left out unless they are wanted. */
  next(heartbeats?: boolean): Promise<Buffer[]>;
  send(frames: readonly (Uint8Array | string)[]): Promise<void>;
  close(): void;
  /** Closes it; when that is done, nobody listens there any more. */
  leave(): Promise<void>;
}

/** Binds a scripted broker, to a port of its own unless one is given. */
export async function scriptedBroker(endpoint = "tcp://127.0.0.1:*"): Promise<ScriptedBroker> {
  const socket = new Router({ linger: 0, sendTimeout: 0 });
  await socket.bind(endpoint);
  const close = (): void => socket.close();
  onTestFinished(close);
  return {
    endpoint: socket.lastEndpoint ?? "",
    async next(heartbeats = false) {
      for (;;) {
        const frames = await socket.receive();
        if (heartbeats || !isHeartbeat(frames)) return frames;
      }
    },
    send: (frames) => socket.send([...frames] as Buffer[]),
    close,
    leave: () => closeBound(socket, socket.lastEndpoint ?? ""),
  };
}

function isHeartbeat(frames: readonly Buffer[]): boolean {
  return frames.length === 4 && frames[2]?.toString() === "MDPW01" && frames[3]?.[0] === 4;
}

export function texts(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString());
}

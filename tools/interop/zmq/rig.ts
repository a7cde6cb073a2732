import { afterEach } from "vitest";
import { type Line, missingForPeers, PeerProcess } from "./peers.ts";

/** A port that the system chooses; what a peer is bound to stands in its first line. */
export const ANY = "tcp://127.0.0.1:*";

const opened: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  const closing = await Promise.allSettled(opened.splice(0).map(async (close) => close()));
  const failed = closing.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
});

/** Has this closed after the test. */
export function closeAfterwards(close: () => PromiseLike<unknown>): void {
  opened.push(close);
}

/** Starts a program of `peers/`, or `our` one; it need not be up yet. */
export function start(name: string, ...args: readonly (string | number)[]): PeerProcess {
  if (missingForPeers !== undefined) throw new Error(missingForPeers);
  const peer = new PeerProcess(name, args.map(String));
  closeAfterwards(() => peer[Symbol.asyncDispose]());
  return peer;
}

/** Starts a program that binds, and tells where. */
export async function startBound(name: string, ...args: readonly (string | number)[]): Promise<[PeerProcess, string]> {
  const peer = start(name, ANY, ...args);
  return [peer, (await peer.ready())["endpoint"] as string];
}

/** Runs a program to its end: its lines. */
export function outputOf(name: string, ...args: readonly (string | number)[]): Promise<readonly Line[]> {
  return start(name, ...args).output();
}

/**
 * Resume: many sessions, each with a call whose handler waits. The server resets all its sockets at once and lets the handlers go; the time
 * runs until the last caller has its answer.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import type { Answers } from "../control.ts";
import type { WaitingCalls } from "../entrant.ts";
import { loadPattern } from "../load-entrant.ts";
import { dedicatedPair } from "./dedicated-pair.ts";

const START_LIMIT_MS = 60_000;
const OPENING_AT_ONCE = 50;
const MEGABYTE = 1024 * 1024;

export interface ResumeReading {
  readonly millis: number;
  readonly serverMegabytes: number;
  readonly clientMegabytes: number;
}

export async function measureResume(entrantName: string, sessions: number): Promise<ResumeReading> {
  return dedicatedPair(entrantName, async ({ server, client }) => {
    const { endpoint } = await server.ask("serveWaiting", {}, START_LIMIT_MS);
    await client.ask("openSessions", { endpoint, sessions }, START_LIMIT_MS);
    await server.ask("allWait", { sessions }, START_LIMIT_MS);
    const cut = await server.ask("cutSockets", {}, START_LIMIT_MS);
    if (cut.sockets !== sessions) throw new Error(`${sessions} sessions had ${cut.sockets} sockets at the server`);
    const done = await client.ask("callsDone", {}, START_LIMIT_MS);
    if (done.failed > 0) throw new Error(`${done.failed} of ${sessions} calls did not survive the cut: ${done.reason}`);
    const serverPeak = await server.ask("peakRss", {}, START_LIMIT_MS);
    const clientPeak = await client.ask("peakRss", {}, START_LIMIT_MS);
    return {
      millis: done.atEpochMs - cut.atEpochMs,
      serverMegabytes: serverPeak.bytes / MEGABYTE,
      clientMegabytes: clientPeak.bytes / MEGABYTE,
    };
  });
}

/** In the serving process. */
export function waitingAnswers(entrantName: string): Answers {
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let arrived: (() => void) | undefined;
  const calls: WaitingCalls = {
    wait: () =>
      new Promise((resolve) => {
        waiting.add(resolve);
        arrived?.();
      }),
  };
  return {
    serveWaiting: async () => {
      // Node tells of every socket that a server takes: cut from within, without a hook in the library.
      subscribe("net.server.socket", (message) => {
        const { socket } = message as { readonly socket: Socket };
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
      const { endpoint } = await (await loadPattern(entrantName, "resume")).serveWaiting(calls);
      return { endpoint };
    },
    allWait: async ({ sessions }) => {
      while (waiting.size < sessions) await new Promise<void>((resolve) => (arrived = resolve));
      return {};
    },
    cutSockets: async () => {
      const cut = [...sockets];
      const atEpochMs = epochMs();
      for (const socket of cut) socket.resetAndDestroy();
      for (const go of waiting) go();
      return { atEpochMs, sockets: cut.length };
    },
  };
}

/** In the process of the sessions. */
export function sessionsAnswers(entrantName: string): Answers {
  const calls: Promise<unknown>[] = [];
  let doneAt = 0;
  return {
    openSessions: async ({ endpoint, sessions }) => {
      const entrant = await loadPattern(entrantName, "resume");
      let opened = 0;
      const openMore = async (): Promise<void> => {
        while (opened < sessions) {
          const id = opened++;
          const session = await entrant.connectSession(endpoint);
          const call = session.wait(id).then((reply) => {
            doneAt = epochMs();
            if (reply !== id) throw new Error(`call ${id} came back as ${reply}`);
          });
          call.catch(() => undefined);
          calls.push(call);
        }
      };
      await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openMore));
      return {};
    },
    callsDone: async () => {
      const failures = (await Promise.allSettled(calls)).filter((result) => result.status === "rejected");
      return { atEpochMs: doneAt, failed: failures.length, reason: String(failures[0]?.reason ?? "") };
    },
  };
}

/** The same scale in both processes. */
function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

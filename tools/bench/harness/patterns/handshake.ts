/** Handshake: connections made and closed one after the other; what counts is the CPU time of both processes. */
import type { Answers } from "../control.ts";
import { loadPattern } from "../load-entrant.ts";
import { runLoad } from "../loads.ts";
import { dedicatedPair } from "./dedicated-pair.ts";

const START_LIMIT_MS = 30_000;
const SLACK_MS = 60_000;

/** Microseconds of CPU per connection. */
export async function measureHandshake(entrantName: string, windowMs: number): Promise<number> {
  return dedicatedPair(entrantName, async ({ server, client }) => {
    const { endpoint } = await server.ask("serveHandshakes", {}, START_LIMIT_MS);
    await client.ask("verifyHandshake", { endpoint }, START_LIMIT_MS);
    const argument = { endpoint, durationMs: windowMs };
    await client.ask("connectLoop", argument, windowMs + SLACK_MS);
    const before = await server.ask("cpu", {}, SLACK_MS);
    const { calls, cpuMicros } = await client.ask("connectLoop", argument, windowMs + SLACK_MS);
    const after = await server.ask("cpu", {}, SLACK_MS);
    return (cpuMicros + after.cpuMicros - before.cpuMicros) / calls;
  });
}

export function handshakeServerAnswers(entrantName: string): Answers {
  return {
    serveHandshakes: async () => {
      const { endpoint } = await (await loadPattern(entrantName, "handshake")).serveHandshakes();
      return { endpoint };
    },
  };
}

export function handshakeClientAnswers(entrantName: string): Answers {
  return {
    verifyHandshake: async ({ endpoint }) => {
      await (await loadPattern(entrantName, "handshake")).verify?.(endpoint);
      return {};
    },
    connectLoop: async ({ endpoint, durationMs }) => {
      const entrant = await loadPattern(entrantName, "handshake");
      return runLoad({ inFlight: 1, unitsPerCall: 1, call: () => entrant.connectOnce(endpoint) }, durationMs);
    },
  };
}

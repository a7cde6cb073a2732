/** The calling half of one pair: `client-process.ts <entrant>`. */
import { answerRunner } from "./control.ts";
import type { Entrant, EntrantClient } from "./entrant.ts";
import { loadEntrant } from "./load-entrant.ts";
import { callsOf, runLoad, runSerial } from "./loads.ts";
import { codecAnswers } from "./patterns/codec.ts";
import { subscriberAnswers } from "./patterns/fanout.ts";
import { handshakeClientAnswers } from "./patterns/handshake.ts";
import { consumerAnswers } from "./patterns/jobs.ts";
import { agentAnswers, issuerAnswers } from "./patterns/queue.ts";
import { sessionsAnswers } from "./patterns/resume.ts";
import { memoryReading, peakRssReading } from "./process-readings.ts";
import { verifyClient } from "./verify-client.ts";

const OPENING_AT_ONCE = 100;
const IN_FLIGHT = 64;

const entrantName = process.argv[2] ?? "";
let entrant: Entrant | undefined;
let client: EntrantClient | undefined;
let endpoint = "";
/** Kept here so that no collection closes them. */
const idleClients: EntrantClient[] = [];
let reservedIdle = 0;

answerRunner({
  connect: async (argument) => {
    endpoint = argument.endpoint;
    entrant = await loadEntrant(entrantName);
    client = await entrant.connect(endpoint);
    await verifyClient(client, entrant.opaque ?? false);
    return { hasItems: client.countItems !== undefined, hasBytes: client.echoBytes !== undefined };
  },
  run: async ({ load, durationMs }) => {
    if (load === "serial") return runSerial(connected(), durationMs);
    return runLoad(callsOf(connected(), load), durationMs);
  },
  calls: async ({ count }) => {
    let left = count;
    const echo = callsOf(connected(), "unary");
    return runLoad({ ...echo, inFlight: IN_FLIGHT, hasMore: () => left-- > 0 }, Number.POSITIVE_INFINITY);
  },
  openIdle: async ({ count }) => {
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, () => openIdleUntil(count)));
    return { opened: idleClients.length };
  },
  memory: memoryReading,
  peakRss: peakRssReading,
  ...subscriberAnswers(entrantName),
  ...consumerAnswers(entrantName),
  ...sessionsAnswers(entrantName),
  ...handshakeClientAnswers(entrantName),
  ...codecAnswers(entrantName),
  ...issuerAnswers(entrantName),
  // Of an embedded database, whose agent may be here.
  ...agentAnswers(entrantName),
});

function connected(): EntrantClient {
  if (client === undefined) throw new Error("not connected yet");
  return client;
}

/** Each idle connection has made one call: some libraries connect no earlier, and all have their handshake behind them. */
async function openIdleUntil(count: number): Promise<void> {
  if (entrant === undefined) throw new Error("not connected yet");
  while (reservedIdle < count) {
    const id = reservedIdle++;
    const idleClient = await entrant.connect(endpoint);
    await idleClient.echo({ id, text: "idle" });
    idleClients.push(idleClient);
  }
}

/**
 * Commands in a database: issuers and agents in a process each, unless users of the database have them in one. Where a queue has no way to
 * tell its issuer that a job is over, the agent's process says so over a socket, which costs a thousandth of what a job costs.
 */
import { createServer, connect, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Answers } from "../control.ts";
import type { QueueEntrant, QueueIssuer } from "../entrant.ts";
import { loadPattern } from "../load-entrant.ts";
import { runLoad } from "../loads.ts";
import { medianOf } from "../measurements.ts";
import { ECHO_TEXT } from "../message.ts";
import { databaseOfRun } from "../queue-database.ts";
import { dedicatedPair, type PairOf } from "./dedicated-pair.ts";

const IN_FLIGHT = 64;
const PER_TICK = 1000;
/** So that inserting and making the next ones ready can go side by side. */
const TICKS_IN_FLIGHT = 2;
/** Long enough that everybody waits again. */
const IDLE_PAUSE_MS = 5;
const WARM_UP_CALLS = 50;
const START_LIMIT_MS = 300_000;
const SLACK_MS = 60_000;

export async function measureQueueCalls(entrantName: string, windowMs: number): Promise<number> {
  return queuePair(entrantName, async (pair) => {
    const { client } = pair;
    await openBoth(pair);
    await client.ask("queueCalls", { durationMs: windowMs }, windowMs + SLACK_MS);
    const { calls, elapsedMs } = await client.ask("queueCalls", { durationMs: windowMs }, windowMs + SLACK_MS);
    return (calls / elapsedMs) * 1000;
  });
}

export async function measureQueueBacklog(entrantName: string, count: number): Promise<number> {
  return queuePair(entrantName, async ({ server, client }) => {
    const { place } = await server.ask("prepareQueue", {}, START_LIMIT_MS);
    await client.ask("openIssuer", { place, listens: false }, START_LIMIT_MS);
    await client.ask("queueFill", { count }, START_LIMIT_MS);
    const { elapsedMs } = await server.ask("queueDrain", { place, count }, START_LIMIT_MS);
    return (count / elapsedMs) * 1000;
  });
}

export async function measureQueueIdle(
  entrantName: string,
  windowMs: number,
): Promise<{ startMicros: number; resultMicros: number }> {
  return queuePair(entrantName, async (pair) => {
    await openBoth(pair, false);
    const { issuedAt, doneAt } = await pair.client.ask("queueIdleCalls", { durationMs: windowMs }, windowMs + SLACK_MS);
    const { startedAt } = await pair.server.ask("queueStarts", {}, SLACK_MS);
    const since = (ends: readonly number[]): number =>
      medianOf(issuedAt.map((issued, id) => (ends[id] ?? Number.NaN) - issued).slice(WARM_UP_CALLS));
    return { startMicros: since(startedAt), resultMicros: since(doneAt) };
  });
}

export async function measureQueueInserts(entrantName: string, windowMs: number): Promise<number> {
  return queuePair(entrantName, async ({ server, client }) => {
    const { place } = await server.ask("prepareQueue", {}, START_LIMIT_MS);
    await client.ask("openIssuer", { place, listens: false }, START_LIMIT_MS);
    await client.ask("queueInserts", { durationMs: windowMs }, windowMs + SLACK_MS);
    const { calls, elapsedMs } = await client.ask("queueInserts", { durationMs: windowMs }, windowMs + SLACK_MS);
    return (calls / elapsedMs) * 1000;
  });
}

/** All entrants of a run have the one server that starts with the first of them. */
async function queuePair<T>(entrantName: string, measure: (pair: PairOf) => Promise<T>): Promise<T> {
  await databaseOfRun();
  return dedicatedPair(entrantName, measure);
}

async function openBoth({ server, client }: PairOf, mayShareProcess = true): Promise<void> {
  const { place, callsInOneProcess, isOneWay } = await server.ask("prepareQueue", {}, START_LIMIT_MS);
  const { tellPort } = await client.ask("openIssuer", { place, listens: isOneWay }, START_LIMIT_MS);
  const agent = callsInOneProcess && mayShareProcess ? client : server;
  await agent.ask("openAgent", { place, tellPort }, START_LIMIT_MS);
}

/** In the agent's process. */
export function agentAnswers(entrantName: string): Answers {
  const startedAt: number[] = [];
  return {
    prepareQueue: async () => {
      const entrant = await loadPattern(entrantName, "queue");
      const place = await entrant.prepare();
      const { callsInOneProcess = false, isOneWay = false } = entrant;
      return { place, callsInOneProcess, isOneWay };
    },
    openAgent: async ({ place, tellPort }) => {
      const entrant = await loadPattern(entrantName, "queue");
      const tell = tellPort === 0 ? undefined : await teller(tellPort);
      await entrant.openAgent(place, (id) => {
        startedAt[id] = nowMicros();
        tell?.(id);
      });
      return {};
    },
    queueStarts: async () => ({ startedAt }),
    queueDrain: async ({ place, count }) => {
      const entrant = await loadPattern(entrantName, "queue");
      if (entrant.drain === undefined) throw new Error("the entrant drains no backlog");
      return entrant.drain(place, count);
    },
  };
}

/** In the issuer's process. */
export function issuerAnswers(entrantName: string): Answers {
  let issuer: QueueIssuer | undefined;
  let handled: ((id: number) => Promise<void>) | undefined;
  const opened = (): QueueIssuer => {
    if (issuer === undefined) throw new Error("not opened yet");
    return issuer;
  };
  const call = async (id: number, isIdle = false): Promise<void> => {
    const isHandled = handled?.(id);
    const issuing = opened();
    const message = { id, text: ECHO_TEXT };
    const output = await (isIdle && issuing.callIdle !== undefined ? issuing.callIdle(message) : issuing.call(message));
    if (output !== id) throw new Error(`command ${id} came back as ${output}`);
    await isHandled;
  };
  return {
    openIssuer: async ({ place, listens }) => {
      const entrant: QueueEntrant = await loadPattern(entrantName, "queue");
      issuer = await entrant.openIssuer(place);
      if (!listens) return { tellPort: 0 };
      const listener = await handledListener();
      handled = listener.handled;
      return { tellPort: listener.port };
    },
    queueCalls: async ({ durationMs }) =>
      runLoad({ inFlight: IN_FLIGHT, unitsPerCall: 1, call: (id) => call(id) }, durationMs),
    queueIdleCalls: async ({ durationMs }) => {
      const issuedAt: number[] = [];
      const doneAt: number[] = [];
      const end = performance.now() + durationMs;
      for (let id = 0; id < WARM_UP_CALLS * 2 || performance.now() < end; id++) {
        issuedAt[id] = nowMicros();
        await call(id, true);
        doneAt[id] = nowMicros();
        await pause(IDLE_PAUSE_MS);
      }
      return { issuedAt, doneAt };
    },
    queueFill: async ({ count }) => {
      for (let first = 0; first < count; first += PER_TICK)
        await issueAll(opened(), first, Math.min(PER_TICK, count - first));
      return {};
    },
    queueInserts: async ({ durationMs }) => {
      let next = 0;
      const tick = async (): Promise<void> => {
        const first = next;
        next += PER_TICK;
        await issueAll(opened(), first, PER_TICK);
      };
      return runLoad({ inFlight: TICKS_IN_FLIGHT, unitsPerCall: PER_TICK, call: tick }, durationMs);
    },
  };
}

async function issueAll(issuer: QueueIssuer, first: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => ({ id: first + index, text: ECHO_TEXT }));
  if (issuer.issueAll === undefined) throw new Error("the entrant inserts no batches");
  await issuer.issueAll(messages);
}

/** Says ids to the issuer's process, those of a turn together. */
async function teller(port: number): Promise<(id: number) => void> {
  const socket = await new Promise<Socket>((resolve) => {
    const made = connect(port, "127.0.0.1", () => resolve(made));
  });
  socket.setNoDelay(true);
  let text = "";
  return (id) => {
    if (text === "")
      setImmediate(() => {
        socket.write(text);
        text = "";
      });
    text += `${id}\n`;
  };
}

async function handledListener(): Promise<{ port: number; handled: (id: number) => Promise<void> }> {
  const waiting = new Map<number, () => void>();
  const server = createServer((socket) => {
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const id = Number(line);
        waiting.get(id)?.();
        waiting.delete(id);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    handled: (id) => new Promise((resolve) => waiting.set(id, resolve)),
  };
}

/** The same scale in both processes. */
function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Work queue: one producer keeps jobs in flight, two consumers with a connection each do them. A job counts when the producer has its output. */
import type { Answers } from "../control.ts";
import type { JobsEntrant, Producer } from "../entrant.ts";
import { loadPattern } from "../load-entrant.ts";
import { runLoad } from "../loads.ts";
import { ECHO_TEXT } from "../message.ts";
import { dedicatedPair } from "./dedicated-pair.ts";

const CONSUMERS = 2;
const IN_FLIGHT = 1024;
const START_LIMIT_MS = 30_000;
const SLACK_MS = 60_000;

export async function measureJobs(entrantName: string, windowMs: number): Promise<number> {
  return dedicatedPair(entrantName, async ({ server, client }) => {
    const { endpoint, producerAt } = await server.ask("serveQueue", {}, START_LIMIT_MS);
    await client.ask("consume", { endpoint, consumers: CONSUMERS }, START_LIMIT_MS);
    const producer = producerAt === "queue" ? server : client;
    await producer.ask("produce", { durationMs: windowMs }, windowMs + SLACK_MS);
    const { calls, elapsedMs } = await producer.ask("produce", { durationMs: windowMs }, windowMs + SLACK_MS);
    return (calls / elapsedMs) * 1000;
  });
}

/** In the queue's process. */
export function queueAnswers(entrantName: string): Answers {
  let producer: Producer | undefined;
  return {
    serveQueue: async () => {
      const entrant = await loadPattern(entrantName, "jobs");
      const queue = await entrant.serveQueue();
      producer = queue;
      return { endpoint: queue.endpoint, producerAt: entrant.producerAt };
    },
    produce: ({ durationMs }) => produce(producer, durationMs),
  };
}

/** In the other process, where the consumers are, and the producer when it is not with its queue. */
export function consumerAnswers(entrantName: string): Answers {
  let entrant: JobsEntrant | undefined;
  let producer: Producer | undefined;
  return {
    consume: async ({ endpoint, consumers }) => {
      entrant = await loadPattern(entrantName, "jobs");
      for (let i = 0; i < consumers; i++) await entrant.consume(endpoint);
      if (entrant.producerAt === "client") producer = await entrant.connectProducer(endpoint);
      return {};
    },
    produce: ({ durationMs }) => produce(producer, durationMs),
  };
}

async function produce(producer: Producer | undefined, durationMs: number) {
  if (producer === undefined) throw new Error("the producer is in the other process");
  const call = async (id: number): Promise<void> => {
    const output = await producer.submit({ id, text: ECHO_TEXT });
    if (output !== id) throw new Error(`job ${id} came back as ${output}`);
  };
  return runLoad({ inFlight: IN_FLIGHT, unitsPerCall: 1, call }, durationMs);
}

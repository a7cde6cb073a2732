/**
 * Fan-out: one publisher, many subscribers with a connection each, all in one process. The publisher is never more than a few hundred
 * events ahead of the slowest subscriber, whatever the library: the subscribers' process says over a socket of the harness how far all of
 * them are. What is counted are events that arrived; each subscriber proves that none is missing.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import type { Answers } from "../control.ts";
import type { Publisher } from "../entrant.ts";
import { loadPattern } from "../load-entrant.ts";
import { dedicatedPair, type PairOf } from "./dedicated-pair.ts";

const EVENTS_PER_ACK = 64;
const MOST_AHEAD = 512;
/** Sockets get their turn this often, also where publishing waits for nothing. */
const EVENTS_PER_TURN = 16;
const TEXT_BYTES = 64;
const PROBE = "probe".padEnd(TEXT_BYTES, ".");
const PROBE_EVERY_MS = 100;
const START_LIMIT_MS = 60_000;
/** Long: a mesh of nodes that hear of each other by gossip takes its time. */
const PROBE_LIMIT_MS = 120_000;
/** A library whose start waits for a timer is not started a hundred times in a row. */
const SUBSCRIBING_AT_ONCE = 10;
const SLACK_MS = 60_000;

export async function measureFanout(entrantName: string, windowMs: number, subscribers: number): Promise<number> {
  return dedicatedPair(entrantName, async ({ server, client }: PairOf) => {
    const { endpoint, ackPort } = await server.ask("servePublisher", { subscribers }, START_LIMIT_MS);
    await client.ask("subscribe", { endpoint, ackPort, subscribers }, START_LIMIT_MS);
    await server.ask("probe", {}, PROBE_LIMIT_MS);
    await server.ask("publish", { durationMs: windowMs }, windowMs + SLACK_MS);
    const { delivered, elapsedMs } = await server.ask("publish", { durationMs: windowMs }, windowMs + SLACK_MS);
    return (delivered / elapsedMs) * 1000;
  });
}

/** In the publisher's process. */
export function publisherAnswers(entrantName: string): Answers {
  let publisher: Publisher | undefined;
  let subscriberCount = 0;
  let published = 0;
  const seen = { arrived: 0, probed: false };
  let wake: (() => void) | undefined;
  const hear = (socket: Socket): void => {
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      for (const byte of bytes) {
        if (byte === ACK.probed) seen.probed = true;
        else seen.arrived += EVENTS_PER_ACK;
      }
      wake?.();
    });
    socket.on("error", () => undefined);
  };
  const running = (): Publisher => {
    if (publisher === undefined) throw new Error("servePublisher comes first");
    return publisher;
  };
  const acked = async (): Promise<void> => {
    await new Promise<void>((resolve) => (wake = resolve));
  };
  return {
    servePublisher: async ({ subscribers }) => {
      subscriberCount = subscribers;
      publisher = await (await loadPattern(entrantName, "fanout")).servePublisher();
      const acks = createServer(hear).listen(0, "127.0.0.1");
      await once(acks, "listening");
      const address = acks.address();
      if (address === null || typeof address === "string") throw new Error("acknowledgements come over TCP");
      return { endpoint: publisher.endpoint, ackPort: address.port };
    },
    probe: async () => {
      const source = running();
      while (!seen.probed) {
        await source.publish(PROBE);
        await delay(PROBE_EVERY_MS);
      }
      return {};
    },
    publish: async ({ durationMs }) => {
      const source = running();
      const first = published;
      const started = performance.now();
      while (performance.now() - started < durationMs || published % EVENTS_PER_ACK !== 0) {
        await source.publish(String(published).padEnd(TEXT_BYTES, "."));
        published++;
        while (published - seen.arrived >= MOST_AHEAD) await acked();
        if (published % EVENTS_PER_TURN === 0) await turn();
      }
      while (seen.arrived < published) await acked();
      return { delivered: (published - first) * subscriberCount, elapsedMs: performance.now() - started };
    },
  };
}

/** In the subscribers' process. */
export function subscriberAnswers(entrantName: string): Answers {
  return {
    subscribe: async ({ endpoint, ackPort, subscribers }) => {
      const entrant = await loadPattern(entrantName, "fanout");
      const acks = connect(ackPort, "127.0.0.1").setNoDelay(true);
      await once(acks, "connect");
      let probed = 0;
      /** Acknowledgement number → subscribers that are that far; those that all have reached are forgotten. */
      const reached = new Map<number, number>();
      const receiver = (): ((text: string) => void) => {
        let next = 0;
        let isProbed = false;
        return (text) => {
          if (text === PROBE) {
            if (isProbed) return;
            isProbed = true;
            if (++probed === subscribers) acks.write(Uint8Array.of(ACK.probed));
            return;
          }
          if (text.length !== TEXT_BYTES || Number.parseInt(text, 10) !== next) {
            throw new Error(`a subscriber got ${JSON.stringify(text)} instead of event ${next}`);
          }
          next++;
          if (next % EVENTS_PER_ACK !== 0) return;
          const count = (reached.get(next) ?? 0) + 1;
          if (count < subscribers) reached.set(next, count);
          else {
            reached.delete(next);
            acks.write(Uint8Array.of(ACK.arrived));
          }
        };
      };
      for (let left = subscribers; left > 0; left -= SUBSCRIBING_AT_ONCE) {
        const count = Math.min(left, SUBSCRIBING_AT_ONCE);
        await Promise.all(Array.from({ length: count }, () => entrant.subscribe(endpoint, receiver())));
      }
      return {};
    },
  };
}

const ACK = { arrived: 1, probed: 2 } as const;

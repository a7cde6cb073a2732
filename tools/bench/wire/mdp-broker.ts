/** `mdp-broker.ts [bare]`: a broker in a process of its own, ours or a bare one, which says what it has used whenever it is asked. */
import { runMdpBroker } from "@rpc/zmq-mdp";
import { Router } from "zeromq";
import { EMPTY, UNBOUNDED, WORKER } from "./mdp-peers.ts";

export interface BrokerUse {
  readonly workers: number;
  /** User and system, of all threads, since the process began. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

interface Crowd {
  readonly endpoint: string;
  workers(): number;
}

const HEARTBEAT_MS = 2_500;
const TICK_MS = 100;

/** No more than what must be: it knows who is there, and beats for each. */
async function bareBroker(): Promise<Crowd> {
  const router = new Router(UNBOUNDED);
  await router.bind("tcp://127.0.0.1:*");
  const workers = new Map<string, { readonly identity: Buffer; beatAt: number }>();
  const beat = async (): Promise<void> => {
    const now = performance.now();
    for (const worker of workers.values()) {
      if (now - worker.beatAt < HEARTBEAT_MS) continue;
      worker.beatAt += HEARTBEAT_MS;
      await router.send([worker.identity, EMPTY, WORKER, Buffer.of(4)]);
    }
  };
  setInterval(() => void beat(), TICK_MS);
  void (async () => {
    for await (const [identity] of router) {
      if (identity === undefined) continue;
      const key = identity.toString("latin1");
      if (!workers.has(key)) workers.set(key, { identity, beatAt: performance.now() });
    }
  })();
  return { endpoint: router.lastEndpoint ?? "", workers: () => workers.size };
}

async function ourBroker(): Promise<Crowd> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", dialect: "rfc7", heartbeatMs: HEARTBEAT_MS });
  return { endpoint: broker.endpoint, workers: () => broker.stats().workers };
}

const crowd = await (process.argv[2] === "bare" ? bareBroker() : ourBroker());
process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  const use: BrokerUse = {
    workers: crowd.workers(),
    cpuMs: (user + system) / 1_000,
    residentBytes: process.memoryUsage.rss(),
  };
  process.send?.(use);
});
process.send?.(crowd.endpoint);

/** `mdp-broker.ts`: our broker in a process of its own, which says what it has used whenever it is asked. */
import { runMdpBroker } from "@rpc/zmq-mdp";

export interface BrokerUse {
  readonly workers: number;
  /** User and system, of all threads, since the process began. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", dialect: "rfc7" });
process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  const use: BrokerUse = {
    workers: broker.stats().workers,
    cpuMs: (user + system) / 1_000,
    residentBytes: process.memoryUsage.rss(),
  };
  process.send?.(use);
});
process.send?.(broker.endpoint);

// What a crowd of idle workers costs a broker: `node tools/bench/mdp-crowd.ts [seconds]`. Three processes: the broker, and two with the
// workers, which beat as 7/MDP says, every 2.5 s, and register one by one, as those of many programs do.
import { fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BrokerUse } from "./wire/mdp-broker.ts";
import { startBeside } from "./wire/beside.ts";

const WORKERS = 1_000;
const SERVICES = 200;
/** A process has at most 1,023 sockets of ZeroMQ by default. */
const CROWDS = 2;
const seconds = Number(process.argv[2] ?? 30);

const { child: broker, said: endpoint } = await startBeside("mdp-broker.ts");
const use = async (): Promise<BrokerUse> => {
  const told = once(broker, "message");
  broker.send("use");
  const [answer] = (await told) as [BrokerUse];
  return answer;
};
/** CPU of the broker in percent of one core. */
const busy = async (): Promise<number> => {
  const before = await use();
  const from = performance.now();
  await sleep(seconds * 1_000);
  const after = await use();
  return ((after.cpuMs - before.cpuMs) / (performance.now() - from)) * 100;
};

const alone = await busy();
const empty = await use();
const script = fileURLToPath(new URL("wire/mdp-crowd-workers.ts", import.meta.url));
const crowds = Array.from({ length: CROWDS }, (_, n) =>
  fork(script, [String(endpoint), String(WORKERS / CROWDS), String(SERVICES), String(n)]),
);
for (const one of crowds) process.on("exit", () => one.kill());
for (;;) {
  if ((await use()).workers === WORKERS) break;
  await sleep(100);
}
const crowded = await busy();
const full = await use();
const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
console.log(`${cpus()[0]?.model ?? "?"}, ${cpus().length} cores · Node ${process.version} · ${seconds} s each
broker without workers: ${alone.toFixed(2)} % of a core, ${megabytes(empty.residentBytes)} MiB
with ${full.workers} workers of ${SERVICES} services: ${crowded.toFixed(2)} % of a core, ${megabytes(full.residentBytes)} MiB`);
for (const one of crowds) one.kill();
broker.kill();

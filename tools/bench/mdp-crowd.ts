// What a crowd of idle workers costs a broker, ours and a bare one: `node tools/bench/mdp-crowd.ts [seconds]`. The workers are in two
// processes of their own; they beat as 7/MDP says, every 2.5 s, and come one by one, as programs that are started at any time do.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startBeside } from "./wire/beside.ts";
import type { BrokerUse } from "./wire/mdp-broker.ts";

const WORKERS = 1_000;
const SERVICES = 200;
/** A process has at most 1,023 sockets of ZeroMQ by default. */
const CROWDS = 2;
const BYTES_PER_MEBIBYTE = 2 ** 20;
const seconds = Number(process.argv[2] ?? 30);
const script = fileURLToPath(new URL("wire/mdp-crowd-workers.ts", import.meta.url));

async function useOf(broker: ChildProcess): Promise<BrokerUse> {
  const told = once(broker, "message");
  broker.send("use");
  const [answer] = (await told) as [BrokerUse];
  return answer;
}

async function measure(name: string, ...args: readonly string[]): Promise<void> {
  const { child: broker, said } = await startBeside("mdp-broker.ts", ...args);
  const alone = await useOf(broker);
  const crowds = Array.from({ length: CROWDS }, (_, n) =>
    fork(script, [String(said), String(WORKERS / CROWDS), String(SERVICES), String(n)]),
  );
  try {
    while ((await useOf(broker)).workers < WORKERS) await sleep(100);
    const before = await useOf(broker);
    const from = performance.now();
    await sleep(seconds * 1_000);
    const after = await useOf(broker);
    const percent = ((after.cpuMs - before.cpuMs) / (performance.now() - from)) * 100;
    const mebibytes = (after.residentBytes - alone.residentBytes) / BYTES_PER_MEBIBYTE;
    console.log(`${name}: ${percent.toFixed(1)} % of a core, ${mebibytes.toFixed(0)} MiB more than without workers`);
  } finally {
    for (const one of crowds) one.kill();
    broker.kill();
  }
}

console.log(`${cpus()[0]?.model ?? "?"}, ${cpus().length} cores · Node ${process.version}`);
console.log(`${WORKERS} idle workers of ${SERVICES} services, ${seconds} s each`);
for (let round = 0; round < 2; round++) {
  await measure("a bare zeromq.js broker", "bare");
  await measure("our broker", "ours");
}

// Forty jobs for ten processes. One of them is killed with a job in its hands, and the broker gives that job to another.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createMdpTransport, runMdpBroker, serveMdp } from "@rpc/zmq-mdp";
import { z } from "zod";

const Work = defineContract("demo.Work", {
  square: unary({
    input: z.object({ n: z.number() }),
    output: z.object({ square: z.number(), worker: z.number() }),
    idempotent: true,
  }),
});

const [, , broker, number] = process.argv;
if (broker !== undefined) await work(broker, Number(number));
else await distribute();

/** One of the ten. The third one takes a job, says so, and never gets it done. */
async function work(endpoint: string, worker: number): Promise<void> {
  const router = createRouter(Work, {
    square: ({ n }) => {
      if (worker !== 3) return { square: n * n, worker };
      process.send?.("busy");
      return new Promise(() => undefined);
    },
  });
  const listener = await serveMdp(router, { broker: endpoint, concurrency: 1 });
  await once(process, "disconnect");
  await listener.close();
}

async function distribute(): Promise<void> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", onWorkerLost: "requeue" });
  const ready = new Promise<void>((resolve) => {
    broker.on("workerReady", () => {
      if (broker.stats().workers === 10) resolve();
    });
  });
  const workers = Array.from({ length: 10 }, (_, worker): ChildProcess =>
    fork(import.meta.filename, [broker.endpoint, String(worker + 1)]),
  );
  const victim = workers[2];
  victim?.once("message", () => {
    console.log("worker 3 has a job, and is killed");
    victim.kill("SIGKILL");
  });
  await ready;
  console.log("workers:", broker.stats().workers);

  await using transport = createMdpTransport(broker.endpoint);
  const client = createClient(Work, transport);
  const results = await Promise.all(Array.from({ length: 40 }, (_, n) => client.square({ n })));

  const isRight = results.every(({ square }, n) => square === n * n);
  const busy = new Set(results.map(({ worker }) => worker));
  console.log("jobs done:", results.length, isRight ? "all of them right" : "some of them wrong");
  console.log("by worker 3:", busy.has(3) ? "some" : "none");
  console.log("workers left:", broker.stats().workers);

  const left = workers.filter((child) => child.connected);
  const gone = left.map((child) => once(child, "exit"));
  for (const child of left) child.disconnect();
  await Promise.all(gone);
  await broker.close();
}

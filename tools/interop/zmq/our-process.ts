// Our broker, worker or Titanic as a process of its own, which can be killed: `broker ENDPOINT OPTIONS`, `worker ENDPOINT OPTIONS`,
// `titanic ENDPOINT OPTIONS FOLDER`, with options in JSON.
import { createTitanicFileStore, runMdpBroker, serveMdp, serveTitanic } from "@rpc/zmq-mdp";
import { sums } from "./sums.ts";

const [role, endpoint = "", text = "{}", folder = ""] = process.argv.slice(2);
const options = JSON.parse(text) as Record<string, unknown>;
const say = (line: Readonly<Record<string, unknown>>): void => console.log(JSON.stringify(line));

async function run(): Promise<AsyncDisposable> {
  if (role === "worker") {
    const listener = await serveMdp(
      sums(() => say({ event: "request" })),
      { broker: endpoint, ...options },
    );
    say({ ready: true });
    return listener;
  }
  if (role === "titanic") {
    const titanic = await serveTitanic({ broker: endpoint, store: createTitanicFileStore(folder), ...options });
    say({ ready: true, pending: titanic.pendingCount });
    return titanic;
  }
  const broker = await runMdpBroker({ endpoint, ...options });
  broker.on("workerReady", ({ service }) => say({ event: "worker", service }));
  broker.on("workerGone", ({ service }, why) => say({ event: "gone", service, why }));
  say({ ready: true, endpoint: broker.endpoint });
  return broker;
}

const running = await run();
process.once("SIGTERM", () => void running[Symbol.asyncDispose]());

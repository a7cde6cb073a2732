/** The serving process: `server.ts <options as JSON>`. */
import { createRouter, mergeRouters, type Peer } from "@rpc/core";
import { serveTcp } from "@rpc/tcp";
import { endByItself, onOrder, tell } from "./child.ts";
import { Control, News, sessionOptions, Work } from "./contracts.ts";
import { Load, type LoadOutcome } from "./load.ts";
import type { SoakOptions } from "./options.ts";
import { readNumbers, Worker } from "./worker.ts";

const options = JSON.parse(process.argv[2] ?? "") as SoakOptions;
const worker = new Worker(options.calls);
/** The one that said hello last, over the connection that comes to harm. */
let peer: Peer | undefined;
let waiting: ((peer: Peer) => void)[] = [];
let load: Load | undefined;
let outcome: Promise<LoadOutcome> | undefined;

worker.onHello((greeting) => {
  peer = greeting;
  for (const go of waiting) go(greeting);
  waiting = [];
});

/** The one to call; while there is none, the next that says hello. */
function caller(): Promise<Peer> {
  return peer === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(peer);
}

const control = createRouter(Control, {
  listen: async () => {
    await readNumbers((await caller()).client(News), worker.events, () => undefined);
    return {};
  },
  begin: (plan) => {
    load = new Load(plan, async () => (await caller()).client(Work), worker.publish);
    outcome = load.run();
    return {};
  },
  outcome: async () => {
    if (outcome === undefined) throw new Error("begin comes before outcome");
    return outcome;
  },
  ends: ({ from, to }) => ({ ends: load?.ends.slice(from, to) ?? new Uint8Array(0) }),
  runs: ({ from, to }) => ({ runs: worker.runs.slice(from, to) }),
  received: () => worker.received,
});

const listener = await serveTcp(mergeRouters(worker.handler, control), {
  ...sessionOptions(options.promise === "exactly-once"),
});
listener.on("client-disconnected", (gone) => {
  if (gone === peer) peer = undefined;
});

onOrder(async (order) => {
  if (order.kind !== "close") return;
  await listener.close();
  tell({ kind: "closed" });
  endByItself();
});
tell({ kind: "listening", endpoint: listener.endpoint });

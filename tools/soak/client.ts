/** The calling process: `client.ts <options as JSON>`. It also judges, with what the server tells over a connection of its own. */
import { createClient } from "@rpc/core";
import { createTcpTransport } from "@rpc/tcp";
import { endByItself, onOrder, tell } from "./child.ts";
import { Control, News, sessionOptions, Work } from "./contracts.ts";
import { Load, type LoadPlan } from "./load.ts";
import type { SoakOptions } from "./options.ts";
import { judge, type DirectionResult } from "./judge.ts";
import { readNumbers, Worker } from "./worker.ts";

const options = JSON.parse(process.argv[2] ?? "") as SoakOptions;
const resumes = options.promise === "exactly-once";
const { seconds, calls, streams } = options;
const toServer: LoadPlan = { seconds, calls, streams, notes: Math.ceil(calls / 20), events: Math.ceil(calls / 20) };
const toClient: LoadPlan = {
  seconds,
  calls: Math.ceil(calls / 10),
  streams: Math.ceil(streams / 5),
  notes: Math.ceil(calls / 20),
  events: Math.ceil(calls / 20),
};
/** Bytes of counters per control call. */
const PAGE = 1_000_000;
/** Notifications that were handed over are still on their way when the last call has been answered. */
const LAST_NOTES_MS = 5_000;

onOrder(async (order) => {
  if (order.kind === "connect") await soak(order.proxied, order.direct);
  else {
    tell({ kind: "closed" });
    endByItself();
  }
});

async function soak(proxied: string, direct: string): Promise<void> {
  const worker = new Worker(toClient.calls);
  let gaps = 0;
  const transport = createTcpTransport(proxied, { ...sessionOptions(resumes), serve: worker.handler });
  const controlTransport = createTcpTransport(direct);
  const work = createClient(Work, transport);
  const control = createClient(Control, controlTransport);
  const hello = (): void => void work.hello({ n: 0 }).catch(() => undefined);
  transport.on("connected", hello);
  await work.hello({ n: 0 });
  await readNumbers(createClient(News, transport), worker.events, () => gaps++);
  await control.listen({});

  tell({ kind: "begun" });
  const load = new Load(toServer, () => Promise.resolve(work), worker.publish);
  await control.begin(toClient);
  // Without resuming nobody dials while only the server has something to say.
  const dialing = setInterval(() => {
    if (!transport.connected) transport.ready().catch(() => undefined);
  }, 100);
  const [outcome, farOutcome] = await Promise.all([load.run(), control.outcome({})]);
  clearInterval(dialing);
  const isComplete = async (): Promise<boolean> => {
    const far = await control.received({});
    const near = worker.received;
    return (
      far.notes.count >= toServer.notes &&
      near.notes.count >= toClient.notes &&
      far.events.count >= toServer.events &&
      near.events.count >= toClient.events
    );
  };
  const end = performance.now() + LAST_NOTES_MS;
  while (performance.now() < end && !(await isComplete())) await new Promise((resolve) => setTimeout(resolve, 50));

  const far = await control.received({});
  const near = worker.received;
  const results: DirectionResult[] = [
    {
      name: "client → server",
      plan: toServer,
      outcome,
      ends: load.ends,
      runs: await paged(toServer.calls, async (range) => (await control.runs(range)).runs),
      received: far,
    },
    {
      name: "server → client",
      plan: toClient,
      outcome: farOutcome,
      ends: await paged(toClient.calls, async (range) => (await control.ends(range)).ends),
      runs: worker.runs,
      received: near,
    },
  ];
  const { lines, violations } = judge(results, options.promise);
  if (gaps > 0 && resumes) violations.push(`the client was told of ${gaps} gaps in its subscription`);
  await transport.close();
  await controlTransport.close();
  tell({ kind: "report", lines, violations });
}

async function paged(
  count: number,
  read: (range: { from: number; to: number }) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const all = new Uint8Array(count);
  for (let from = 0; from < count; from += PAGE) all.set(await read({ from, to: Math.min(count, from + PAGE) }), from);
  return all;
}

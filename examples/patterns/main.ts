// Beyond calls: jobs that wait until somebody has time, events for whoever is interested, and a word to all who are connected.
import {
  createClient,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  type Peer,
  type SessionTransport,
  unary,
  workQueue,
} from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";

/** What the office serves. */
const Office = defineContract("demo.Office", {
  prints: job({ input: z.object({ page: z.string() }), output: z.string(), maxAttempts: 3 }),
  printed: event({ payload: z.object({ page: z.string() }) }),
});

/** What a printer serves to the office. */
const Printer = defineContract("demo.Printer", {
  ink: unary({ output: z.number() }),
  sleep: notification({ input: z.object({ minutes: z.int() }) }),
});

// In earnest 32 random bytes each, out of the environment.
const secrets = { printer: "the secret of all printers", reader: "the secret of the reader" };

// ---- the office

const office = createRouter(Office, { prints: workQueue({ retryDelayMs: 1 }) });
const listener = await serveTcp(office, { secrets });

// There is no printer yet: the job waits.
const ticket = await office.prints.submit({ page: "the first page" });
console.log(`office: ${office.prints.waitingCount} page waits`);

// ---- a reader, who wants to know what was printed on the first floor

const reader = createTcpTransport(listener.endpoint, { identity: "reader", secret: secrets.reader });
const news = createClient(Office, reader).printed.subscribe({ pattern: "floor1.**" });
await news.ready;

// ---- two printers

const asleep: string[] = [];

async function startPrinter(name: string, ink: number): Promise<SessionTransport> {
  const serve = createRouter(Printer, {
    ink: () => ink,
    sleep: ({ minutes }) => void asleep.push(`${name} sleeps for ${minutes} minutes`),
  });
  const transport = createTcpTransport(listener.endpoint, { identity: "printer", secret: secrets.printer, serve });
  await transport.ready();
  return transport;
}

const red = await startPrinter("red", 0.5);
const blue = await startPrinter("blue", 0.75);

createClient(Office, red).prints.consume({
  handle: async ({ page }, { attempt }) => {
    if (attempt === 1) throw new Error("paper jam");
    await office.printed.publish({ page }, { topic: "floor1.red" });
    return `${page}, printed on try ${attempt}`;
  },
});
console.log(`office: ${await ticket.result()}`);
for await (const { page } of news) {
  console.log(`reader: ${page} is there`);
  break;
}

// ---- a question to all printers, and a word

const filter = (peer: Peer): boolean => peer.identity === "printer";
const levels: number[] = [];
for await (const { result } of listener.peers.callAll(Printer.ink, undefined, { filter, timeoutMs: 5_000 }))
  levels.push(result ?? 0);
console.log(`office: the least ink is ${Math.min(...levels)}`);

const report = listener.peers.broadcast(Printer.sleep, { minutes: 10 }, { filter, ack: true });
console.log(`office: ${await report.accepted} of ${report.sent} know, ${listener.peers.size} are connected`);
for (const line of asleep.toSorted()) console.log(`printer: ${line}`);

await Promise.all([reader.close(), red.close(), blue.close()]);
office.prints.close();
await listener.close();

import { createClient, createRouter, defineContract, type RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { expect, it, onTestFinished } from "vitest";
import { context, Dealer } from "zeromq";
import { createMdpTransport, runMdpBroker, serveMdp } from "../src/index.ts";
import { scriptedBroker } from "./scripted-broker.ts";

// The context of this file alone: so few that they run out.
context.maxSockets = 60;

const Echo = defineContract("echo", { say: unary() });
const router = createRouter(Echo, { say: (input) => input });

/** Takes all sockets that are left; gives what gives them back. */
function takeAll(): () => void {
  const taken: Dealer[] = [];
  try {
    for (;;) taken.push(new Dealer({ linger: 0 }));
  } catch {
    return () => {
      for (const socket of taken) socket.close();
    };
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

it("a worker that finds no socket says so, and tries again later", async () => {
  const clock = createFakeClock();
  const broker = await scriptedBroker();
  const errors: RpcError[] = [];
  const options = { broker: broker.endpoint, clock, concurrency: 1, onError: (error: RpcError) => errors.push(error) };
  const worker = await serveMdp(router, options);
  onTestFinished(() => worker.close());
  const [identity = ""] = await broker.next();
  const { pendingCount } = clock;
  await broker.send([identity, "", "MDPW01", Uint8Array.of(5)]);
  while (clock.pendingCount === pendingCount) await pause();
  const giveBack = takeAll();
  // The one that was closed is given back by another thread, whenever that comes to it.
  await pause();
  const giveRest = takeAll();
  clock.advance(1_000);
  expect(errors[0]).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "SOCKETS" });
  giveBack();
  giveRest();
  const back = (async (): Promise<boolean> => {
    // The goodbye of the one before may come first.
    while ((await broker.next()).at(-1)?.toString() !== "echo");
    return true;
  })();
  // Sockets are given back by another thread: the first tries may come before it.
  do clock.advance(30_000);
  while (!(await Promise.race([back, pause().then(() => false)])));
});

it("calls wait for a socket where each has one of its own, and are told where there is none at all", async () => {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
  onTestFinished(() => broker.close({ drainMs: 0 }));
  const worker = await serveMdp(router, { broker: broker.endpoint, concurrency: 1 });
  onTestFinished(() => worker.close());
  const transport = createMdpTransport(broker.endpoint, { correlation: "socket", maxSockets: 500 });
  onTestFinished(() => transport.close());
  const client = createClient(Echo, transport);
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  expect(await Promise.all(numbers.map((n) => client.say(n)))).toEqual(numbers);

  onTestFinished(takeAll());
  const more = createMdpTransport(broker.endpoint);
  onTestFinished(() => more.close());
  const refused = { code: "RESOURCE_EXHAUSTED", reason: "SOCKETS", delivered: "no" };
  await expect(createClient(Echo, more).say(1)).rejects.toMatchObject(refused);
});

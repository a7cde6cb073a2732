import { RpcError } from "@rpc/core";
import { check, equal, rejects, throws } from "../assert.ts";
import { passing, turns, until, watch } from "../gate.ts";
import { clientOf, proves, type TransportCase, WITHOUT_RESUME } from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";
import { anotherClient, bothWays } from "./pattern-ends.ts";
import { consuming, createBench, eventually, hostWork, Work } from "./work.ts";

/** C115, C117, C118, C124, C126: jobs that are given up, expire, or lose their consumer or their queue. */
export const jobEndCases: readonly TransportCase[] = [
  ...bothWays("C115", "never starts a waiting job that was cancelled", async (bench, open) => {
    const router = hostWork(bench);
    const { client } = await open(Work, router);
    const controller = new AbortController();
    const tickets = [
      await client.run.submit("by its ticket"),
      await client.run.submit("by its signal", { signal: controller.signal }),
      await client.run.submit("at the queue"),
      await client.run.submit("kept"),
    ];
    const [ticket, signalled, queued, kept] = tickets;
    check(ticket !== undefined && signalled !== undefined && queued !== undefined, "a ticket is missing");
    await ticket.cancel("changed my mind");
    controller.abort();
    router.run.cancel(queued.id);
    await rejects(ticket.result(), { code: "CANCELLED", message: "changed my mind" }, "result, cancelled by ticket");
    await rejects(signalled.result(), { code: "CANCELLED" }, "result, cancelled by signal");
    await rejects(queued.result(), { code: "CANCELLED" }, "result, cancelled at the queue");
    await until(() => router.run.waitingCount === 1, "the queue learns of it");
    const started: unknown[] = [];
    consuming(bench, client.run.consume({ concurrency: 9, handle: (input) => void started.push(input) }));
    await kept?.result();
    await turns();
    equal(started, ["kept"], "jobs that were started");
  }),

  ...bothWays(
    "C115",
    "gives a running job that is cancelled its signal, and takes the next one",
    async (bench, open) => {
      const router = hostWork(bench);
      const { client } = await open(Work, router);
      const work = createBench();
      consuming(bench, client.run.consume({ handle: work.handle }));
      const [running, next] = [await client.run.submit("running"), await client.run.submit("next")];
      await until(() => work.started.length === 1, "the job runs");
      await running.cancel();
      await rejects(running.result(), { code: "CANCELLED" }, "result of the cancelled job");
      await until(() => work.contexts[0]?.signal.aborted === true, "the handler's signal aborts");
      equal(work.started, ["running"], "jobs started while the handler has not returned");
      work.gate.open();
      equal(await next.result(), "next", "result of the next job");
    },
  ),

  ...bothWays(
    "C117",
    "changes nothing when a finished job is cancelled, and knows no job that never was",
    async (bench, open) => {
      const router = hostWork(bench);
      const { client } = await open(Work, router);
      let runs = 0;
      consuming(
        bench,
        client.run.consume({
          handle: (input) => {
            runs += 1;
            if (input === "bad") throw new RpcError("NOT_FOUND", "no such thing");
            return input;
          },
        }),
      );
      const [good, bad] = [await client.run.submit("good"), await client.run.submit("bad")];
      equal(await good.result(), "good", "output");
      await rejects(bad.result(), { code: "NOT_FOUND" }, "error");
      for (const ticket of [good, bad]) {
        await ticket.cancel();
        router.run.cancel(ticket.id);
      }
      await turns();
      equal([await good.result(), runs], ["good", 2], "output and runs after the cancel");
      await rejects(bad.result(), { code: "NOT_FOUND" }, "error after the cancel");
      for (const id of ["", "nobody", `${good.id}0`]) {
        throws(() => router.run.cancel(id), { code: "NOT_FOUND" }, `cancel of job "${id}"`);
      }
    },
  ),

  ...bothWays("C118", "never starts a job after its expiry", async (bench, open) => {
    const router = hostWork(bench);
    const { client } = await open(Work, router);
    const [early, late] = [
      await client.run.submit("expires", { timeoutMs: 1_000 }),
      await client.run.submit("waits", { timeoutMs: 60_000 }),
    ];
    const expired = rejects(early.result(), { code: "DEADLINE_EXCEEDED" }, "result of the expired job");
    watch(expired);
    bench.clock.advance(999);
    await turns();
    equal(router.run.waitingCount, 2, "jobs that wait before the expiry");
    await passing(bench.clock, expired, "the job expires");
    await until(() => router.run.waitingCount === 1, "the queue has dropped it");
    const started: unknown[] = [];
    consuming(bench, client.run.consume({ concurrency: 9, handle: (input) => void started.push(input) }));
    await late.result();
    await rejects(
      client.run.submit("no time", { timeoutMs: 0 }).then((ticket) => ticket.result()),
      { code: "DEADLINE_EXCEEDED" },
      "job without time",
    );
    await turns();
    equal(started, ["waits"], "jobs that were started");
  }),

  ...bothWays("C118", "ends a job whose time is over while it runs, and tells its handler", async (bench, open) => {
    const { client } = await open(Work, hostWork(bench));
    const work = createBench();
    consuming(bench, client.run.consume({ handle: work.handle }));
    const ticket = await client.run.submit(1, { timeoutMs: 1_000 });
    const ended = rejects(ticket.result(), { code: "DEADLINE_EXCEEDED" }, "result");
    watch(ended);
    await until(() => work.started.length === 1, "the job runs");
    await passing(bench.clock, ended, "the job ends");
    await until(() => work.contexts[0]?.signal.aborted === true, "the handler's signal aborts");
    work.gate.open();
  }),

  ...bothWays("C124", "finishes what runs and gives back what it had claimed when it stops", async (bench, open) => {
    const router = hostWork(bench);
    const { client, pair } = await open(Work, router);
    const work = createBench();
    const stopping = consuming(bench, client.run.consume({ concurrency: 2, prefetch: 4, handle: work.handle }));
    const tickets = await Promise.all(range(9).map((n) => client.run.submit(n)));
    await until(() => work.started.length === 2, "two jobs run");
    const stopped = stopping.close({ drainMs: 60_000 });
    const finished = watch(stopped);
    const attempts: unknown[] = [];
    const handle = (input: unknown, { attempt }: { readonly attempt: number }): unknown => {
      attempts.push(attempt);
      return `${String(input)} by another`;
    };
    consuming(bench, client.run.consume({ handle }));
    const others = range(7).map((n) => `${n + 2} by another`);
    equal(await Promise.all(tickets.slice(2).map((ticket) => ticket.result())), others, "what it gave back");
    equal(
      attempts,
      range(7).map(() => 1),
      "attempts of what was not started before",
    );
    equal([finished.settled, work.started], [false, [0, 1]], "stopped, started");
    work.gate.open();
    await stopped;
    equal(await Promise.all(tickets.slice(0, 2).map((ticket) => ticket.result())), [0, 1], "what it had running");
    equal([await stopping.closed, router.run.consumerCount], [undefined, 1], "end of the consumer, consumers left");
    check(pair.transport.endpoint !== "", "the transport is gone");
  }),

  ...bothWays("C124", "gives away what does not finish within drainMs", async (bench, open) => {
    const { client } = await open(Work, hostWork(bench));
    const work = createBench();
    const stopping = consuming(bench, client.run.consume({ handle: work.handle }));
    const ticket = await client.run.submit(1);
    await until(() => work.started.length === 1, "the job runs");
    consuming(bench, client.run.consume({ handle: (_, { attempt }) => `try ${attempt}` }));
    await passing(bench.clock, stopping.close({ drainMs: 1_000 }), "the consumer stops");
    equal(await passing(bench.clock, ticket.result(), "another runs the job"), "try 2", "output");
    check(work.contexts[0]?.signal.aborted === true, "the handler that was left behind has no signal");
    work.gate.open();
  }),

  ...bothWays("C126", "tells everybody who waits when the queue stops", async (bench, open) => {
    const router = hostWork(bench);
    const { client } = await open(Work, router);
    const work = createBench();
    const consumer = consuming(bench, client.run.consume({ handle: work.handle }));
    const tickets = await Promise.all(range(5).map((n) => client.run.submit(n)));
    const own = await router.run.submit("own");
    await until(() => work.started.length === 1, "one job runs");
    router.run.close();
    for (const [n, ticket] of [...tickets, own].entries()) {
      await rejects(ticket.result(), { code: "UNAVAILABLE" }, `job ${n} of the stopped queue`);
    }
    equal((await consumer.closed)?.code, "UNAVAILABLE", "end of the consumer");
    await until(() => work.contexts[0]?.signal.aborted === true, "the running handler's signal aborts");
    await rejects(client.run.submit(6), { code: "UNAVAILABLE" }, "a job for the stopped queue");
    work.gate.open();
    await turns();
    equal(work.started, [0], "jobs that were started");
  }),

  proves("C126", "tells a submitter whose server is gone", async (bench) => {
    const pair = await bench.connect(hostWork(bench), WITHOUT_RESUME);
    const tickets = await Promise.all(range(5).map((n) => clientOf(bench, Work, pair.transport).run.submit(n)));
    await needed(pair.cut, "cut")();
    for (const ticket of tickets) {
      const told = rejects(ticket.result(), { code: "UNAVAILABLE", delivered: "unknown" }, "job of a lost server");
      await passing(bench.clock, told, "the submitter is told");
    }
  }),

  proves("C126", "does a job all the same whose submitter is gone", async (bench) => {
    const router = hostWork(bench);
    const pair = await bench.connect(router, WITHOUT_RESUME);
    await clientOf(bench, Work, pair.transport).run.submit(7);
    await needed(pair.cut, "cut")();
    const seen: unknown[] = [];
    consuming(bench, anotherClient(bench, pair, Work).run.consume({ handle: (input) => void seen.push(input) }));
    await eventually(bench, () => seen.length > 0, "the job runs");
    equal(seen, [7], "jobs that ran");
  }),

  proves("C126", "gives the jobs of a lost consumer to another one, as the next attempt", async (bench) => {
    const router = hostWork(bench);
    const pair = await bench.connect(router, WITHOUT_RESUME);
    const dying = createBench();
    const lost = clientOf(bench, Work, pair.transport).run.consume({
      concurrency: 2,
      prefetch: 1,
      reconnect: false,
      handle: dying.handle,
    });
    const tickets = await Promise.all(range(4).map((n) => router.run.submit(n)));
    await until(() => dying.started.length === 2, "two jobs run");
    await needed(pair.cut, "cut")();
    await passing(bench.clock, lost.closed, "the consumer learns of its loss");
    equal((await lost.closed)?.code, "UNAVAILABLE", "end of the lost consumer");
    const attempts = new Map<unknown, number>();
    const handle = (input: unknown, { attempt }: { readonly attempt: number }): unknown => {
      attempts.set(input, attempt);
      return input;
    };
    consuming(bench, anotherClient(bench, pair, Work).run.consume({ handle }));
    const outputs = Promise.all(tickets.map((ticket) => ticket.result()));
    equal(await passing(bench.clock, outputs, "all jobs are done"), range(4), "outputs");
    equal([attempts.get(0), attempts.get(1), attempts.get(3)], [2, 2, 1], "attempts");
    check(
      dying.contexts.every(({ signal }) => signal.aborted),
      "a handler of the lost consumer has no signal",
    );
    dying.gate.open();
    await turns();
    equal(await tickets[0]?.result(), 0, "output, after the lost handler has returned");
  }),

  proves("C126", "brings a consumer back after the connection was lost, without user code", async (bench) => {
    const router = hostWork(bench);
    const pair = await bench.connect(router, WITHOUT_RESUME);
    const consumer = clientOf(bench, Work, pair.transport).run.consume({ handle: (input) => input });
    await consuming(bench, consumer).ready;
    for (const n of range(3)) {
      await needed(pair.cut, "cut")();
      const ticket = await router.run.submit(n);
      equal(await passing(bench.clock, ticket.result(), "the job is done"), n, "output");
    }
  }),
];

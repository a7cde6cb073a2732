import { RpcError } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { passing, turns, until } from "../gate.ts";
import { clientOf, proves, type TransportCase } from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";
import { anotherClient, bothWays } from "./pattern-ends.ts";
import { consuming, createBench, hostWork, Work } from "./work.ts";

/** C101, C104–C106, C108, C109: jobs wait until somebody takes them. */
export const jobCases: readonly TransportCase[] = [
  ...bothWays("C101", "gives the submitter the output of its job", async (bench, open) => {
    const { client } = await open(Work, hostWork(bench));
    const inputs = [null, "ü 🚀", [1, { a: true }], patterned(70_000, 3), 2n ** 70n];
    const before = await Promise.all(inputs.map((input) => client.run.submit(input)));
    consuming(bench, client.run.consume({ handle: (input, ctx) => [input, ctx.attempt] }));
    const after = await Promise.all(inputs.map((input) => client.run.submit(input)));
    const ids = new Set([...before, ...after].map(({ id }) => id));
    equal(ids.size, 2 * inputs.length, "different tickets");
    const outputs = await Promise.all([...before, ...after].map((ticket) => ticket.result()));
    equal(
      outputs,
      [...inputs, ...inputs].map((input) => [input, 1]),
      "outputs",
    );
    equal(await before[2]?.result(), outputs[2], "the same output, asked for again");
  }),

  ...bothWays("C101", "gives the submitter the error of its job, with details that are typed", async (bench, open) => {
    const { client } = await open(Work, hostWork(bench));
    consuming(
      bench,
      client.count.consume({
        handle: (n) => {
          if (n === 1)
            throw new RpcError("FAILED_PRECONDITION", "sold out", { reason: "SoldOut", details: { left: 0 } });
          if (n === 2) throw new RpcError("PERMISSION_DENIED", "not for you: ü");
          return n === 3 ? ("three" as unknown as number) : n * n;
        },
      }),
    );
    const submit = async (n: number): Promise<number> => (await client.count.submit(n, { maxAttempts: 1 })).result();
    const soldOut = await rejects(submit(1), { code: "FAILED_PRECONDITION", reason: "SoldOut" }, "declared error");
    equal(soldOut.details, { left: 0 }, "details");
    await rejects(submit(2), { code: "PERMISSION_DENIED", message: "not for you: ü" }, "other error");
    await rejects(submit(3), { code: "INTERNAL" }, "output that is not what the contract says");
    equal(await submit(4), 16, "output of the next job");
    await rejects(
      submit("five" as unknown as number),
      { code: "INVALID_ARGUMENT" },
      "input that is not what the contract says",
    );
  }),

  proves("C101", "hands metadata to the consumer, and tells producer and consumer apart", async (bench) => {
    const withMetadata = typeof bench.capabilities.metadata === "string";
    const router = hostWork(bench);
    const pair = await bench.connect(router);
    const [producer, worker] = [clientOf(bench, Work, pair.transport), anotherClient(bench, pair, Work)];
    consuming(bench, worker.run.consume({ handle: (input, ctx) => [input, ctx.metadata.get("x-key") ?? null] }));
    const ticket = await producer.run.submit(1, { metadata: withMetadata ? { "x-key": "kept" } : undefined });
    const own = await router.run.submit(2);
    equal(await ticket.result(), [1, withMetadata ? "kept" : null], "output for the producer");
    equal(await own.result(), [2, null], "output for the queue's own process");
  }),

  proves("C104", "starts each of 10,000 jobs once, on eight consumers", async (bench) => {
    const router = hostWork(bench);
    const pair = await bench.connect(router);
    const producer = clientOf(bench, Work, pair.transport);
    const runs = new Map<unknown, number>();
    const shares: number[] = [];
    for (const worker of range(8)) {
      shares.push(0);
      const handle = async (input: unknown): Promise<unknown> => {
        runs.set(input, (runs.get(input) ?? 0) + 1);
        shares[worker] = (shares[worker] ?? 0) + 1;
        await turns(0);
        return input;
      };
      const consumer = anotherClient(bench, pair, Work).run.consume({ concurrency: 4, prefetch: 4, handle });
      await consuming(bench, consumer).ready;
    }
    equal(router.run.consumerCount, 8, "consumers");
    const outputs: unknown[] = [];
    for (const batch of range(10)) {
      const tickets = await Promise.all(range(1_000).map((n) => producer.run.submit(batch * 1_000 + n)));
      outputs.push(...(await Promise.all(tickets.map((ticket) => ticket.result()))));
    }
    equal(outputs, range(10_000), "outputs");
    equal(runs.size, 10_000, "jobs that were started");
    for (const [input, count] of runs) equal(count, 1, `runs of job ${String(input)}`);
    check(
      shares.every((share) => share > 0),
      `a consumer got nothing: ${shares.join(", ")}`,
    );
    equal([router.run.waitingCount, router.run.runningCount], [0, 0], "jobs that wait and run");
  }),

  proves("C104", "starts each job once though connections are cut, where sessions outlive them", async (bench) => {
    if (typeof bench.capabilities.resume !== "string") setAside("resume is declared a gap");
    const router = hostWork(bench);
    const pair = await bench.connect(router);
    const producer = clientOf(bench, Work, pair.transport);
    const runs = new Map<unknown, number>();
    const handle = async (input: unknown): Promise<unknown> => {
      runs.set(input, (runs.get(input) ?? 0) + 1);
      await turns(1);
      return input;
    };
    for (const _ of range(3)) {
      await consuming(bench, anotherClient(bench, pair, Work).run.consume({ concurrency: 5, prefetch: 5, handle }))
        .ready;
    }
    // Before there is a session none can outlive its connection.
    await pair.transport.ready();
    const outputs = range(300).map(async (n) => (await producer.run.submit(n)).result());
    const cutting = (async () => {
      for (const _ of range(5)) {
        await turns(4);
        await needed(pair.cut, "cut")();
      }
    })();
    const done = Promise.all([...outputs, cutting]);
    equal((await passing(bench.clock, done, "all jobs are done")).slice(0, -1), range(300), "outputs");
    equal([runs.size, Math.max(...runs.values())], [300, 1], "jobs that ran, most runs of one");
  }),

  ...bothWays(
    "C105",
    "runs no more jobs at once than a consumer said, whatever it has fetched",
    async (bench, open) => {
      const router = hostWork(bench);
      const { client } = await open(Work, router);
      const most = new Map<string, number>();
      const tickets = await Promise.all(range(60).map((n) => client.run.submit(n)));
      for (const { name, concurrency, prefetch } of [
        { name: "default" },
        { name: "three", concurrency: 3 },
        { name: "two and twenty", concurrency: 2, prefetch: 20 },
      ]) {
        let running = 0;
        const handle = async (input: unknown): Promise<unknown> => {
          running += 1;
          most.set(name, Math.max(most.get(name) ?? 0, running));
          await turns(1);
          running -= 1;
          return input;
        };
        const consumer = consuming(bench, client.run.consume({ concurrency, prefetch, handle }));
        await consumer.ready;
      }
      equal(await Promise.all(tickets.map((ticket) => ticket.result())), range(60), "outputs");
      equal(Object.fromEntries(most), { default: 1, three: 3, "two and twenty": 2 }, "most jobs at once");
    },
  ),

  proves("C105", "holds back what a busy consumer has no room for, for one that has", async (bench) => {
    const router = hostWork(bench);
    const pair = await bench.connect(router);
    const busy = createBench();
    const client = clientOf(bench, Work, pair.transport);
    consuming(bench, client.run.consume({ concurrency: 2, handle: busy.handle }));
    const tickets = await Promise.all(range(6).map((n) => client.run.submit(n)));
    await until(() => busy.started.length === 2, "the busy consumer has its two jobs");
    await turns();
    equal(
      [busy.started, router.run.waitingCount, router.run.runningCount],
      [[0, 1], 4, 2],
      "started, waiting, running",
    );
    const free = anotherClient(bench, pair, Work).run.consume({ handle: (input) => input });
    consuming(bench, free);
    equal(await Promise.all(tickets.slice(2).map((ticket) => ticket.result())), [2, 3, 4, 5], "outputs of the others");
    busy.gate.open();
    equal(await Promise.all(tickets.map((ticket) => ticket.result())), range(6), "all outputs");
  }),

  ...bothWays("C106", "gives a consumer only the jobs of the method that it asked for", async (bench, open) => {
    const router = hostWork(bench);
    const { client } = await open(Work, router);
    const seen: string[] = [];
    consuming(
      bench,
      client.other.consume({ concurrency: 9, handle: (input) => void seen.push(`other ${String(input)}`) }),
    );
    const [run, other] = [await client.run.submit(1), await client.other.submit(2)];
    await other.result();
    await turns();
    equal([seen, router.run.waitingCount], [["other 2"], 1], "jobs seen, jobs that wait");
    consuming(bench, client.run.consume({ handle: (input) => void seen.push(`run ${String(input)}`) }));
    await run.result();
    equal(seen, ["other 2", "run 1"], "jobs seen");
  }),

  ...bothWays("C108", "takes higher priorities first, then the oldest", async (bench, open) => {
    const { client } = await open(Work, hostWork(bench));
    const priorities = [0, 5, undefined, -3, 5, 1_000_000, 0, -1_000_000, 1];
    const tickets = [];
    for (const [n, priority] of priorities.entries()) tickets.push(await client.run.submit(n, { priority }));
    const started: unknown[] = [];
    consuming(bench, client.run.consume({ handle: (input) => void started.push(input) }));
    await Promise.all(tickets.map((ticket) => ticket.result()));
    equal(started, [5, 1, 4, 8, 0, 2, 6, 3, 7], "order");
    await rejects(client.run.submit(1, { priority: 0.5 }), { code: "INVALID_ARGUMENT" }, "a fractional priority");
  }),

  ...bothWays("C109", "makes one job of those with the same key, while it waits", async (bench, open) => {
    const router = hostWork(bench);
    const { client } = await open(Work, router);
    const keys = ["a", "b", "a", undefined, "a", undefined];
    const tickets = await Promise.all(keys.map((key, n) => client.run.submit(key === "a" ? 0 : n, { key })));
    const conflict = { code: "ALREADY_EXISTS", reason: "CONFLICT" } as const;
    await rejects(client.run.submit("other", { key: "a" }), conflict, "another input with the same key");
    equal(router.run.waitingCount, 4, "jobs that wait");
    equal(new Set([0, 2, 4].map((n) => tickets[n]?.id)).size, 1, "tickets of one key");
    // The interest of the others stays.
    await tickets[2]?.cancel();
    await rejects(tickets[2]?.result() ?? Promise.resolve(), { code: "CANCELLED" }, "the one who gave up");
    const work = createBench();
    const consumer = consuming(bench, client.run.consume({ concurrency: 9, handle: work.handle }));
    await until(() => work.started.length === 4, "all are started");
    const next = await client.run.submit("next", { key: "a" });
    check(next.id !== tickets[0]?.id, "a job that runs already was joined");
    work.gate.open();
    const outputs = await Promise.all(tickets.flatMap((ticket, n) => (n === 2 ? [] : [ticket.result()])));
    equal([outputs, await next.result()], [[0, 1, 3, 0, 5], "next"], "outputs");
    equal(
      work.started.toSorted((a, b) => String(a).localeCompare(String(b))),
      [0, 1, 3, 5, "next"],
      "jobs started",
    );
    await consumer.close();
  }),
];

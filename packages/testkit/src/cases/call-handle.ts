import { createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { check, equal, rejects } from "../assert.ts";
import { collect, createGate, turns } from "../gate.ts";
import { text, whole } from "../shapes.ts";
import { clientOf, one, proves, type TransportCase } from "../transport-bench.ts";

const Build = defineContract("testkit.Build", { make: unary({ input: text, output: text, progress: whole }) });

/** C69, C70: the handle of a started call. */
export const callHandleCases: readonly TransportCase[] = [
  proves("C69", "shows id, state and output of a call that succeeds", async (bench) => {
    const entered = createGate();
    const gate = createGate();
    const { client } = await one(bench, async () => {
      entered.open();
      await gate.passed;
      return "made";
    });
    const handle = client.run.start({});
    check(typeof handle.id === "string" && handle.id.length > 0, "the handle has no id");
    await entered.passed;
    check(handle.state === "running", `a call under way has state "${handle.state}"`);
    gate.open();
    equal(await handle, "made", "output");
    equal(await handle, "made", "output when awaited again");
    equal(handle.state, "done", "state");
  }),

  proves("C69", "shows the state of calls that fail and of calls that are cancelled", async (bench) => {
    const entered = createGate();
    const { client } = await one(bench, (input) => {
      if (input === "fail") throw new RpcError("ABORTED", "no");
      entered.open();
      return createGate().passed;
    });
    const failing = client.run.start("fail");
    await rejects(failing, { code: "ABORTED" }, "failing call");
    equal(failing.state, "failed", "state of the failed call");
    const cancelled = client.run.start("wait");
    await entered.passed;
    await cancelled.cancel();
    await rejects(cancelled, { code: "CANCELLED" }, "cancelled call");
    equal(cancelled.state, "cancelled", "state of the cancelled call");
  }),

  proves("C70", "delivers progress live, in order, the last before the output and none after it", async (bench) => {
    const seen: unknown[] = [];
    const gate = createGate();
    const pair = await bench.connect(
      createRouter(Build, {
        make: async (input, ctx) => {
          ctx.progress(10);
          await gate.passed;
          ctx.progress(50);
          ctx.progress(100);
          setTimeout(() => ctx.progress(110), 0);
          return `${input} made`;
        },
      }),
    );
    const handle = clientOf(bench, Build, pair.transport).make.start("hat");
    const reading = (async () => {
      for await (const percent of handle.progress) {
        seen.push(percent);
        if (percent === 10) gate.open();
      }
    })();
    equal(await handle, "hat made", "output");
    await reading;
    await turns();
    equal(seen, [10, 50, 100], "progress");
  }),

  proves("C70", "delivers log lines in order with level and fields", async (bench) => {
    const pair = await bench.connect(
      createRouter(Build, {
        make: async (input, ctx) => {
          ctx.log("cloning", { commit: "abc" });
          ctx.log("careful", {}, "warning");
          return input;
        },
      }),
    );
    const handle = clientOf(bench, Build, pair.transport).make.start("hat");
    const lines = collect(handle.log);
    await handle;
    equal(
      (await lines).map(({ level, message, fields }) => ({ level, message, fields })),
      [
        { level: "info", message: "cloning", fields: { commit: "abc" } },
        { level: "warning", message: "careful", fields: {} },
      ],
      "lines",
    );
  }),

  proves("C70", "ends progress and log with a failing call, and costs a plain call nothing", async (bench) => {
    const observed: boolean[] = [];
    const pair = await bench.connect(
      createRouter(Build, {
        make: (input, ctx) => {
          observed.push(ctx.observed);
          ctx.progress(5);
          ctx.log("line");
          if (input === "bad") throw new RpcError("ABORTED", "no");
          return input;
        },
      }),
    );
    const client = clientOf(bench, Build, pair.transport);
    const handle = client.make.start("bad");
    const progress = collect(handle.progress);
    await rejects(handle, { code: "ABORTED" }, "call");
    equal(await progress, [5], "progress before the failure");
    equal(await client.make("good"), "good", "plain call");
    equal(observed, [true, false], "whether anybody reads");
  }),
];

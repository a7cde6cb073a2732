import { RpcError, unary, defineContract, createRouter } from "@rpc/core";
import { check, equal, rejects } from "../assert.ts";
import type { FakeClock } from "../fake-clock.ts";
import { createGate, until, watch } from "../gate.ts";
import { clientOf, one, proves, type TransportCase, WITHOUT_RESUME } from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";

/** C135, C136: the connection is lost and comes back. */
export const reconnectCases: readonly TransportCase[] = [
  proves("C135", "makes the next call work after the connection was cut, without user code", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    const cut = needed(pair.cut, "cut");
    for (const n of range(5)) {
      await eventually(bench.clock, () => client.run(n), n);
      await cut();
    }
    await eventually(bench.clock, () => client.run("back"), "back");
  }),

  proves("C135", "makes the next call work after a restart of the server, without user code", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    const restart = needed(pair.restart, "restart");
    equal(await client.run(1), 1, "call before the restart");
    await restart();
    await eventually(bench.clock, () => client.run(2), 2);
  }),

  proves(
    "C136",
    "fails calls in flight UNAVAILABLE with their fate unknown, and does not send them again",
    async (bench) => {
      const runs = new Map<unknown, number>();
      const entered = createGate();
      const run = async (input: unknown): Promise<unknown> => {
        runs.set(input, (runs.get(input) ?? 0) + 1);
        if (input !== "in flight") return input;
        entered.open();
        return createGate<never>().passed;
      };
      const { client, pair } = await one(bench, run, WITHOUT_RESUME);
      const cut = needed(pair.cut, "cut");
      const call = client.run("in flight");
      watch(call);
      await entered.passed;
      await cut();
      await rejects(call, { code: "UNAVAILABLE", delivered: "unknown" }, "call in flight");
      await eventually(bench.clock, () => client.run("next"), "next");
      equal(runs.get("in flight"), 1, "runs of the call that was in flight");
    },
  ),

  proves("C136", "does the same for calls that are idempotent: retrying is the caller's choice", async (bench) => {
    const Safe = defineContract("testkit.Safe", { run: unary({ idempotent: true }) });
    let runs = 0;
    const entered = createGate();
    const pair = await bench.connect(
      createRouter(Safe, {
        run: () => {
          runs += 1;
          entered.open();
          return createGate<never>().passed;
        },
      }),
      WITHOUT_RESUME,
    );
    const call = clientOf(bench, Safe, pair.transport).run(1);
    watch(call);
    await entered.passed;
    await needed(pair.cut, "cut")();
    const error = await rejects(call, { code: "UNAVAILABLE" }, "call in flight");
    check(error.retryable, "the error does not say that a retry may help");
    equal(runs, 1, "runs");
  }),
];

/** A call in the very moment of the loss may still fall into it; one of the next works. */
async function eventually(clock: FakeClock, call: () => Promise<unknown>, expected: unknown): Promise<void> {
  let output: unknown;
  let done = false;
  let attempts = 0;
  let waiting = false;
  await until(() => {
    // Between two tries to connect again time has to pass.
    if (!done) clock.advance(100);
    if (done || waiting) return done;
    waiting = true;
    attempts += 1;
    check(attempts <= 5, "five calls after the loss failed one after the other");
    call().then(
      (value) => {
        output = value;
        done = true;
      },
      (caught: unknown) => {
        const { code } = RpcError.from(caught);
        if (code === "UNAVAILABLE") waiting = false;
        else {
          output = code;
          done = true;
        }
      },
    );
    return false;
  }, "a call works again");
  equal(output, expected, "output after the loss");
}

import { RpcError } from "@rpc/core";
import type { CallContext } from "@rpc/core/transport";
import { check, equal, expectError, fail, rejects, setAside } from "../assert.ts";
import { createGate, turns, until, watch } from "../gate.ts";
import {
  CANCEL_REASON,
  clientOfOne,
  one,
  proves,
  serveOne,
  type TransportCase,
  WITHOUT_RESUME,
} from "../transport-bench.ts";

/** C63–C68: a caller that does not want the reply any more. */
export const cancelCases: readonly TransportCase[] = [
  proves(
    "C63",
    "rejects CANCELLED for a call that was cancelled before it was sent, and does not run it",
    async (bench) => {
      let runs = 0;
      const { client } = await one(bench, () => void (runs += 1));
      const reason = new RpcError("CANCELLED", "changed my mind");
      for (const signal of [AbortSignal.abort(reason), AbortSignal.abort()]) {
        await rejects(client.run(1, { signal }), { code: "CANCELLED" }, "call");
      }
      await client.run(2);
      equal(runs, 1, "runs of the handler");
    },
  ),

  proves("C64", "rejects the caller at once and aborts the handler's signal with the reason", async (bench) => {
    const entered = createGate();
    const aborted = createGate<unknown>();
    const { client } = await one(bench, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      await aborted.passed;
    });
    const cancel = new AbortController();
    const call = client.run(1, { signal: cancel.signal });
    await entered.passed;
    cancel.abort(new RpcError("CANCELLED", "newer commit"));
    await rejects(call, { code: "CANCELLED", message: "newer commit" }, "call");
    const reason = await aborted.passed;
    const message = bench.loses(CANCEL_REASON) ? "" : "newer commit";
    expectError(reason, { code: "CANCELLED", message }, "reason of the signal");
  }),

  proves("C64", "does the same through the call handle", async (bench) => {
    const entered = createGate();
    const aborted = createGate<unknown>();
    const { client } = await one(bench, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      await aborted.passed;
    });
    const handle = client.run.start(1);
    await entered.passed;
    await handle.cancel("not needed");
    await rejects(handle, { code: "CANCELLED", message: "not needed" }, "handle");
    const reason = RpcError.from(await aborted.passed);
    const isTold = bench.loses(CANCEL_REASON) ? reason.code === "CANCELLED" : reason.message.includes("not needed");
    check(isTold, "the reason did not reach the handler");
  }),

  proves("C64", "shows a handler that looks only now that its caller has gone", async (bench) => {
    const entered = createGate();
    const look = createGate();
    const seen = createGate<boolean>();
    const { client } = await one(bench, async (input, ctx) => {
      if (input !== "slow") return;
      entered.open();
      await look.passed;
      seen.open(ctx.signal.aborted);
    });
    const cancel = new AbortController();
    const call = client.run("slow", { signal: cancel.signal });
    await entered.passed;
    cancel.abort();
    await rejects(call, { code: "CANCELLED" }, "call");
    await client.run("behind the cancel");
    await turns();
    look.open();
    check(await seen.passed, "ctx.signal is not aborted after the cancel");
  }),

  proves("C65", "rejects the caller at once and drops the late reply where cancel cannot travel", async (bench) => {
    const entered = createGate();
    const gate = createGate();
    const { client } = await one(bench, async (input) => {
      if (input !== "slow") return input;
      entered.open();
      await gate.passed;
      return "late";
    });
    const cancel = new AbortController();
    const call = client.run("slow", { signal: cancel.signal });
    await entered.passed;
    cancel.abort();
    await rejects(call, { code: "CANCELLED" }, "call");
    gate.open();
    equal(await client.run("next"), "next", "call after the late reply");
  }),

  proves("C66", "changes nothing when cancel comes after the reply", async (bench) => {
    const aborts: unknown[] = [];
    const { client } = await one(bench, (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborts.push(ctx.signal.reason));
      return "done";
    });
    const cancel = new AbortController();
    const call = client.run(1, { signal: cancel.signal });
    equal(await call, "done", "output");
    cancel.abort();
    equal(await call, "done", "output after the cancel");
    const handle = client.run.start(1);
    await handle;
    await handle.cancel("too late");
    equal(await handle, "done", "output of the handle after the cancel");
    await client.run(2);
    await turns();
    equal(aborts, [], "signals aborted after the reply");
  }),

  proves("C67", "cancels the calls that the handler made with its context", async (bench) => {
    const entered = createGate();
    const aborted = createGate<unknown>();
    const inner = await bench.connect(
      serveOne(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
        entered.open();
        await aborted.passed;
      }),
    );
    const innerClient = clientOfOne(bench, inner.transport);
    const ended = createGate<unknown>();
    const { client } = await one(bench, async (_, ctx) => {
      await innerClient.run(1, ctx).catch((caught: unknown) => ended.open(caught));
    });
    const handle = client.run.start(1);
    await entered.passed;
    await handle.cancel("all of it");
    await rejects(handle, { code: "CANCELLED" }, "outer call");
    expectError(await ended.passed, { code: "CANCELLED" }, "nested call");
    check(RpcError.from(await aborted.passed).code === "CANCELLED", "the inner handler's signal has another reason");
  }),

  proves("C68", "aborts the handler's signal when its caller's transport closes", async (bench) => {
    const entered = createGate();
    const aborted = createGate<unknown>();
    const { client, pair } = await one(bench, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      await aborted.passed;
    });
    const call = client.run(1);
    const watched = watch(call);
    await entered.passed;
    await pair.transport.close();
    await aborted.passed;
    await until(() => watched.settled, "the pending call settles");
  }),

  proves("C68", "aborts the handler's signal when the connection is cut and nobody comes back", async (bench) => {
    if (typeof bench.capabilities.reconnect !== "string") setAside("reconnect is declared a gap");
    const entered = createGate();
    const aborted = createGate<unknown>();
    const run = async (_: unknown, ctx: CallContext): Promise<void> => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      await aborted.passed;
    };
    const { client, pair } = await one(bench, run, WITHOUT_RESUME);
    if (pair.cut === undefined) fail("a transport that reconnects needs a factory that can cut its connection");
    const call = client.run(1);
    watch(call);
    await entered.passed;
    await pair.cut();
    await aborted.passed;
    await rejects(call, { code: "UNAVAILABLE", delivered: "unknown" }, "call in flight");
  }),
];

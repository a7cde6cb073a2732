import { createRouter, defineContract, forward, RpcError, serverStream, unary } from "@rpc/core";
import type { CallContext, Interceptor } from "@rpc/core/transport";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, createGate } from "../gate.ts";
import {
  CANCEL_REASON,
  clientOf,
  clientOfOne,
  proves,
  serveOne,
  type TransportBench,
  type TransportCase,
  type TransportPair,
} from "../transport-bench.ts";

const One = defineContract("testkit.One", { run: unary() });
const Streams = defineContract("testkit.Streams", { count: serverStream() });

/** C40, C41, H69, H79: what stands between caller and handler. */
export const interceptorCases: readonly TransportCase[] = [
  proves(
    "C40",
    "wraps interceptors outside-in on both sides, and lets them see request, response and error",
    async (bench) => {
      const seen: string[] = [];
      const named = (name: string): Interceptor => ({
        call: async (input, ctx, next) => {
          seen.push(`${name} > ${String(input)}`);
          try {
            const output = await next(input, ctx);
            seen.push(`${name} < ${String(output)}`);
            return output;
          } catch (caught) {
            seen.push(`${name} ! ${RpcError.from(caught).code}`);
            throw caught;
          }
        },
      });
      const router = createRouter(
        One,
        {
          run: (input) => {
            seen.push(`handler ${String(input)}`);
            if (input === "bad") throw new RpcError("ABORTED", "no");
            return "done";
          },
        },
        { interceptors: [named("server outer"), named("server inner")] },
      );
      const pair = await bench.connect(router);
      const client = clientOf(bench, One, pair.transport, [named("client outer"), named("client inner")]);
      await client.run("good");
      const around = ["client outer", "client inner", "server outer", "server inner"];
      equal(
        seen,
        [
          ...around.map((name) => `${name} > good`),
          "handler good",
          ...around.toReversed().map((name) => `${name} < done`),
        ],
        "order of a success",
      );
      seen.length = 0;
      await rejects(client.run("bad"), { code: "ABORTED" }, "call");
      equal(
        seen,
        [
          ...around.map((name) => `${name} > bad`),
          "handler bad",
          ...around.toReversed().map((name) => `${name} ! ABORTED`),
        ],
        "order of a failure",
      );
    },
  ),

  proves("C40", "lets interceptors change input and output", async (bench) => {
    const router = createRouter(
      One,
      { run: (input) => `${String(input)} handled` },
      { interceptors: [{ call: (input, ctx, next) => next(`${String(input)} via server`, ctx) }] },
    );
    const pair = await bench.connect(router);
    const shout: Interceptor = { call: async (input, ctx, next) => `${String(await next(input, ctx))}!` };
    const client = clientOf(bench, One, pair.transport, [shout]);
    equal(await client.run("x"), "x via server handled!", "output");
  }),

  proves("C41", "carries output, status and details through a gateway as a direct call does", async (bench) => {
    const details = { at: [1, 2], when: new Date(5) };
    const { near } = await gateway(bench, (input) => {
      if (input === "bad") throw new RpcError("NOT_FOUND", "no such thing", { reason: "Gone", details });
      return { got: input };
    });
    const client = clientOfOne(bench, near.transport);
    const value = bench.loses("bytes")
      ? { list: [1, "two", 3.5] }
      : { list: [1, "two", 3n], bytes: Uint8Array.of(1, 2, 3) };
    equal(await client.run(value), { got: value }, "output");
    const error = await rejects(
      client.run("bad"),
      { code: "NOT_FOUND", reason: "Gone", message: "no such thing" },
      "error",
    );
    equal(error.details, details, "details");
    const { walk } = clientOf(bench, defineContract("testkit.One", { walk: unary() }), near.transport);
    await rejects(walk(), { code: "UNIMPLEMENTED" }, "unknown method");
  }),

  proves("C41", "carries metadata and the deadline through a gateway", async (bench) => {
    const seen: CallContext[] = [];
    const { near } = await gateway(bench, (_, ctx) => void seen.push(ctx));
    await clientOfOne(bench, near.transport).run(1, { metadata: { "x-key": "kept" }, timeoutMs: 5_000 });
    if (typeof bench.capabilities.metadata === "string") equal(seen[0]?.metadata.get("x-key"), "kept", "metadata");
    if (bench.capabilities.deadline === "propagated") equal(seen[0]?.deadline, bench.clock.now() + 5_000, "deadline");
  }),

  proves("C41", "carries cancel through a gateway", async (bench) => {
    if (bench.capabilities.cancel !== "propagated") setAside("cancel does not travel");
    const entered = createGate();
    const aborted = createGate<unknown>();
    const { near } = await gateway(bench, async (_, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.open(ctx.signal.reason));
      entered.open();
      await aborted.passed;
    });
    const handle = clientOfOne(bench, near.transport).run.start();
    await entered.passed;
    await handle.cancel("enough");
    await rejects(handle, { code: "CANCELLED" }, "call");
    const reason = RpcError.from(await aborted.passed);
    const isTold = bench.loses(CANCEL_REASON) ? reason.code === "CANCELLED" : reason.message.includes("enough");
    check(isTold, "the reason did not reach the handler");
  }),

  proves("C41", "carries a stream through a gateway", async (bench) => {
    if (typeof bench.capabilities.serverStream !== "string") setAside("serverStream is declared a gap");
    const far = await bench.connect(
      createRouter(Streams, {
        count: async function* (input) {
          for (let i = 0; i < (input as number); i += 1) yield i;
        },
      }),
    );
    const near = await bench.connect(forward(far.transport));
    const client = clientOf(bench, Streams, near.transport);
    equal((await collect(client.count(200))).length, 200, "items");
  }),

  proves("H69", "stops two gateways that forward to each other, and names the loop", async (bench) => {
    // The first gateway needs the second one's transport, which does not exist yet: it is looked up at the call.
    const loop: { far: TransportPair | undefined } = { far: undefined };
    const lazily = (): TransportPair => {
      if (loop.far === undefined) throw new RpcError("UNAVAILABLE", "the loop is not closed yet");
      return loop.far;
    };
    const first = serveOne((input, ctx) => clientOfOne(bench, lazily().transport).run(input, ctx));
    const near = await bench.connect(first);
    loop.far = await bench.connect(forward(near.transport));
    const error = await rejects(
      clientOfOne(bench, near.transport).run(1),
      { code: "RESOURCE_EXHAUSTED" },
      "call in a loop",
    );
    check(error.reason === "maxDepth", `expected reason maxDepth, got ${error.reason}`);
  }),

  proves("H79", "fails the call INTERNAL when an interceptor throws something of its own, and lives", async (bench) => {
    const broken: Interceptor = {
      call: (input, ctx, next) => {
        if (input === "bad") throw new TypeError("the interceptor broke");
        return next(input, ctx);
      },
    };
    const pair = await bench.connect(createRouter(One, { run: (input) => input }, { interceptors: [broken] }));
    const client = clientOfOne(bench, pair.transport);
    await rejects(client.run("bad"), { code: "INTERNAL" }, "call");
    equal(await client.run("good"), "good", "next call");
  }),

  proves("H79", "ends at the deadline a call whose interceptor never settles", async (bench) => {
    const entered = createGate();
    const stuck: Interceptor = {
      call: (input, ctx, next) => {
        if (input !== "bad") return next(input, ctx);
        entered.open();
        return createGate<never>().passed;
      },
    };
    const pair = await bench.connect(createRouter(One, { run: (input) => input }, { interceptors: [stuck] }));
    const client = clientOfOne(bench, pair.transport);
    const call = client.run("bad", { timeoutMs: 1_000 });
    await Promise.race([entered.passed, call.catch(() => undefined)]);
    bench.clock.advance(1_000);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "call");
    equal(await client.run("good"), "good", "next call");
  }),
];

async function gateway(
  bench: TransportBench,
  run: (input: unknown, ctx: CallContext) => unknown,
): Promise<{ readonly near: TransportPair; readonly far: TransportPair }> {
  const far = await bench.connect(serveOne(run));
  const near = await bench.connect(forward(far.transport));
  return { near, far };
}

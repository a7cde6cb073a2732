import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  forward,
  type Interceptor,
  notification,
  RpcError,
  serverStream,
  unary,
} from "../src/index.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, failure, Gate, memory } from "./rig.ts";

const Test = defineContract("test.Test", {
  run: unary({ progress: z.number(), errors: { Busy: z.object({ until: z.date() }) } }),
  count: serverStream({ input: z.number(), output: z.number() }),
  sum: clientStream({ input: z.number(), output: z.number() }),
  double: bidiStream({ input: z.number(), output: z.number() }),
  wake: notification({ input: z.string() }),
});

interface Rig {
  readonly run?: (input: unknown, ctx: CallContext) => unknown;
  readonly wake?: (reason: string) => void;
  readonly clock?: FakeClock;
}

/** A client whose calls pass two gateways before they reach the router. */
function rig(
  { run = (input) => input, wake = () => undefined, clock }: Rig = {},
  interceptors: readonly Interceptor[] = [],
) {
  const left: string[] = [];
  const router = createRouter(Test, {
    run,
    count: async function* (to) {
      try {
        for (let i = 1; i <= to; i++) yield i;
      } finally {
        left.push("count");
      }
    },
    sum: async (numbers) => {
      let sum = 0;
      for await (const n of numbers) sum += n;
      return sum;
    },
    double: async function* (numbers) {
      for await (const n of numbers) yield n * 2;
    },
    wake,
  });
  const options = clock === undefined ? {} : { clock };
  const far = memory(router, options);
  const gateway = memory(forward(memory(forward(far), options)), options);
  return { client: createClient(Test, gateway, { ...options, interceptors }), left, far };
}

describe("forward", () => {
  it("C41 passes input and output of any kind through", async () => {
    const value = {
      text: "ä😀",
      bytes: Uint8Array.of(0, 255),
      at: new Date(5),
      big: 2n ** 80n,
      list: [null, Number.NaN, -0],
      $key: { __proto__: null },
    };
    expect(await rig().client.run(value)).toEqual(value);
    expect(await rig().client.run()).toBeUndefined();
  });

  it("C41 passes an error through with code, reason, message and typed details", async () => {
    const { client } = rig({
      run: () => {
        throw Test.run.error("Busy", { until: new Date(7) }, { code: "ABORTED", message: "come back" });
      },
    });
    const error: unknown = await failure(client.run());
    expect(error).toMatchObject({ code: "ABORTED", message: "come back", reason: "Busy" });
    expect(Test.run.isError(error, "Busy") && error.details.until).toEqual(new Date(7));
  });

  it("C41 passes undeclared details through", async () => {
    const { client } = rig({
      run: () => {
        throw new RpcError("ABORTED", "", { reason: "Other", details: [1n, { $x: new Date(1) }] });
      },
    });
    expect(await failure(client.run())).toMatchObject({ reason: "Other", details: [1n, { $x: new Date(1) }] });
  });

  it("C41 passes the refusals of the far server through", async () => {
    expect(await failure(all(rig().client.count("x" as never)))).toMatchObject({ code: "INVALID_ARGUMENT" });
    const Absent = defineContract("test.Absent", { a: unary() });
    expect(await failure(createClient(Absent, memory(forward(rig().far))).a())).toMatchObject({
      code: "UNIMPLEMENTED",
      reason: "CONTRACT_NOT_FOUND",
    });
  });

  it("C41 passes metadata both ways", async () => {
    let answered: string | undefined;
    const { client } = rig(
      {
        run: (_input, ctx) => {
          ctx.responseMetadata.set("load", "0.5");
          return ctx.metadata.get("tenant");
        },
      },
      [
        {
          call: async (input, ctx, next) => {
            const output = await next(input, ctx);
            answered = ctx.responseMetadata.get("load");
            return output;
          },
        },
      ],
    );
    expect(await client.run(null, { metadata: { tenant: "acme" } })).toBe("acme");
    expect(answered).toBe("0.5");
  });

  it("C41 passes the idempotency key and the id of the call through", async () => {
    const { client } = rig({ run: (_input, ctx) => [ctx.id, ctx.idempotencyKey] });
    const handle = client.run.start(null, { idempotencyKey: "k" });
    expect(await handle).toEqual([handle.id, "k"]);
  });

  it("C41 passes the deadline through, with the time that remains", async () => {
    const clock = new FakeClock();
    let deadline: number | undefined;
    const { client } = rig({ clock, run: (_input, ctx) => void (deadline = ctx.deadline) });
    await client.run(null, { timeoutMs: 5_000 });
    expect(deadline).toBe(clock.now() + 5_000);
  });

  it("C41 ends a call at its deadline at every hop", async () => {
    const clock = new FakeClock();
    let signal: AbortSignal | undefined;
    const { client } = rig({
      clock,
      run: (_input, ctx) => {
        ({ signal } = ctx);
        return new Promise(() => undefined);
      },
    });
    const failed = failure(client.run(null, { timeoutMs: 5_000 }));
    await settled();
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(signal?.aborted).toBe(true);
  });

  it("C41 passes a cancel through to the handler, with its reason", async () => {
    let signal: AbortSignal | undefined;
    const { client } = rig({
      run: (_input, ctx) => {
        ({ signal } = ctx);
        return new Promise(() => undefined);
      },
    });
    const handle = client.run.start();
    await settled();
    await handle.cancel("newer commit");
    await settled();
    expect(signal?.reason).toMatchObject({ code: "CANCELLED", message: "newer commit" });
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
  });

  it("C41 passes progress and log lines through", async () => {
    const { client } = rig({
      run: (_input, ctx) => {
        ctx.progress(50);
        ctx.log("half way", { step: "2" }, "notice");
      },
    });
    const handle = client.run.start();
    await handle;
    expect(await all(handle.progress)).toEqual([50]);
    expect((await all(handle.log)).map(({ level, message, fields }) => [level, message, fields["step"]])).toEqual([
      ["notice", "half way", "2"],
    ]);
  });

  it("C41 passes every shape of stream through", async () => {
    const { client } = rig();
    const numbers = Array.from({ length: 300 }, (_, i) => i + 1);
    expect(await all(client.count(300))).toEqual(numbers);
    expect(await client.sum(numbers)).toBe(45_150);
    expect(await all(client.double(numbers))).toEqual(numbers.map((n) => n * 2));
  });

  it("C41 passes notifications through", async () => {
    const woken: string[] = [];
    await rig({ wake: (reason) => woken.push(reason) }).client.wake("morning");
    await settled();
    expect(woken).toEqual(["morning"]);
  });

  it("C80 ends the far producer when the reader leaves", async () => {
    const { client, left } = rig();
    for await (const n of client.count(1_000_000)) if (n === 3) break;
    await settled();
    expect(left).toEqual(["count"]);
  });

  it("C89 ends a stream with UNAVAILABLE when the far server is lost", async () => {
    const { client, far } = rig({});
    const gate = new Gate();
    const got: number[] = [];
    const error = await failure(
      (async () => {
        for await (const n of client.count(1_000)) {
          got.push(n);
          if (n !== 3) continue;
          void far.listener.close();
          gate.open();
        }
      })(),
    );
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expect(got.length).toBeGreaterThanOrEqual(3);
    expect(got.length).toBeLessThan(1_000);
  });

  it("H69 ends a loop of gateways by the depth of the call, naming it", async () => {
    const knot: { to?: ReturnType<typeof memory> } = {};
    const loop = memory(
      forward({
        get endpoint() {
          return "memory:";
        },
        get capabilities() {
          return loop.capabilities;
        },
        call: (input, context) => (knot.to ?? loop).call(input, context),
        stream: (input, context) => (knot.to ?? loop).stream(input, context),
        ready: () => Promise.resolve(),
        close: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    );
    knot.to = loop;
    const client = createClient(Test, loop);
    const error = await failure(client.run(1));
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
    expect(error.message).toContain("loop");
    expect(await failure(all(client.count(1)))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
  });

  it("H69 ends two gateways that forward to each other, and leaves nothing of the call behind", async () => {
    let hops = 0;
    const knot: { to?: ReturnType<typeof memory> } = {};
    const there = (): ReturnType<typeof memory> => {
      hops++;
      if (knot.to === undefined) throw new Error("not tied yet");
      return knot.to;
    };
    const none = memory(createRouter(defineContract("test.None", {}), {}));
    const left = memory(
      forward({
        endpoint: "memory:left",
        capabilities: none.capabilities,
        call: (input, context) => there().call(input, context),
        stream: (input, context) => there().stream(input, context),
        ready: () => Promise.resolve(),
        close: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    );
    knot.to = memory(forward(left));
    const client = createClient(Test, left);
    const expected = { code: "RESOURCE_EXHAUSTED", reason: "maxDepth", message: expect.stringContaining("loop") };
    expect(await failure(client.run(1))).toMatchObject(expected);
    // Depth 0 to 32 is served, and every second hop is the left gateway's.
    expect(hops).toBe(17);
    expect(await failure(all(client.double([1])))).toMatchObject(expected);
    await settled();
    for (const transport of [left, knot.to]) {
      for (const peer of transport.listener.peers) expect(peer.callsInFlight).toBe(0);
    }
  });

  it("H69 ends a loop of notifications as well", async () => {
    let hops = 0;
    const errors: RpcError[] = [];
    const knot: { to?: ReturnType<typeof memory> } = {};
    const handler = forward({
      endpoint: "memory:",
      capabilities: memory(createRouter(defineContract("test.Empty", {}), {})).capabilities,
      call: (input, context) => {
        hops++;
        return knot.to?.call(input, context);
      },
      stream: (input) => input,
      ready: () => Promise.resolve(),
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    const loop = memory(handler, { onError: (error) => errors.push(error) });
    knot.to = loop;
    await createClient(Test, loop).wake("echo");
    await settled();
    expect(hops).toBe(33);
    expect(errors.map(({ reason }) => reason)).toEqual(["maxDepth"]);
  });
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  balance,
  bidiStream,
  type CallContext,
  circuitBreaker,
  createClient,
  createRouter,
  defineContract,
  failover,
  forward,
  hedge,
  reconnecting,
  RpcError,
  serverStream,
  unary,
  withRetry,
} from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, memory } from "../rig.ts";

const Test = defineContract("test.Nested", {
  run: unary({ idempotent: true, progress: z.number() }),
  count: serverStream({ input: z.number(), output: z.number() }),
  double: bidiStream({ input: z.number(), output: z.number() }),
  callBack: unary(),
});
const Caller = defineContract("test.Caller", { name: unary() });

/** A client, every composition one in the other, a gateway, and a server behind it. */
function rig(run: (input: unknown, ctx: CallContext) => unknown = (input) => input) {
  const clock = new FakeClock();
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
    double: async function* (numbers) {
      for await (const n of numbers) yield n * 2;
    },
    callBack: (_input, ctx) => ctx.peer.client(Caller).name(null, ctx),
  });
  const serve = createRouter(Caller, { name: () => "the caller" });
  const server = (): ReturnType<typeof memory> => memory(router, { clock, serve });
  const composed = withRetry(
    hedge(circuitBreaker(failover(balance([server(), server()]), reconnecting(server()))), { delayMs: 60_000 }),
    { random: () => 0 },
  );
  const gateway = memory(forward(composed), { clock });
  return { clock, left, composed, client: createClient(Test, gateway), direct: createClient(Test, composed) };
}

describe("compositions in each other, behind a gateway", () => {
  it("carry metadata both ways, the idempotency key, the id and the deadline", async () => {
    let seen: unknown[] = [];
    const { client, clock } = rig((_input, ctx) => {
      seen = [ctx.id, ctx.metadata.get("tenant"), ctx.idempotencyKey, ctx.deadline, ctx.depth];
      ctx.responseMetadata.set("load", "0.5");
    });
    const handle = client.run.start(null, { metadata: { tenant: "acme" }, idempotencyKey: "k", timeoutMs: 5_000 });
    await handle;
    expect(seen).toEqual([handle.id, "acme", "k", clock.now() + 5_000, 1]);
    expect(handle.responseMetadata.get("load")).toBe("0.5");
  });

  it("carry progress, log lines and cancellation", async () => {
    let signal: AbortSignal | undefined;
    const { client } = rig((_input, ctx) => {
      ({ signal } = ctx);
      ctx.progress(50);
      ctx.log("half way");
      return new Promise(() => undefined);
    });
    const handle = client.run.start();
    await settled();
    await handle.cancel("newer commit");
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(signal?.reason).toMatchObject({ code: "CANCELLED", message: "newer commit" });
    expect(await all(handle.progress)).toEqual([50]);
    expect((await all(handle.log)).map(({ message }) => message)).toEqual(["half way"]);
  });

  it("carry streams, and end the producer when the reader leaves", async () => {
    const { client, left } = rig();
    const numbers = Array.from({ length: 300 }, (_, i) => i + 1);
    expect(await all(client.double(numbers))).toEqual(numbers.map((n) => n * 2));
    for await (const n of client.count(1_000_000)) if (n === 3) break;
    await settled();
    expect(left).toEqual(["count"]);
  });

  it("let a handler call back", async () => {
    const { direct } = rig();
    expect(await direct.callBack()).toBe("the caller");
  });

  it("pass errors on as they are", async () => {
    const { client } = rig(() => {
      throw new RpcError("ABORTED", "come back", { reason: "Busy", details: { until: 7 } });
    });
    expect(await failure(client.run())).toMatchObject({
      code: "ABORTED",
      message: "come back",
      reason: "Busy",
      details: { until: 7 },
    });
  });

  it("end the call at its deadline, and leave no timer once they are closed", async () => {
    const { client, clock, composed } = rig(() => new Promise(() => undefined));
    const failed = failure(client.run(null, { timeoutMs: 5_000 }));
    await settled();
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await composed.close();
    await settled();
    expect(await failure(client.run())).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(clock.timerCount).toBe(0);
  });

  it("say to a caller that its call arrived when its handler's own call did not", async () => {
    const dead = balance([memory(createRouter(Caller, { name: () => "x" }))]);
    await dead.close();
    const broken = createClient(Caller, dead);
    const { direct } = rig((_input, ctx) => broken.name(null, ctx));
    expect(await failure(direct.run())).toMatchObject({ code: "FAILED_PRECONDITION", delivered: "unknown" });
  });
});

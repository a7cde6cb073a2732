import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CallContext,
  createClient,
  createRouter,
  type Interceptor,
  retry,
  type RetryPolicy,
  RpcError,
  withRetry,
} from "../../src/index.ts";
import { RetryBudget } from "../../src/tools/retry-budget.ts";
import { settled } from "../fake-clock.ts";
import { all, failure, Gate, memory, thrownBy } from "../rig.ts";
import { broken, clockWithoutRest, failing, hang, lost, Part, pass, refused, Test } from "./part.ts";

/** A client over a part whose waits are half of their bounds: 50, 100, 200 ms and so on. */
function rig(policy: RetryPolicy = {}, ...errors: readonly unknown[]) {
  const clock = clockWithoutRest();
  const part = new Part(clock, "part:", failing(...errors));
  const transport = withRetry(part, { random: () => 0.5, ...policy });
  return { clock, part, transport, client: createClient(Test, transport) };
}

describe("withRetry", () => {
  it("tries a call again that did not arrive, after a wait, and says which try it is", async () => {
    const { clock, part, client } = rig({}, refused(), refused());
    const answer = client.write("a", { idempotencyKey: "k", metadata: { tenant: "acme" } });
    await settled();
    expect(part.count).toBe(1);
    await pass(clock, 49);
    expect(part.count).toBe(1);
    await pass(clock, 1);
    expect(part.count).toBe(2);
    await pass(clock, 100);
    expect(await answer).toBe("a");
    expect(part.inputs).toEqual(["a", "a", "a"]);
    expect(part.contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(part.contexts.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["k", "k", "k"]);
    expect(part.contexts.map(({ metadata }) => metadata.get("tenant"))).toEqual(["acme", "acme", "acme"]);
    expect(new Set(part.contexts.map(({ id }) => id)).size).toBe(1);
  });

  it("gives up after maxAttempts with the last error", async () => {
    const { clock, part, client } = rig({}, refused("1"), refused("2"), refused("3"));
    const failed = failure(client.write());
    await pass(clock, 10_000);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", message: "3", delivered: "no" });
    expect(part.count).toBe(3);
  });

  it("C136 does not repeat a call of unknown fate, unless its method is idempotent", async () => {
    const once = rig({}, lost());
    expect(await failure(once.client.write())).toMatchObject({ delivered: "unknown" });
    expect(once.part.count).toBe(1);
    const { clock, client, part } = rig({}, lost());
    const answer = client.read(1);
    await pass(clock, 50);
    expect(await answer).toBe(1);
    expect(part.count).toBe(2);
  });

  it("repeats a call that has an idempotency key where servers keep replies, and only there", async () => {
    const { clock, client } = rig({ repliesKept: true }, lost(), lost());
    const answer = client.write(1, { idempotencyKey: "k" });
    await pass(clock, 50);
    await pass(clock, 100);
    expect(await answer).toBe(1);
    const without = rig({ repliesKept: true }, lost());
    expect(await failure(without.client.write(1))).toMatchObject({ delivered: "unknown" });
    const other = rig({}, lost());
    expect(await failure(other.client.write(1, { idempotencyKey: "k" }))).toMatchObject({ delivered: "unknown" });
  });

  it("says of the whole call that it may have run when one of its tries may have", async () => {
    const { clock, client } = rig({}, lost(), refused(), refused("last"));
    const failed = failure(client.read());
    await pass(clock, 1_000);
    expect(await failed).toMatchObject({ message: "last", reason: "ECONNREFUSED", delivered: "unknown" });
  });

  it.each([
    new RpcError("INVALID_ARGUMENT", "no"),
    new RpcError("RESOURCE_EXHAUSTED", "full", { delivered: "no" }),
    new RpcError("UNAVAILABLE", "for good", { delivered: "no", retryable: false }),
    new Error("a fault"),
  ])("does not repeat after %s", async (error) => {
    const { client, part } = rig({}, error);
    await failure(client.read());
    expect(part.count).toBe(1);
  });

  it("repeats after the codes that it is told", async () => {
    const { clock, client } = rig({ codes: ["ABORTED"] }, new RpcError("ABORTED", "conflict"));
    const answer = client.read(1);
    await pass(clock, 50);
    expect(await answer).toBe(1);
    const other = rig({ codes: ["ABORTED"] }, refused());
    await failure(other.client.read());
    expect(other.part.count).toBe(1);
  });

  it("does not wait beyond the deadline, but fails with the last error at once", async () => {
    const { client, clock, part } = rig({}, refused(), refused());
    const failed = failure(client.write(null, { timeoutMs: 149 }));
    await pass(clock, 50);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "ECONNREFUSED" });
    expect(part.count).toBe(2);
    expect(part.contexts.map(({ deadline }) => deadline)).toEqual([clock.now() + 99, clock.now() + 99]);
  });

  it("ends at once when it is cancelled, between two tries and during one", async () => {
    const between = rig({}, refused());
    const handle = between.client.write.start();
    await settled();
    await handle.cancel("enough");
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED", message: "enough" });
    expect(between.part.count).toBe(1);
    const during = rig();
    during.part.serve = hang;
    const running = during.client.read.start();
    await settled();
    await running.cancel("enough");
    expect(await failure(running)).toMatchObject({ code: "CANCELLED" });
    expect(during.part.contexts[0]?.signal.aborted).toBe(true);
    expect(during.part.count).toBe(1);
  });

  it("follows a signal through all tries, and lets go of it", async () => {
    const { clock, client, part } = rig({}, refused());
    const controller = new AbortController();
    const failed = failure(client.write(null, { signal: controller.signal }));
    await settled();
    part.serve = hang;
    await pass(clock, 50);
    controller.abort();
    expect(await failed).toMatchObject({ code: "CANCELLED" });
    expect(part.count).toBe(2);
  });

  it("does not call at all when it was cancelled before", async () => {
    const { client, part } = rig();
    expect(await failure(client.read(null, { signal: AbortSignal.abort() }))).toMatchObject({ code: "CANCELLED" });
    expect(await failure(all(client.watch(null, { signal: AbortSignal.abort() })))).toMatchObject({
      code: "CANCELLED",
    });
    expect(part.count).toBe(0);
  });

  it("hands on the response metadata of the try that counts, and of no other", async () => {
    const { clock, client, part } = rig();
    part.serve = (_input, context) => {
      context.responseMetadata.set(`try-${context.attempt}`, "x");
      if (context.attempt === 1) throw lost();
      return 1;
    };
    const handle = client.read.start();
    await pass(clock, 50);
    expect(await handle).toBe(1);
    expect([...handle.responseMetadata]).toEqual([["try-2", "x"]]);
  });

  it("carries progress and log lines of every try", async () => {
    const clock = clockWithoutRest();
    const part = new Part(clock, "part:", (_input, context) => {
      context.progress(context.attempt);
      context.log("tried");
      if (context.attempt === 1) throw lost();
    });
    const handle = createClient(Test, withRetry(part, { random: () => 0.5 })).read.start();
    await pass(clock, 50);
    await handle;
    expect(await all(handle.progress)).toEqual([1, 2]);
    expect(await all(handle.log)).toHaveLength(2);
  });

  it("repeats a notification that was not handed over", async () => {
    const { clock, client, part } = rig({}, refused());
    const told = client.tell("a");
    await pass(clock, 50);
    await told;
    expect(part.inputs).toEqual(["a", "a"]);
  });

  it("stops repeating while too much fails, and starts again when enough was answered", async () => {
    const { clock, client, part } = rig({ maxAttempts: 2, budget: { maxTokens: 4, tokenRatio: 0.5 } });
    part.serve = () => {
      throw refused();
    };
    for (let i = 0; i < 3; i++) {
      const failed = failure(client.write());
      await pass(clock, 200);
      await failed;
    }
    // 4 → 3 → 2 by the first call; from then on there is no second try.
    expect(part.count).toBe(4);
    part.serve = (input) => input;
    for (let i = 0; i < 7; i++) await client.write();
    part.serve = failing(refused());
    const answer = client.write("again");
    await pass(clock, 200);
    expect(await answer).toBe("again");
  });

  it("closes and connects its part", async () => {
    const { part, transport } = rig();
    await transport.ready();
    await transport.close({ drainMs: 5 });
    await transport[Symbol.asyncDispose]();
    expect(part.readyCount).toBe(1);
    expect(part.closes).toEqual([{ drainMs: 5 }]);
  });

  it("ends a call that waits for its next try when it is closed, and takes no new ones", async () => {
    const { client, clock, part, transport } = rig({}, refused("first"));
    part.serveStream = () => broken(refused("first"));
    const failed = failure(client.write());
    const stream = failure(all(client.watch()));
    await settled();
    await transport.close({ drainMs: 1_000 });
    expect(clock.timerCount).toBe(0);
    expect([await failed, await stream]).toMatchObject([{ message: "first" }, { message: "first" }]);
    const late = { code: "FAILED_PRECONDITION", reason: "CLOSED", delivered: "no" };
    expect(await failure(client.write())).toMatchObject(late);
    expect(await failure(all(client.watch()))).toMatchObject(late);
    expect(await failure(transport.ready())).toMatchObject(late);
    expect(part.count).toBe(2);
  });

  it("does not repeat a call that fails because it is closed", async () => {
    const { client, part, transport } = rig();
    const gate = new Gate();
    part.serve = () => gate.promise;
    const failed = failure(client.read());
    await settled();
    await transport.close();
    gate.fail(lost());
    expect(await failed).toMatchObject({ delivered: "unknown" });
    expect(part.count).toBe(1);
  });

  it("has what its part has, but for the order of calls", () => {
    const { part, transport } = rig();
    expect(transport.endpoint).toBe("part:");
    expect({ ...transport.capabilities, ordering: "per-peer" }).toEqual(part.capabilities);
    expect(transport.capabilities.ordering).toMatchObject({ unsupported: expect.stringContaining("tried again") });
  });

  it.each([
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { minMs: 0 },
    { budget: { maxTokens: 0 } },
    { budget: { tokenRatio: Number.NaN } },
  ])("refuses the policy %j", (policy) => {
    expect(thrownBy(() => retry(policy))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("works over a real transport, whose handler it reaches once the server is back", async () => {
    const clock = clockWithoutRest();
    const contexts: CallContext[] = [];
    const far = memory(
      createRouter(Test, {
        write: (input, ctx) => {
          contexts.push(ctx);
          return input;
        },
        read: (_input, ctx) => {
          contexts.push(ctx);
          if (contexts.length === 1) ctx.peer.disconnect();
          return contexts.length;
        },
        tell: () => undefined,
        watch: async function* () {},
        watchSafely: async function* () {},
        gather: () => 0,
        chat: async function* () {},
      }),
      { clock },
    );
    const answer = createClient(Test, withRetry(far, { random: () => 0.5 })).read(null, { timeoutMs: 1_000 });
    await pass(clock, 50);
    expect(await answer).toBe(2);
    await far.close();
  });
});

describe("withRetry of a stream", () => {
  it("opens it again while no item has come", async () => {
    const { clock, client, part } = rig();
    part.serveStream = async function* (_input, context) {
      if (context.attempt < 3) throw lost();
      yield* [1, 2];
    };
    const items = all(client.watchSafely());
    await pass(clock, 1_000);
    expect(await items).toEqual([1, 2]);
    expect(part.count).toBe(3);
  });

  it("does not open it again after the first item", async () => {
    const { clock, client, part } = rig();
    part.serveStream = async function* () {
      yield 1;
      throw refused();
    };
    const got: unknown[] = [];
    const failed = failure(
      (async () => {
        for await (const item of client.watchSafely()) got.push(item);
      })(),
    );
    await pass(clock, 1_000);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE" });
    expect([got, part.count]).toEqual([[1], 1]);
  });

  it("does not repeat one of unknown fate that is not idempotent", async () => {
    const { client, part } = rig();
    part.serveStream = () => broken(lost());
    expect(await failure(all(client.watch()))).toMatchObject({ delivered: "unknown" });
    expect(part.count).toBe(1);
  });

  it("sends an input that nobody has read to the next try, and leaves it open until then", async () => {
    const { clock, client, part } = rig();
    const left: string[] = [];
    const source = async function* () {
      try {
        yield* [1, 2, 3];
      } finally {
        left.push("closed");
      }
    };
    part.serveStream = async function* (input, context) {
      if (context.attempt === 1) {
        await input[Symbol.asyncIterator]().return?.();
        throw refused();
      }
      yield* input;
    };
    const items = all(client.chat(source()));
    await pass(clock, 50);
    expect(await items).toEqual([1, 2, 3]);
    expect(left).toEqual(["closed"]);
  });

  it("does not repeat it once its input has been read", async () => {
    const { client, part } = rig();
    part.serveStream = (input) => broken(refused(), () => input[Symbol.asyncIterator]().next());
    expect(await failure(client.gather([1, 2]))).toMatchObject({ code: "UNAVAILABLE" });
    expect(part.count).toBe(1);
  });

  it("closes an input that no try has read", async () => {
    const { client, part } = rig({ maxAttempts: 1 });
    let closed = false;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: true, value: undefined }),
        return: () => {
          closed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    part.serveStream = (input) => broken(refused(), () => input[Symbol.asyncIterator]().return?.());
    await failure(client.gather(source));
    await settled();
    expect(closed).toBe(true);
  });

  it("ends when its reader leaves: during an item, and between two tries", async () => {
    const { clock, client, part } = rig();
    const left: string[] = [];
    part.serveStream = async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        left.push("left");
      }
    };
    for await (const item of client.watchSafely()) if (item === 3) break;
    expect(left).toEqual(["left"]);
    part.serveStream = () => broken(refused());
    const iterator = client.watch()[Symbol.asyncIterator]();
    const first = iterator.next();
    await settled();
    expect(clock.timerCount).toBe(1);
    await iterator.return?.();
    expect(await first).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it("ends when it is cancelled between two tries", async () => {
    const { client, part } = rig();
    part.serveStream = () => broken(refused());
    const controller = new AbortController();
    const failed = failure(all(client.watch(null, { signal: controller.signal })));
    await settled();
    controller.abort();
    expect(await failed).toMatchObject({ code: "CANCELLED" });
    expect(part.count).toBe(1);
  });

  it("gives items in order to a reader that asks for several at once", async () => {
    const { clock, client, part } = rig();
    part.serveStream = async function* (_input, context) {
      if (context.attempt === 1) throw refused();
      yield* [1, 2];
    };
    const iterator = client.watch()[Symbol.asyncIterator]();
    const steps = Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    await pass(clock, 50);
    expect((await steps).map(({ done, value }) => (done === true ? "done" : value))).toEqual([1, 2, "done", "done"]);
  });
});

describe("retry as an interceptor", () => {
  it("shows every try to the interceptors behind it, and one call to those before", async () => {
    const clock = clockWithoutRest();
    const part = new Part(clock, "part:", failing(refused(), refused()));
    const seen: string[] = [];
    const log = (name: string): Interceptor => ({
      call: (input, context, next) => {
        seen.push(`${name} ${context.attempt}`);
        return next(input, context);
      },
    });
    const client = createClient(Test, part, {
      interceptors: [log("outside"), retry({ clock, random: () => 0.5 }), log("inside")],
    });
    const answer = client.write("a");
    await pass(clock, 1_000);
    expect(await answer).toBe("a");
    expect(seen).toEqual(["outside 1", "inside 1", "inside 2", "inside 3"]);
  });

  it("tries a stream again", async () => {
    const clock = clockWithoutRest();
    const part = new Part(clock);
    part.serveStream = async function* (_input, context) {
      if (context.attempt === 1) throw refused();
      yield 1;
    };
    const items = all(createClient(Test, part, { interceptors: [retry({ clock, random: () => 0.5 })] }).watch());
    await pass(clock, 1_000);
    expect(await items).toEqual([1]);
  });

  it("shares one budget between the clients that share it", async () => {
    const clock = clockWithoutRest();
    const part = new Part(clock, "part:", () => {
      throw refused();
    });
    const interceptors = [retry({ clock, maxAttempts: 2, budget: { maxTokens: 2 } })];
    await failure(createClient(Test, part, { interceptors }).write());
    await failure(createClient(Test, part, { interceptors }).write());
    expect(part.count).toBe(2);
  });
});

describe("RetryBudget", () => {
  it("is at every moment what the rules of gRPC say", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1_000, noNaN: true }),
        fc.double({ min: 0.001, max: 10, noNaN: true }),
        fc.array(fc.constantFrom("failed" as const, "answered" as const)),
        (maxTokens, tokenRatio, steps) => {
          const budget = new RetryBudget({ maxTokens, tokenRatio });
          let tokens = maxTokens;
          for (const step of steps) {
            budget[step]();
            tokens = step === "failed" ? Math.max(0, tokens - 1) : Math.min(maxTokens, tokens + tokenRatio);
            expect(budget.tokens).toBe(tokens);
            expect(budget.allows).toBe(tokens > maxTokens / 2);
          }
        },
      ),
    );
  });

  it("lets at most one try in ten be a repeated one in the long run, when all that can fail fails", async () => {
    const budget = new RetryBudget();
    let calls = 0;
    let retries = 0;
    // Every second call needs a second try, which is answered.
    for (; calls < 10_000; calls++) {
      if (calls % 2 === 0) {
        budget.failed();
        if (!budget.allows) continue;
        retries++;
      }
      budget.answered();
    }
    expect(retries - 50).toBeLessThan(calls * 0.1);
  });
});

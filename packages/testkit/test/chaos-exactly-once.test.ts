import { describe, expect, it } from "vitest";
import type { Handler } from "@rpc/core/transport";
import {
  createFakeClock,
  exactlyOnce,
  exactlyOnceReport,
  type ScenarioPair,
  type ScenarioParts,
  sessionPair,
} from "../src/index.ts";

/** A handler as plain functions, to replace some of them; the router's are on its class. */
function bare(handler: Handler): Handler {
  return {
    contracts: handler.contracts,
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => handler.call(input, context),
    stream: (input, context) => handler.stream(input, context),
  };
}

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

/** Sessions that end with their connection. */
function withoutResume(parts: ScenarioParts): ScenarioPair {
  return sessionPair({ ...parts, session: { ...parts.session, resumeWindowMs: 0 } });
}

describe("a session that resumes", () => {
  it.each(SEEDS)("runs every call once, and every stream and notification comes whole, seed %i", async (seed) => {
    const report = await exactlyOnce({ seed, clock: createFakeClock() });
    expect(report.done).toBeGreaterThanOrEqual(2 * (60 + 6 + 30));
  });
});

describe("a session that ends with its connection", () => {
  it.each(SEEDS)("runs no call twice and tells no lies about what was delivered, seed %i", async (seed) => {
    const report = await exactlyOnce({ seed, clock: createFakeClock(), pair: withoutResume, promise: "at-most-once" });
    expect(report.done).toBeGreaterThan(0);
  });

  it("keeps every promise while no connection comes to harm", async () => {
    const plan = { fates: { stall: 1 }, refused: 0, hanging: 0 };
    const report = await exactlyOnce({ seed: 1, clock: createFakeClock(), pair: withoutResume, plan, events: 0 });
    expect(report).toMatchObject({ done: 2 * (60 + 6 + 30), failed: 0, violations: [] });
  });
});

describe("the scenario", () => {
  it("happens in the same way again with the same seed", async () => {
    const run = () => exactlyOnceReport({ seed: 7, clock: createFakeClock() });
    const first = await run();
    expect(await run()).toEqual(first);
    expect(first.story.length).toBeGreaterThan(10);
  });

  it("finds calls that failed although they should have survived, and says the seed and the story", async () => {
    await expect(exactlyOnce({ seed: 3, clock: createFakeClock(), pair: withoutResume })).rejects.toThrow(
      /^seed 3 broke exactly-once, \d+ violations:\n.*failed UNAVAILABLE[^]*what had happened:\n.*connection \d+:/,
    );
  });

  it("finds calls that are run twice", async () => {
    const twice = (parts: ScenarioParts): ScenarioPair =>
      withoutResume({
        ...parts,
        handler: {
          ...bare(parts.handler),
          call: async (input, context) => {
            if (context.method.kind === "unary") await parts.handler.call(input, context);
            return parts.handler.call(input, context);
          },
        },
      });
    const report = await broken(twice);
    expect(report).toContain("client → server: call 0 was run 2 times");
  });

  it("finds calls that are said to be undelivered and were run", async () => {
    const lying = (parts: ScenarioParts): ScenarioPair => {
      const pair = withoutResume(parts);
      const transport = Object.create(pair.transport, {
        call: {
          value: (...call: Parameters<typeof pair.transport.call>) =>
            Promise.resolve(pair.transport.call(...call)).catch((thrown: Error) => {
              throw Object.assign(thrown, { delivered: "no" });
            }),
        },
        // The getters of a class with private members want the object itself.
        clock: { value: pair.transport.clock },
        close: { value: () => pair.transport.close() },
        ready: { value: () => pair.transport.ready() },
      }) as ScenarioPair["transport"];
      return { ...pair, transport };
    };
    expect((await broken(lying)).join("\n")).toMatch(/was run, but is said to be undelivered/);
  });

  it("finds notifications that come in another order", async () => {
    let held: (() => void) | undefined;
    const swapping = (parts: ScenarioParts): ScenarioPair =>
      withoutResume({
        ...parts,
        handler: {
          ...bare(parts.handler),
          call: (input, context) => {
            if (context.method.kind !== "notification") return parts.handler.call(input, context);
            const late = held;
            const deliver = (): void => void parts.handler.call(input, context);
            held = late === undefined ? deliver : undefined;
            if (late !== undefined) {
              deliver();
              late();
            }
            return undefined;
          },
        },
      });
    expect((await broken(swapping)).join("\n")).toMatch(/client → server: notification 0 came after 1/);
  });

  it("finds streams whose items are lost, and streams that end early", async () => {
    const losing = (parts: ScenarioParts): ScenarioPair =>
      withoutResume({
        ...parts,
        handler: {
          ...bare(parts.handler),
          async *stream(input, context) {
            let count = 0;
            for await (const item of parts.handler.stream(input, context)) if (++count !== 2) yield item;
          },
        },
      });
    const report = (await broken(losing)).join("\n");
    expect(report).toMatch(/stream \d+: item 1 came as/);
    expect(report).toMatch(/stream \d+ ended after \d+ of \d+ items/);
  });

  it("finds calls that are never answered", async () => {
    const silent = (parts: ScenarioParts): ScenarioPair =>
      withoutResume({ ...parts, handler: { ...bare(parts.handler), call: () => new Promise(() => undefined) } });
    const report = await broken(silent);
    expect(report).toContain("client → server: call 0 was never answered");
    expect(report.join("\n")).toMatch(/the calls had not ended after/);
  });

  it("finds a timer that is left", async () => {
    const leaking = (parts: ScenarioParts): ScenarioPair => {
      parts.clock.setTimeout(() => undefined, 1_000_000_000);
      return withoutResume(parts);
    };
    expect(await broken(leaking)).toContain("1 timers are left after both halves were closed");
  });

  /** What the scenario says of sessions that break a promise, on connections that keep theirs. */
  async function broken(pair: (parts: ScenarioParts) => ScenarioPair): Promise<readonly string[]> {
    const lying = pair.name === "lying";
    const plan = lying ? {} : { fates: {}, refused: 0, hanging: 0 };
    const promise = lying ? "at-most-once" : "exactly-once";
    const report = await exactlyOnceReport({ seed: 5, clock: createFakeClock(), pair, plan, promise });
    return report.violations;
  }
});
